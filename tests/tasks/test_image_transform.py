"""imageTransform."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy
import pytest
from PIL import Image
from skimage import data

from server.engines.transforms import OPERATIONS
from server.task import Limits
from tasks.image_transform import AnyOperation, image_transform
from tests.tasks.desk import Desk, data_uri

CAT = data.chelsea()[60:160, 90:240]
PNG = {"outputFormat": "PNG"}
RED = [255, 0, 0]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def changed(desk: Desk, *operations: dict[str, Any], picture: Any = CAT) -> numpy.ndarray:
    """The pixels that operations make of a picture."""
    return desk.run(image_transform, inputImage=desk.keep(picture), operations=list(operations), **PNG).pixels


def refusals(desk: Desk, *operations: Any) -> tuple[str, str]:
    """Code and parameter of the first refusal."""
    failure = desk.run(image_transform, inputImage=desk.keep(CAT), operations=list(operations)).failure
    assert failure["message"].endswith(".")
    return failure["code"], failure["parameter"]


def test_every_operation_is_there():
    """Whatever a request may ask for, the engine has, and nothing more."""
    union, _ = get_args(AnyOperation)
    named = {get_args(kind.model_fields["operation"].annotation)[0]: kind for kind in get_args(union)}
    assert named.keys() == OPERATIONS.keys()


def test_answer(desk: Desk):
    """The answer names the input and says how large the image has become."""
    uuid = desk.keep(CAT)
    operations = [{"operation": "resize", "width": 60, "height": 60}, {"operation": "pad", "left": 5, "right": 5}]
    done = desk.run(image_transform, inputImage=uuid, operations=operations, outputFormat="webp")
    assert done.item["inputImageUUID"] == uuid
    with done.picture as picture:
        assert (done.item["width"], done.item["height"]) == picture.size == (70, 60)
        assert (picture.format, picture.mode) == ("WEBP", "RGBA")
        assert not picture.getexif()


def test_order(desk: Desk):
    """Operations are done in their order."""
    crop = {"operation": "crop", "x": 0, "y": 0, "width": 50, "height": 50}
    resize = {"operation": "resize", "width": 50, "height": 50, "fit": "fill"}
    assert (changed(desk, crop, resize) == CAT[:50, :50]).all()
    small = Image.fromarray(CAT).resize((50, 50), Image.Resampling.LANCZOS)
    assert (changed(desk, resize, crop) == numpy.asarray(small)).all()


def test_progress(desk: Desk):
    """The client is told which operation is being done."""
    done = desk.run(image_transform, inputImage=desk.keep(CAT), operations=[{"operation": "flip"}])
    assert done.said[0]["stage"] == "flip"


@pytest.mark.parametrize(
    ("written", "colour"),
    [
        ("#f80", [255, 136, 0, 255]),
        ("#f808", [255, 136, 0, 136]),
        ("#Ff8000", [255, 128, 0, 255]),
        ("#ff800040", [255, 128, 0, 64]),
        ("RebeccaPurple", [102, 51, 153, 255]),
        ([1, 2, 3], [1, 2, 3, 255]),
        ([1, 2, 3, 4], [1, 2, 3, 4]),
        ("transparent", [0, 0, 0, 0]),
    ],
)
def test_colours(desk: Desk, written: Any, colour: list[int]):
    """A colour may be written as CSS does, or as a list of its channels."""
    found = changed(desk, {"operation": "pad", "amount": 1, "background": written})
    assert numpy.asarray(Image.fromarray(found).convert("RGBA"))[0, 0].tolist() == colour


@pytest.mark.parametrize("kind", ["composite", "watermark"])
def test_images_within_operations(desk: Desk, kind: str):
    """An operation takes further images by every kind of reference."""
    mark = Image.new("RGB", (10, 10), "red")
    for reference in (desk.keep(mark), data_uri(mark)):
        found = changed(desk, {"operation": kind, "image": reference, "opacity": 1.0})
        assert (found == RED).all(axis=2).any()


def test_a_mask_of_alpha_is_kept(desk: Desk):
    """What is transparent stays so through operations, and is white in a JPG."""
    picture = numpy.dstack([CAT, numpy.full(CAT.shape[:2], 255, numpy.uint8)])
    picture[:, :75] = 0
    operations = [{"operation": "resize", "width": 75}, {"operation": "grayscale"}, {"operation": "flip"}]
    assert (changed(desk, *operations, picture=picture)[:, -30:, 3] == 0).all()
    done = desk.run(image_transform, inputImage=desk.keep(picture), operations=operations)
    assert (done.pixels[:, -30:] > 250).all()


@pytest.mark.parametrize(
    ("operation", "code", "parameter"),
    [
        ({"operation": "resize"}, "invalidHeight", "height"),
        ({"operation": "resize", "width": 0}, "invalidWidth", "width"),
        ({"operation": "resize", "width": 8193}, "invalidWidth", "width"),
        ({"operation": "resize", "width": "80"}, "invalidWidth", "width"),
        ({"operation": "resize", "width": 80, "fit": "squeeze"}, "invalidFit", "fit"),
        ({"operation": "resize", "width": 80, "widht": 80}, "unknownParameter", "widht"),
        ({"operation": "resize", "width": 8192, "height": 8192}, "valueTooLarge", "width"),
        ({"operation": "crop", "width": 10}, "missingHeight", "height"),
        ({"operation": "crop", "width": 10, "height": 101}, "invalidHeight", "height"),
        ({"operation": "pad", "background": "mauvish"}, "invalidBackground", "background"),
        ({"operation": "pad", "background": "#12345"}, "invalidBackground", "background"),
        ({"operation": "pad", "background": [1, 2, 300]}, "invalidBackground", "background"),
        ({"operation": "pad", "background": 7}, "invalidBackground", "background"),
        ({"operation": "rotate"}, "missingAngle", "angle"),
        ({"operation": "rotate", "angle": 361}, "invalidAngle", "angle"),
        ({"operation": "blur", "sigma": 0}, "invalidSigma", "sigma"),
        ({"operation": "composite"}, "invalidColor", "color"),
        ({"operation": "composite", "image": "x", "color": "red"}, "invalidColor", "color"),
        ({"operation": "watermark"}, "missingImage", "image"),
        ({"operation": "watermark", "image": data_uri(b"nothing")}, "invalidImage", "image"),
    ],
)
def test_refusals(desk: Desk, operation: dict[str, Any], code: str, parameter: str):
    """What is wrong with an operation is told by its place in the list and the member's name."""
    fine = {"operation": "flip"}
    assert refusals(desk, fine, operation) == (code, f"operations[1].{parameter}")


