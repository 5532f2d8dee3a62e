"""imageMasking."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
from skimage import data

from tasks.image_masking import image_masking
from tests.engines.maps.networks import constant
from tests.engines.masking.faces import yunet
from tests.tasks.desk import Desk

PORTRAIT = data.astronaut()[:240, 100:340]
TABLE = """
[[model]]
air = "runware:35@7"
aliases = ["runware:35@8", "runware:35@9", "runware:35@10", "runware:35@14"]
name = "YuNet"
kind = "detector"
file = "yunet.onnx"
engine = "yunet"

[[model]]
air = "runware:35@3"
aliases = ["test:yolo@1", "runware:35@5"]
name = "Hands"
kind = "detector"
file = "hands.onnx"
engine = "yolo"
"""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def equipped(tmp_path: Path) -> Desk:
    """A server with tiny networks: red cells are faces, and there are always two hands."""
    desk = Desk(tmp_path, table=TABLE)
    yunet(tmp_path / "models" / "yunet.onnx")
    hands = numpy.array([[16, 32, 8, 8, 0.9], [48, 32, 8, 8, 0.5]])
    constant(tmp_path / "models" / "hands.onnx", found=hands.T[None])
    return desk


def _run(desk: Desk, picture: numpy.ndarray = PORTRAIT, **fields):
    return desk.run(image_masking, inputImage=desk.keep(picture), **{"outputFormat": "PNG", **fields})


def _red_cell() -> numpy.ndarray:
    picture = numpy.zeros((160, 160, 3), numpy.uint8)
    picture[64:96, 64:96] = (255, 0, 0)
    return picture


@pytest.mark.parametrize("model", ["runware:35@1", "runware:35@2", "runware:35@6", "runware:35@7"])
def test_a_face_is_masked(desk: Desk, model: str):
    """A face is white on black, and its box is told in whole pixels in names of their own spelling."""
    done = _run(desk, model=model)
    (box,) = done.item["detections"]
    assert set(box) == {"x_min", "y_min", "x_max", "y_max"}
    assert [*box.values()] == pytest.approx([77, 67, 170, 160], abs=6)
    assert all(type(side) is int for side in box.values())
    mask = done.pixels
    assert mask.shape == PORTRAIT.shape[:2]
    assert mask[115, 123] == 255
    assert mask[220:].max() == 0
    assert done.item["model"] == "taskarray:faces@1"


def test_the_answer(desk: Desk):
    """The answer names the mask and the input, and no image beside them; a mask is a JPG unless asked otherwise."""
    image = desk.keep(PORTRAIT)
    done = desk.run(image_masking, inputImage=image, model="runware:35@1")
    assert set(done.item) == {"maskImageUUID", "maskImageURL", "inputImageUUID", "detections", "model"}
    assert done.item["inputImageUUID"] == image
    assert done.images[0]["format"] == "JPG"
    assert image_masking.uuid_member == "maskImageUUID"


def test_nothing_found(desk: Desk):
    """Where nothing is found the mask is black and the detections are an empty list."""
    done = _run(desk, data.coffee()[:200, :300], model="runware:35@1")
    assert done.item["detections"] == []
    assert not done.pixels.any()


def test_eyes_are_masked(desk: Desk):
    """Eyes are masked and nothing else of the face."""
    for model in ("runware:35@9", "runware:35@15"):
        done = _run(desk, model=model, maskPadding=0, maskBlur=0)
        assert done.item["model"] == "taskarray:eyes@1"
        assert len(done.item["detections"]) == 1
        assert done.pixels[101, 103] == 255
        assert done.pixels[103, 148] == 255
        assert not done.pixels[125:].any()


def test_padding_and_blur(desk: Desk):
    """Padding makes the mask larger, negative padding smaller; blur makes its border soft."""
    areas = [(_run(desk, model="runware:35@1", maskPadding=p, maskBlur=0).pixels > 0).sum() for p in (-8, 0, 4, 20)]
    assert areas == sorted(set(areas))
    sharp, soft = (_run(desk, model="runware:35@1", maskBlur=blur).pixels for blur in (0, 10))
    assert set(numpy.unique(sharp)) == {0, 255}
    assert len(numpy.unique(soft)) > 100
    defaults = _run(desk, model="runware:35@1").pixels
    assert (defaults == _run(desk, model="runware:35@1", maskPadding=4, maskBlur=4).pixels).all()


def test_the_number_of_detections(desk: Desk):
    """No more are masked than maxDetections; what is less sure than confidence is left out."""
    three = numpy.hstack([PORTRAIT] * 3)
    assert len(_run(desk, three, model="runware:35@1").item["detections"]) == 3
    done = _run(desk, three, model="runware:35@1", maxDetections=2)
    assert len(done.item["detections"]) == 2
    assert sum(done.pixels[115, 123 + 240 * index] > 0 for index in range(3)) == 2
    assert _run(desk, three, model="runware:35@1", confidence=1).item["detections"] == []


@pytest.mark.parametrize("version", [3, 4, 5, 8, 10, 11, 12, 13, 14])
def test_what_needs_weights(desk: Desk, version: int):
    """Hands, persons, meshes, noses and lips are refused as a model that is not installed."""
    assert _run(desk, model=f"runware:35@{version}").failure["code"] == "modelNotFound"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "missingModel"),
        ({"model": "runware:35@99"}, "modelNotFound"),
        ({"model": "taskarray:noses@1"}, "modelNotFound"),
        ({"model": "runware:109@1"}, "invalidModel"),
        ({"model": "runware:35@1", "confidence": 1.5}, "invalidConfidence"),
        ({"model": "runware:35@1", "maxDetections": 0}, "invalidMaxDetections"),
        ({"model": "runware:35@1", "maxDetections": 21}, "invalidMaxDetections"),
        ({"model": "runware:35@1", "maskBlur": -1}, "invalidMaskBlur"),
    ],
)
def test_refusals(desk: Desk, fields: dict, code: str):
    """A missing or unknown model, or a number out of its range, is refused."""
    assert _run(desk, **fields).failure["code"] == code


def test_the_name_of_the_built_in_detector(desk: Desk):
    """The name that answers tell may be asked for."""
    assert len(_run(desk, model="taskarray:faces@1").item["detections"]) == 1


def test_parts_of_faces_with_weights(equipped: Desk):
    """With YuNet installed, its faces and the parts that the model's name stands for are masked."""
    face, eyes, both, lips = (
        _run(equipped, _red_cell(), model=f"runware:35@{version}", maskPadding=0, maskBlur=0)
        for version in (8, 9, 10, 14)
    )
    assert face.item["detections"] == [{"x_min": 56, "y_min": 56, "x_max": 104, "y_max": 104}]
    assert face.item["model"] == "runware:35@7"
    assert (eyes.pixels | lips.pixels == both.pixels).all()
    assert eyes.pixels.any()
    assert lips.pixels.any()
    assert not (eyes.pixels & lips.pixels).any()


