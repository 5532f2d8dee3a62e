"""Poses: the points that networks give, and the skeletons that are drawn of them."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest

from server.engines.maps.pose import people, person
from server.engines.maps.skeleton import openpose, skeletons
from server.errors import ProcessingFailed
from tests.engines.maps.networks import constant

WIDE = numpy.zeros((200, 400, 3), numpy.uint8)
"""In an input of 64 × 64 it lies at 0.16, from 16 below the upper edge."""
STANDING = numpy.array(
    [(32, 20), (33, 19), (31, 19), (34, 20), (30, 20), (36, 25), (28, 25), (38, 31), (26, 31), (39, 37), (25, 37),
     (34, 36), (30, 36), (34, 41), (30, 41), (34, 46), (30, 46)], float)  # fmt: skip
"""Points of COCO of somebody in such an input."""


def _in_picture(points: numpy.ndarray) -> numpy.ndarray:
    return (points - (0, 16)) / 0.16


def _heat(points: numpy.ndarray, level: float = 1) -> numpy.ndarray:
    """Heat maps of 64 × 64 with one warm cell each."""
    heat = numpy.zeros((1, len(points), 64, 64))
    for plane, (x, y) in zip(heat[0], points.astype(int), strict=True):
        plane[y, x] = level
    return heat


def test_heat_maps_give_points(tmp_path: Path):
    """A point is where its heat map is warmest, in the pixels of the picture, as sure as that is warm."""
    network = constant(tmp_path / "heat.onnx", heat=_heat(STANDING, 0.7))
    (found,) = person(WIDE, network, {})
    assert found[:, :2] == pytest.approx(_in_picture(STANDING + 0.5), abs=0.1)
    assert found[:, 2] == pytest.approx(0.7)


def test_a_warm_neighbour_pulls(tmp_path: Path):
    """A point lies a quarter of a cell towards its warmer neighbour."""
    heat = _heat(STANDING)
    heat[0, 0, 20, 33] = 0.5
    (found,) = person(WIDE, constant(tmp_path / "heat.onnx", heat=heat), {})
    assert found[0, :2] == pytest.approx(_in_picture(numpy.array([32.75, 20.5])), abs=0.1)


def test_the_background_of_openpose_is_no_point(tmp_path: Path):
    """Of the nineteen heat maps of OpenPose the last one, the background, is left out."""
    points = numpy.concatenate([STANDING, [(5, 20), (60, 40)]])
    (found,) = person(WIDE, constant(tmp_path / "heat.onnx", heat=_heat(points)), {})
    assert len(found) == 18
    assert found[-1, :2] == pytest.approx(_in_picture(numpy.array([5.5, 20.5])), abs=0.1)


def test_simcc_gives_points(tmp_path: Path):
    """A point of SimCC is at its most likely column and row, twice as fine as the input."""
    across, down = numpy.zeros((1, 17, 128)), numpy.zeros((1, 17, 128))
    for index, (x, y) in enumerate((STANDING * 2).astype(int)):
        across[0, index, x], down[0, index, y] = 0.9, 0.6
    (found,) = person(WIDE, constant(tmp_path / "simcc.onnx", across=across, down=down), {})
    assert found[:, :2] == pytest.approx(_in_picture(STANDING + 0.25), abs=0.1)
    assert found[:, 2] == pytest.approx(0.6)


def _candidate(points: numpy.ndarray, score: float) -> list[float]:
    """One candidate of YOLO around points."""
    low, high = points.min(axis=0), points.max(axis=0)
    box = [*((low + high) / 2), *(high - low)]
    return [*box, score, *numpy.column_stack([points, numpy.full(len(points), 0.8)]).ravel()]


def test_yolo_gives_everybody_once(tmp_path: Path):
    """YOLO gives all people: of candidates for the same one the surest, and none that is unsure."""
    other = STANDING - (20, 0)
    rows = [_candidate(STANDING, 0.6), _candidate(STANDING + 0.5, 0.9), _candidate(other, 0.7), _candidate(other, 0.1)]
    network = constant(tmp_path / "yolo.onnx", points=numpy.array(rows).T[None])
    found = people(WIDE, network, {})
    assert found.shape == (2, 17, 3)
    assert found[0, :, :2] == pytest.approx(_in_picture(STANDING + 0.5), abs=0.01)
    assert found[1, :, :2] == pytest.approx(_in_picture(other), abs=0.01)


def test_nobody(tmp_path: Path):
    """Where nobody is, nothing is drawn."""
    network = constant(tmp_path / "yolo.onnx", points=numpy.zeros((1, 56, 20)))
    found = people(WIDE, network, {})
    assert found.shape == (0, 17, 3)
    assert not skeletons(found, WIDE, body=True, hands=False, face=False).any()


def test_points_of_other_numbers_are_refused(tmp_path: Path):
    """A network whose points are not those of a body is refused."""
    for name, outputs in (
        ("five", {"heat": numpy.zeros((1, 5, 8, 8))}),
        ("flat", {"heat": numpy.zeros((1, 17))}),
    ):
        with pytest.raises(ProcessingFailed):
            person(WIDE, constant(tmp_path / f"{name}.onnx", **outputs), {})
    with pytest.raises(ProcessingFailed):
        people(WIDE, constant(tmp_path / "boxes.onnx", points=numpy.zeros((1, 5, 20))), {})


def test_the_neck_is_between_the_shoulders():
    """The points of COCO become those of OpenPose, with a neck halfway between the shoulders."""
    points = numpy.column_stack([STANDING, numpy.linspace(0.1, 0.9, 17)])
    body = openpose(points)
    assert body.shape == (18, 3)
    assert body[1] == pytest.approx([*(STANDING[5] + STANDING[6]) / 2, min(points[5, 2], points[6, 2])])
    assert body[[0, 2, 7, 13, 17]] == pytest.approx(points[[0, 6, 9, 15, 3]])


def _standing(count: int = 17) -> numpy.ndarray:
    """Somebody in the picture, with points beyond the body where more are wanted: one hand right, one left."""
    points = numpy.zeros((count, 3))
    points[:17] = numpy.column_stack([_in_picture(STANDING), numpy.ones(17)])
    if count > 17:
        points[23:91] = (*points[0, :2], 1)
        points[91:112] = numpy.column_stack([300 + numpy.arange(21) * 3, numpy.full(21, 60), numpy.ones(21)])
        points[112:] = numpy.column_stack([50 + numpy.arange(21) * 3, numpy.full(21, 60), numpy.ones(21)])
    return points


def test_skeletons_have_the_colours_of_openpose():
    """Joints have the colours of the rainbow from the nose on, limbs the same ones darker, the ground is black."""
    drawn = skeletons(_standing()[None], WIDE, body=True, hands=False, face=False)
    body = openpose(_standing()).round().astype(int)
    wanted = {0: (255, 0, 0), 1: (255, 85, 0), 4: (170, 255, 0), 13: (85, 0, 255)}
    for joint, colour in wanted.items():
        x, y, _ = body[joint]
        assert drawn[y, x].tolist() == list(colour)
    x, y = ((body[9] + body[10]) // 2)[:2]
    assert drawn[y, x].tolist() == [0, 153, 102]
    assert (drawn.any(axis=2)).mean() < 0.1


def test_unsure_points_are_not_drawn():
    """A joint that is not sure, and the limbs at it, are left out."""
    points = _standing()
    points[9, 2] = 0.1
    sure = skeletons(_standing()[None], WIDE, body=True, hands=False, face=False)
    drawn = skeletons(points[None], WIDE, body=True, hands=False, face=False)
    x, y, _ = points[9].astype(int)
    assert sure[y, x].any()
    assert not drawn[y, x].any()
    points[:, 2] = 0
    assert not skeletons(points[None], WIDE, body=True, hands=True, face=True).any()


def test_hands_and_faces_of_whole_bodies():
    """Hands and faces are drawn when asked for, of points that have them."""
    whole = _standing(133)[None]
    for asked, places in (({"hands": True}, [(60, 330), (60, 80)]), ({"face": True}, [(int(whole[0, 0, 1]), 200)])):
        options = {"hands": False, "face": False, **asked}
        drawn = skeletons(whole, WIDE, body=False, **options)
        assert all(drawn[place].any() for place in places)
    assert not skeletons(whole, WIDE, body=False, hands=False, face=False).any()


def test_points_beyond_the_picture():
    """Points far outside, as networks give them at times, do no harm."""
    points = _standing()
    points[9, :2] = 1e9, -1e9
    assert skeletons(points[None], WIDE, body=True, hands=False, face=False).any()
    tiny = numpy.zeros((1, 1, 3), numpy.uint8)
    assert skeletons(points[None], tiny, body=True, hands=False, face=False).shape == tiny.shape
