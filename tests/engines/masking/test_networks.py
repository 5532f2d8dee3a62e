"""Faces, hands and persons by networks of the operator: YuNet and YOLO."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest

from server.engines.masking import yolo, yunet
from server.engines.masking.detection import inscribed, rectangle
from server.engines.masking.mask import paint
from server.errors import ProcessingFailed
from tests.engines.maps.networks import constant
from tests.engines.masking import faces

CELLS = (64, 128), (160, 32)
"""Upper left corners (row, column) of two red cells."""


def _people(size: tuple[int, int] = (240, 320)) -> numpy.ndarray:
    picture = numpy.full((*size, 3), 40, numpy.uint8)
    for row, column in CELLS:
        picture[row : row + 32, column : column + 32] = (255, 0, 0)
    return picture


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return faces.yunet(tmp_path_factory.mktemp("yunet") / "yunet.onnx")


def test_yunet_finds_faces(network: Path):
    """The faces that YuNet gives come as boxes in the picture with its confidence."""
    found = sorted(yunet.faces(_people(), network, {}, 0.5), key=lambda face: face.box[1])
    assert [face.box for face in found] == [
        pytest.approx((column - 8, row - 8, column + 40, row + 40), abs=0.1) for row, column in CELLS
    ]
    assert all(face.confidence > 0.99 for face in found)
    assert yunet.faces(numpy.zeros((100, 100, 3), numpy.uint8), network, {}, 0.5) == []


def test_large_pictures_are_reduced_for_yunet(network: Path):
    """In a picture larger than the option `size` faces lie where they are in the picture."""
    large = numpy.kron(_people(), numpy.ones((4, 4, 1), numpy.uint8))
    found = sorted(yunet.faces(large, network, {"size": 320}, 0.5), key=lambda face: face.box[1])
    assert [face.box for face in found] == [
        pytest.approx(tuple(4 * side for side in (column - 8, row - 8, column + 40, row + 40)), abs=1)
        for row, column in CELLS
    ]


@pytest.mark.parametrize("names", [("eyes",), ("nose",), ("lips",), ("eyes", "lips")])
def test_yunet_shows_parts_of_faces(network: Path, names: tuple[str, ...]):
    """The parts that are asked for lie around their points, those of a face together; the others stay black."""
    found = yunet.parts(_people(), network, {}, 0.5, names)
    assert len(found) == 2
    mask = paint(found, _people(), 0, 0)
    places = {"eyes": faces.EYES, "nose": (faces.NOSE,), "lips": (((0.5), (0.8)),)}
    for row, column in CELLS:
        for part, points in places.items():
            for x, y in points:
                assert (mask[round(row + 32 * y), round(column + 32 * x)] > 0) == (part in names)


def test_what_is_no_yunet_is_refused(tmp_path: Path):
    """A file that OpenCV cannot run as YuNet is refused by its name."""
    garbage = tmp_path / "garbage.onnx"
    garbage.write_bytes(b"no network")
    other = constant(tmp_path / "other.onnx", depth=numpy.zeros((1, 1, 8, 8)))
    for path in (garbage, other, tmp_path / "gone.onnx"):
        with pytest.raises(ProcessingFailed, match=path.name):
            yunet.faces(_people(), path, {}, 0.5)


def _yolo(path: Path, *rows: list[float], **outputs: numpy.ndarray) -> Path:
    """A YOLO network for inputs of 64 × 64 with these candidates: middle, size, scores of classes, and more."""
    return constant(path, found=numpy.array(rows, float).T[None], **outputs)


WIDE = numpy.zeros((200, 400, 3), numpy.uint8)
"""In an input of 64 × 64 it lies at 0.16, from 16 below the upper edge."""


def test_yolo_finds_boxes(tmp_path: Path):
    """Boxes of YOLO come in pixels of the picture; what overlaps or is unsure is left out."""
    path = _yolo(
        tmp_path / "yolo.onnx",
        [32, 32, 16, 8, 0.9], [33, 32, 16, 8, 0.8], [8, 24, 8, 8, 0.6], [50, 40, 8, 8, 0.2],
    )  # fmt: skip
    found = yolo.detections(WIDE, path, {}, 0.25, rectangle)
    assert [detection.box for detection in found] == [
        pytest.approx((150, 75, 250, 125), abs=0.01),
        pytest.approx((25, 25, 75, 75), abs=0.01),
    ]
    assert [detection.confidence for detection in found] == pytest.approx([0.9, 0.6])
    assert len(yolo.detections(WIDE, path, {}, 0.1, rectangle)) == 3


def test_the_outline_is_as_asked_for(tmp_path: Path):
    """What YOLO finds is outlined in its box as its kind is: faces by an ellipse, hands by a rectangle."""
    path = _yolo(tmp_path / "yolo.onnx", [32, 32, 16, 8, 0.9])
    for outline, filled in ((inscribed, numpy.pi / 4), (rectangle, 1)):
        mask = paint(yolo.detections(WIDE, path, {}, 0.25, outline), WIDE, 0, 0)
        assert (mask > 0).sum() / (100 * 50) == pytest.approx(filled, abs=0.04)


def test_one_class_of_many(tmp_path: Path):
    """With the option `class`, only what is of that class is found."""
    path = _yolo(tmp_path / "yolo.onnx", [32, 32, 16, 8, 0.9, 0.1], [8, 24, 8, 8, 0.1, 0.8])
    assert len(yolo.detections(WIDE, path, {}, 0.25, rectangle)) == 2
    (found,) = yolo.detections(WIDE, path, {"class": 1}, 0.25, rectangle)
    assert found.confidence == pytest.approx(0.8)


def test_yolo_gives_shapes(tmp_path: Path):
    """Where YOLO gives masks, what it finds is shown in its shape, within its box."""
    planes = numpy.full((1, 2, 64, 64), -1.0)
    planes[0, 0, :, :32] = 1
    planes[0, 1, 20:44] = 1
    path = _yolo(tmp_path / "seg.onnx", [32, 32, 40, 20, 0.9, 1, 0], [32, 32, 60, 30, 0.7, 0, 1], planes=planes)
    left, across = yolo.detections(WIDE, path, {}, 0.25, rectangle)
    mask = paint([left], WIDE, 0, 0)
    assert (mask[50:150, 85:195] == 255).all()
    assert not mask[:, 206:].any()
    assert not mask[:, :70].any()
    assert (paint([across], WIDE, 0, 0)[40:160, 25:370] == 255).all()


def test_what_is_no_yolo_is_refused(tmp_path: Path):
    """A network whose output is not that of YOLO is refused by its name."""
    path = constant(tmp_path / "other.onnx", depth=numpy.zeros((1, 1, 8, 8)))
    with pytest.raises(ProcessingFailed, match=r"other\.onnx"):
        yolo.detections(WIDE, path, {}, 0.25, rectangle)
    path = _yolo(tmp_path / "flat.onnx", [32, 32, 16, 8, 0.9], more=numpy.zeros(4))
    with pytest.raises(ProcessingFailed, match="masks as its second output"):
        yolo.detections(WIDE, path, {}, 0.25, rectangle)


def test_a_class_that_is_none(tmp_path: Path):
    """An option `class` beyond the network's classes is told, with how many there are."""
    path = _yolo(tmp_path / "yolo.onnx", [32, 32, 16, 8, 0.9, 0.1])
    with pytest.raises(ProcessingFailed, match="has 2 classes, and its option `class` names 2"):
        yolo.detections(WIDE, path, {"class": 2}, 0.25, rectangle)


def test_tiny_pictures(network: Path, tmp_path: Path):
    """A picture of one pixel, or of a line, goes through every network."""
    path = _yolo(tmp_path / "yolo.onnx", [32, 32, 64, 64, 0.9])
    for size in ((1, 1), (1, 500), (500, 1)):
        picture = numpy.zeros((*size, 3), numpy.uint8)
        assert yunet.faces(picture, network, {}, 0.5) == []
        assert len(yolo.detections(picture, path, {}, 0.25, rectangle)) == 1