def test_hands_with_weights(equipped: Desk):
    """With a network for hands installed, hands are masked as rectangles, the surest first."""
    done = _run(equipped, numpy.zeros((128, 128, 3), numpy.uint8), model="runware:35@3", maskPadding=0, maskBlur=0)
    assert done.item["detections"] == [
        {"x_min": 24, "y_min": 56, "x_max": 40, "y_max": 72},
        {"x_min": 88, "y_min": 56, "x_max": 104, "y_max": 72},
    ]
    assert (done.pixels[57:72, 25:40] == 255).all()


def test_weights_for_something_else(tmp_path: Path):
    """A network of faces does not look for persons."""
    desk = Desk(tmp_path, table=TABLE.replace('"runware:35@8"', '"runware:35@4"'))
    yunet(tmp_path / "models" / "yunet.onnx")
    failure = _run(desk, model="runware:35@4").failure
    assert failure["code"] == "invalidModel"
    assert "persons" in failure["message"]


def test_images_of_every_kind(desk: Desk):
    """A grey, a tiny and a transparent image have masks of their size."""
    for picture in (PORTRAIT[..., 0], PORTRAIT[:1, :1], PORTRAIT[:1], numpy.zeros((60, 80, 4), numpy.uint8)):
        assert _run(desk, picture, model="runware:35@1").pixels.shape == picture.shape[:2]