def test_refused_lists(desk: Desk):
    """There are 1 to 32 operations, each of a known name."""
    assert refusals(desk) == ("invalidOperations", "operations")
    assert refusals(desk, *[{"operation": "flip"}] * 33) == ("invalidOperations", "operations")
    assert refusals(desk, {"operation": "flip"}, {"operation": "melt"}) == ("invalidOperations", "operations[1]")
    assert refusals(desk, {"width": 3}) == ("invalidOperations", "operations[0]")
    assert refusals(desk, "flip") == ("invalidOperations", "operations[0]")


@pytest.mark.parametrize("size", [(1, 1), (1, 8192)])
def test_thin_pictures(tmp_path: Path, size: tuple[int, int]):
    """The thinnest picture goes through every operation."""
    desk = Desk(tmp_path, limits=Limits(max_working_side=8192))
    picture, mark = Image.new("RGB", size, "red"), desk.keep(CAT)
    operations = [
        {"operation": "crop", "width": 1, "height": 1},
        {"operation": "rotate", "angle": 33, "background": "teal"},
        {"operation": "flip", "direction": "vertical"},
        {"operation": "blur", "sigma": 3},
        {"operation": "sharpen"},
        {"operation": "grayscale"},
        {"operation": "adjust", "contrast": 2},
        {"operation": "watermark", "image": mark, "tile": True},
        {"operation": "composite", "image": mark, "opacity": 0.5},
        {"operation": "flatten"},
        {"operation": "pad", "left": 2},
        {"operation": "resize", "width": 10},
    ]
    assert {operation["operation"] for operation in operations} == OPERATIONS.keys()
    last = {"operation": "resize", "width": 30, "height": 20}
    for operation in operations[:-1]:
        assert changed(desk, operation, last, picture=picture).shape[:2] == (20, 30)
    if size == (1, 1):
        assert changed(desk, *operations, picture=picture).shape[1] == 10


def test_a_long_chain_is_refused_where_it_grows_too_large(desk: Desk):
    """A picture that grows step by step is refused at the step that would make it too large."""
    wider = {"operation": "pad", "left": 3500}
    assert refusals(desk, wider, wider, wider) == ("valueTooLarge", "operations[2].amount")
