"""Pictures as tasks get them: any kind of file as 8-bit upright sRGB."""

from __future__ import annotations

import io
from pathlib import Path

import numpy
import pytest
from PIL import Image, ImageCms

from server.errors import ApiError
from server.pictures import opened
from server.task import Limits
from tests.misbehaving.paints import paints
from tests.tasks.desk import Desk, encoded


def stored(folder: Path, picture: Image.Image, format: str = "PNG", **options: object) -> Path:
    path = folder / "picture"
    path.write_bytes(encoded(picture, format=format, **options))
    return path


RAMP = numpy.tile(numpy.arange(256, dtype=numpy.uint8), (8, 1))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "LA", "RGBA"])
def test_modes(tmp_path: Path, mode: str):
    """Whatever the file's mode, what is opaque comes as RGB with the same colours."""
    grey = Image.fromarray(RAMP).convert("RGB")
    picture = opened(stored(tmp_path, grey.convert(mode)), "inputImage")
    assert picture.mode == "RGB"
    assert numpy.abs(numpy.asarray(picture)[:, ::255].astype(int) - [[[0] * 3, [255] * 3]]).max() == 0


def test_sixteen_bit(tmp_path: Path):
    """16-bit grey keeps its whole range."""
    picture = opened(stored(tmp_path, Image.fromarray(RAMP.astype(numpy.uint16) * 257)), "inputImage")
    assert numpy.array_equal(numpy.asarray(picture)[..., 0], RAMP)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency(tmp_path: Path, mode: str):
    """What is transparent somewhere comes as RGBA."""
    picture = Image.new("RGBA", (4, 4), (200, 10, 10, 255))
    picture.putpixel((1, 1), (0, 0, 0, 0))
    found = opened(stored(tmp_path, picture.convert(mode)), "inputImage")
    assert (found.mode, found.getpixel((1, 1))[3], found.getpixel((0, 0))[3]) == ("RGBA", 0, 255)


def test_orientation(tmp_path: Path):
    """A picture that says how it was held comes upright."""
    exif = Image.Exif()
    exif[0x112] = 6
    assert opened(stored(tmp_path, Image.new("RGB", (20, 10)), "JPEG", exif=exif), "inputImage").size == (10, 20)


def test_profiles(tmp_path: Path):
    """A colour profile is applied; one that cannot be read is passed over."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    red = Image.new("RGB", (4, 4), (250, 20, 20))
    for profile in (srgb, b"no profile at all"):
        assert opened(stored(tmp_path, red, icc_profile=profile), "inputImage").getpixel((0, 0)) == (250, 20, 20)
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert opened(stored(tmp_path, red, icc_profile=lab), "inputImage").mode == "RGB"


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupportedImageFormat"), (b"", "unsupportedImageFormat")],
)
def test_no_pixels(tmp_path: Path, data: bytes, code: str):
    """A stored file that has no pixels is refused by its kind."""
    (tmp_path / "picture").write_bytes(data)
    with pytest.raises(ApiError) as refused:
        opened(tmp_path / "picture", "inputImage")
    assert (refused.value.code, refused.value.parameter) == (code, "inputImage")


def test_damaged(tmp_path: Path):
    """A stored file that breaks off is refused, not guessed at."""
    path = tmp_path / "picture"
    path.write_bytes(encoded(Image.effect_noise((200, 200), 90))[:5000])
    with pytest.raises(ApiError) as refused:
        opened(path, "inputImage")
    assert refused.value.code == "invalidInputImage"


def test_working_side(tmp_path: Path):
    """A task works on at most the pixels a side that the settings give it."""
    from server.models import Models
    from server.run import Run

    for uuid in ("known", None):
        path = stored(tmp_path, Image.new("RGB", (300, 100)))
        order = {
            "uuids": [],
            "scratch": str(tmp_path),
            "inputs": {"x": {"path": str(path), "parameter": "x", "uuid": uuid}},
        }
        run = Run(order, Limits(max_working_side=150), Models(None, tmp_path, "error"), print)
        assert run.open("x").size == (150, 50)


def test_no_metadata_goes_out(tmp_path: Path):
    """A result carries pixels and nothing else."""
    done = Desk(tmp_path).run(paints, outputFormat="PNG")
    assert Image.open(io.BytesIO(done.path.read_bytes())).info == {}
