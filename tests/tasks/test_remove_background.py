"""removeBackground."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy
import pytest
from PIL import Image

from tasks.remove_background import remove_background
from tests.engines.cutout.test_network import reddish
from tests.tasks.desk import Desk, data_uri

_TABLE = """
[[model]]
air = "test:1@1"
name = "What is red"
kind = "matting"
engine = "onnx"
file = "red.onnx"
options = { size = 96, mean = 0.5, std = 0.5, normalise = true }

[[model]]
air = "test:2@1"
name = "What is red, by rembg"
kind = "matting"
engine = "rembg"
file = "u2netp.onnx"
options = { session = "u2netp" }

[[model]]
air = "test:3@1"
name = "An enlarger"
kind = "upscaler"
engine = "onnx"
file = "red.onnx"
"""
GREEN = (30, 160, 60)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path, table=_TABLE)
    reddish(tmp_path / "models" / "red.onnx", ("matte",), ("h", "w"), True)
    reddish(tmp_path / "models" / "u2netp.onnx", ("d0",), (320, 320), True)
    return made


def ball() -> numpy.ndarray:
    """A red ball before a green wall, 240 × 320."""
    picture = numpy.full((240, 320, 3), GREEN, numpy.uint8)
    return cv2.circle(picture, (160, 120), 70, (200, 40, 30), -1, cv2.LINE_AA)


def test_a_cut_out(desk: Desk):
    """The subject comes as a PNG with transparency; the answer names its input and what did the work."""
    uuid = desk.keep(ball())
    done = desk.run(remove_background, inputImage=uuid)
    assert (done.images[0]["format"], done.picture.mode) == ("PNG", "RGBA")
    assert done.pixels.shape == (240, 320, 4)
    assert tuple(done.pixels[120, 160]) == (200, 40, 30, 255)
    assert tuple(done.pixels[10, 10]) == (0, 0, 0, 0)
    assert done.item["inputImageUUID"] == uuid
    assert done.item["model"] == "taskarray:backdrop@1"
    assert done.item["confidence"] > 0.9
    assert "notice" not in done.item
    assert done.said


def test_names():
    """Old clients ask for imageBackgroundRemoval."""
    assert (remove_background.task_type, remove_background.aliases) == ("removeBackground", ("imageBackgroundRemoval",))


def test_a_notice(desk: Desk):
    """A picture without a subject comes back whole, with a notice."""
    done = desk.run(remove_background, inputImage=desk.keep(Image.new("RGB", (60, 40), "navy")))
    assert (done.pixels[..., 3] == 255).all()
    assert (done.item["model"], done.item["confidence"]) == ("taskarray:none@1", 0)
    assert "one colour" in done.item["notice"]


def test_jpg_is_white_behind(desk: Desk):
    """In a JPG what is transparent is white."""
    done = desk.run(remove_background, inputImage=desk.keep(ball()), outputFormat="JPG")
    assert done.pixels.shape == (240, 320, 3)
    assert (done.pixels[10, 10] > 250).all()


def test_webp_is_transparent(desk: Desk):
    """A WEBP is transparent too."""
    assert desk.run(remove_background, inputImage=desk.keep(ball()), outputFormat="WEBP").pixels[10, 10, 3] == 0


@pytest.mark.parametrize(
    ("alpha", "expected"), [(255, 255), (128, 128), (0, 0), (1, 1), (0.5, 128), (1.0, 255), (0.0, 0), (64.0, 64)]
)
def test_rgba(desk: Desk, alpha: float, expected: int):
    """`rgba` comes behind the subject; its alpha is 0 to 255, or a share where it has a decimal point."""
    done = desk.run(remove_background, inputImage=desk.keep(ball()), rgba=[10, 20, 230, alpha])
    assert done.pixels[5, 5, 3] == expected
    if expected:
        assert tuple(done.pixels[5, 5, :3]) == (10, 20, 230)
    assert tuple(done.pixels[120, 160]) == (200, 40, 30, 255)


def test_rgba_shines_through_the_edge(desk: Desk):
    """An opaque backdrop leaves nothing transparent, and nothing of the old one at the edge."""
    pixels = desk.run(remove_background, inputImage=desk.keep(ball()), rgba=[10, 20, 230, 255]).pixels
    assert (pixels[..., 3] == 255).all()
    assert pixels[..., 1].max() < 80


@pytest.mark.parametrize("wrong", [[1, 2, 3], [1, 2, 3, 256], [-1, 0, 0, 0], [0, 0, 0, True], "white", [[0, 0, 0, 0]]])
def test_other_colours_are_refused(desk: Desk, wrong: object):
    """A colour that is not four numbers from 0 to 255 is refused."""
    failure = desk.run(remove_background, inputImage=desk.keep(ball()), rgba=wrong).failure
    assert failure["parameter"].startswith("rgba")


def test_return_only_mask(desk: Desk):
    """With returnOnlyMask the mask comes, white where the subject is, whatever lies behind."""
    done = desk.run(remove_background, inputImage=desk.keep(ball()), returnOnlyMask=True, rgba=[9, 9, 9, 255])
    assert done.picture.mode == "L"
    assert (done.pixels[120, 160], done.pixels[10, 10]) == (255, 0)


def test_post_process_mask(desk: Desk):
    """postProcessMask drops crumbs and narrows a soft edge."""
    picture = ball()
    picture[20:22, 20:22] = 200, 40, 30
    asked = {"inputImage": desk.keep(picture), "model": "test:1@1", "returnOnlyMask": True}
    plain, processed = (
        desk.run(remove_background, **asked, postProcessMask=on).pixels.astype(int) for on in (False, True)
    )
    assert plain[15:27, 15:27].max() > 60
    assert processed[15:27, 15:27].max() == 0
    assert ((processed > 0) & (processed < 255)).sum() < ((plain > 0) & (plain < 255)).sum()


def _fringed() -> numpy.ndarray:
    picture = ball()
    for angle in numpy.linspace(0, 2 * numpy.pi, 60):
        end = round(160 + 85 * numpy.cos(angle)), round(120 + 85 * numpy.sin(angle))
        cv2.line(picture, (160, 120), end, (200, 40, 30), 1, cv2.LINE_AA)
    return picture


def test_alpha_matting(desk: Desk):
    """alphaMatting solves the edge anew, within what its three settings leave open."""
    asked = {"inputImage": desk.keep(_fringed()), "returnOnlyMask": True}
    plain = desk.run(remove_background, **asked).pixels
    matted = desk.run(remove_background, **asked, alphaMatting=True, alphaMattingErodeSize=30).pixels
    narrow = desk.run(remove_background, **asked, alphaMatting=True, alphaMattingErodeSize=1).pixels
    fringe = numpy.abs(_fringed().astype(int) - GREEN).max(axis=-1) > 120
    fringe &= numpy.hypot(*(numpy.mgrid[:240, :320] - numpy.array([120, 160])[:, None, None])) > 76
    assert matted[fringe].mean() > plain[fringe].mean() + 20
    assert (matted != narrow).any()
    strict = {"alphaMattingForegroundThreshold": 255, "alphaMattingBackgroundThreshold": 1}
    vague = desk.run(remove_background, **asked, alphaMatting=True, **strict)
    assert "too much open" in vague.item["notice"]


def test_alpha_matting_without_its_extra(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """Without PyMatting the answer says which extra to install."""
    monkeypatch.setitem(sys.modules, "pymatting", None)
    done = desk.run(remove_background, inputImage=desk.keep(ball()), alphaMatting=True)
    assert "taskarray[matting]" in done.item["notice"]
    assert done.pixels[120, 160, 3] == 255


def test_legacy_settings(desk: Desk):
    """Old clients send every setting, also those that are false, and a colour that is transparent."""
    settings = {
        "rgba": [255, 255, 255, 0],
        "postProcessMask": False,
        "returnOnlyMask": False,
        "alphaMatting": False,
        "alphaMattingForegroundThreshold": 1,
        "alphaMattingBackgroundThreshold": 1,
        "alphaMattingErodeSize": 10,
    }
    uuid = desk.keep(ball())
    told, plain = (desk.run(remove_background, inputImage=uuid, **more).pixels for more in (settings, {}))
    assert (told[..., 3] == plain[..., 3]).all()
    assert (told[plain[..., 3] > 0] == plain[plain[..., 3] > 0]).all()


@pytest.mark.parametrize("name", ["ForegroundThreshold", "BackgroundThreshold", "ErodeSize"])
@pytest.mark.parametrize("wrong", [0, 256, 2.5, "10"])
def test_other_levels_are_refused(desk: Desk, name: str, wrong: object):
    """The settings of matting are whole numbers from 1 to 255."""
    failure = desk.run(remove_background, inputImage=desk.keep(ball()), **{f"alphaMatting{name}": wrong}).failure
    assert failure["parameter"] == f"alphaMatting{name}"


def test_thresholds_must_be_apart(desk: Desk):
    """The background's threshold lies below the foreground's."""
    more = {"alphaMattingForegroundThreshold": 100, "alphaMattingBackgroundThreshold": 100}
    failure = desk.run(remove_background, inputImage=desk.keep(ball()), alphaMatting=True, **more).failure
    assert failure["code"] == "invalidAlphaMattingBackgroundThreshold"


def test_transparency_of_the_input_counts(desk: Desk):
    """What was transparent stays so, and keeps its own colours where it was partly so."""
    alpha = numpy.full((240, 320), 255, numpy.uint8)
    alpha[:, 160:] = 100
    alpha[130:] = 0
    pixels = desk.run(remove_background, inputImage=desk.keep(numpy.dstack([ball(), alpha]))).pixels
    assert tuple(pixels[110, 120]) == (200, 40, 30, 255)
    assert tuple(pixels[110, 200]) == (200, 40, 30, 100)
    assert not pixels[140:].any()
    assert pixels[10, 10, 3] == 0


def test_a_cut_out_stays_cut_out(desk: Desk):
    """What was cut out already is cut out alike once more."""
    first = desk.run(remove_background, inputImage=desk.keep(ball())).pixels
    again = desk.run(remove_background, inputImage=desk.keep(first)).pixels
    assert numpy.abs(again[..., 3].astype(int) - first[..., 3]).mean() < 1


@pytest.mark.parametrize("air", ["test:1@1", "test:2@1"])
def test_supplied_models(desk: Desk, air: str):
    """A model that is installed does the work, and is named."""
    done = desk.run(remove_background, inputImage=desk.keep(ball()), model=air)
    assert done.item["model"] == air
    assert (done.pixels[120, 160, 3], done.pixels[10, 10, 3]) == (255, 0)


@pytest.mark.parametrize("model", ["runware:109@1", 109, "nobody:knows@1"])
def test_models_that_are_not_installed(desk: Desk, model: object):
    """A model whose weights are not installed is stood in for by the built-in engine, which is named."""
    done = desk.run(remove_background, inputImage=desk.keep(ball()), model=model)
    assert done.item["model"] == "taskarray:backdrop@1"


def test_a_model_of_another_kind(desk: Desk):
    """A model that does something else is refused."""
    failure = desk.run(remove_background, inputImage=desk.keep(ball()), model="test:3@1").failure
    assert failure["parameter"] == "model"


def test_a_broken_model(desk: Desk):
    """A model whose file is none ends its task with an error that names the file."""
    (desk.folder / "models" / "red.onnx").write_bytes(b"nothing")
    failure = desk.run(remove_background, inputImage=desk.keep(ball()), model="test:1@1").failure
    assert "red.onnx" in failure["message"]


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (700, 2)])
def test_slivers(desk: Desk, size: tuple[int, int]):
    """Pictures of a pixel or a line come back whole, also with every setting on."""
    asked = {"inputImage": data_uri(Image.new("RGB", size, "teal")), "postProcessMask": True, "alphaMatting": True}
    assert desk.run(remove_background, **asked).pixels.shape[1::-1] == size
