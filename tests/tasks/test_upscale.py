"""upscale."""

from __future__ import annotations

from pathlib import Path

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from skimage import data

from server.engines.upscaling import CLEAN, ROBUST
from tasks.upscale import Upscale, upscale
from tests.tasks.desk import Desk, data_uri

_TABLE = """
[[model]]
air = "test:4@1"
name = "Four times"
kind = "upscaler"
engine = "onnx"
file = "four.onnx"
options = { scale = 4, tile = 64 }
"""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, table=_TABLE)


def _cat() -> numpy.ndarray:
    return data.chelsea()[60:160, 90:240]


def _four(path: Path) -> None:
    """A model that repeats every pixel four times each way."""
    weights = numpy_helper.from_array(numpy.array([1, 1, 4, 4], numpy.float32), "scales")
    graph = helper.make_graph(
        [helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="nearest")],
        "four",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, "H", "W"])],
        [weights],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


@pytest.mark.parametrize("factor", [None, 2, 3, 4, 2.0])
def test_factors(desk: Desk, factor: float | None):
    """An image is made 2, 3 or 4 times larger, twice if nothing is said, and the answer names its input."""
    uuid = desk.keep(_cat())
    done = desk.run(upscale, inputImage=uuid, **({"upscaleFactor": factor} if factor else {}))
    times = int(factor or 2)
    assert done.pixels.shape == (100 * times, 150 * times, 3)
    assert done.images[0]["format"] == "JPG"
    assert done.item["inputImageUUID"] == uuid
    assert done.item["model"] == CLEAN
    assert done.said


@pytest.mark.parametrize("factor", [1, 1.5, 5, 0, -2, "2", True])
def test_other_factors_are_refused(desk: Desk, factor: object):
    """Another factor is refused, and the refusal names those that there are."""
    failure = desk.run(upscale, inputImage=desk.keep(_cat()), upscaleFactor=factor).failure
    assert failure["code"] == "invalidUpscaleFactor"
    assert all(each in failure["message"] for each in "234")


@pytest.mark.parametrize(("megapixels", "factor"), [(1, 2), (2, 3), (4, 4), (20, 4)])
def test_target_megapixels(megapixels: int, factor: int):
    """With a target, the factor is the least that reaches it, and at most 4; it stands before the factor told."""
    params = Upscale(input_image="x", target_megapixels=megapixels, upscale_factor=2)
    assert params.factor(600, 450) == factor


def test_a_target_is_worked_to(desk: Desk):
    """An image is made as large as the target says."""
    done = desk.run(upscale, inputImage=desk.keep(Image.new("RGB", (200, 120), (9, 80, 200))), targetMegapixels=1)
    assert done.pixels.shape == (480, 800, 3)


@pytest.mark.parametrize(
    ("size", "factor", "expected"),
    [((2100, 70), 2, (4096, 136)), ((30, 1500), 3, (81, 4095)), ((4096, 1), 4, (4096, 4)), ((1024, 8), 4, (4096, 32))],
)
def test_at_most_4096(desk: Desk, size: tuple[int, int], factor: int, expected: tuple[int, int]):
    """An image that would pass 4096 pixels a side is reduced first."""
    done = desk.run(upscale, inputImage=desk.keep(Image.new("RGB", size, (5, 90, 170))), upscaleFactor=factor)
    assert done.pixels.shape[1::-1] == expected


@pytest.mark.parametrize(
    ("form", "options", "model"),
    [("JPEG", {}, ROBUST), ("WEBP", {}, ROBUST), ("WEBP", {"lossless": True}, CLEAN), ("PNG", {}, CLEAN)],
)
def test_the_network_fits_the_file(desk: Desk, form: str, options: dict, model: str):
    """A JPEG or lossy WebP is enlarged by the network for damaged images, whatever else by the other."""
    assert desk.run(upscale, inputImage=desk.keep(_cat(), format=form, **options)).item["model"] == model
    assert desk.run(upscale, inputImage=data_uri(_cat(), format=form, **options)).item["model"] == model


def test_a_jpeg_reduced_first_counts_as_clean(desk: Desk):
    """A JPEG that is halved before it is enlarged has lost the marks of its compression."""
    large = desk.keep(Image.new("RGB", (4096, 16), (5, 90, 170)), format="JPEG")
    assert desk.run(upscale, inputImage=large, upscaleFactor=4).item["model"] == CLEAN


def test_transparency_is_kept(desk: Desk):
    """A transparent image comes out transparent, where the format can show it."""
    picture = numpy.dstack([_cat(), numpy.tile(numpy.arange(150, dtype=numpy.uint8), (100, 1))])
    done = desk.run(upscale, inputImage=desk.keep(picture), outputFormat="PNG")
    assert done.pixels.shape[2] == 4
    assert abs(done.pixels[100, ::2, 3].astype(int) - numpy.arange(150)).max() <= 1


def test_grey_and_palette(desk: Desk):
    """Grey images and such with a palette are enlarged too."""
    for picture in (Image.fromarray(_cat()).convert("L"), Image.fromarray(_cat()).quantize(16)):
        assert desk.run(upscale, inputImage=desk.keep(picture), outputFormat="PNG").pixels.shape == (200, 300, 3)


def test_a_supplied_model(desk: Desk):
    """A model that is installed does the work, and is named."""
    _four(desk.folder / "models" / "four.onnx")
    done = desk.run(upscale, inputImage=desk.keep(_cat()), upscaleFactor=4, model="test:4@1", outputFormat="PNG")
    assert done.item["model"] == "test:4@1"
    assert (done.pixels == _cat().repeat(4, 0).repeat(4, 1)).all()


def test_a_supplied_model_that_is_broken(desk: Desk):
    """A model whose file is none is refused by its name, as modelNotFound."""
    (desk.folder / "models" / "four.onnx").write_bytes(b"nothing")
    failure = desk.run(upscale, inputImage=desk.keep(_cat()), model="test:4@1").failure
    assert (failure["code"], failure["parameter"]) == ("modelNotFound", "model")
    assert "four.onnx" in failure["message"]


def test_settings_of_other_servers_are_ignored(desk: Desk):
    """What generative upscalers are told besides changes nothing."""
    more = {"positivePrompt": "a cat", "steps": 20, "CFGScale": 7.5, "strength": 0.3, "seed": 1}
    assert desk.run(upscale, inputImage=desk.keep(_cat()), **more).pixels.shape == (200, 300, 3)
