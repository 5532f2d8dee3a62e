"""crop, pad, rotate and flip."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from server.engines.transforms.geometry import crop, flip, pad, rotate
from server.errors import InvalidParameter, ValueTooLarge
from tests.engines.transforms.drawing import CLEAR, RED, cat, cut_out, pixels, ramp, seen

SIDES: dict[str, Any] = {"amount": 0, "top": None, "right": None, "bottom": None, "left": None, "background": CLEAR}


@pytest.mark.parametrize(
    ("asked", "left", "top"),
    [
        ({"x": 7, "y": 9, "gravity": "center"}, 7, 9),
        ({"x": None, "y": None, "gravity": "center"}, 60, 40),
        ({"x": None, "y": None, "gravity": "southeast"}, 120, 80),
        ({"x": None, "y": 3, "gravity": "east"}, 120, 3),
    ],
)
def test_crop(asked: dict[str, Any], left: int, top: int):
    """A crop keeps the pixels from x, y, or from where gravity draws it."""
    found = crop(cat(150, 100), width=30, height=20, **asked)
    assert (pixels(found) == pixels(cat(150, 100))[top : top + 20, left : left + 30]).all()


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({"x": 0, "y": 0, "width": 151, "height": 1}, "width"),
        ({"x": 150, "y": 0, "width": 1, "height": 1}, "width"),
        ({"x": 0, "y": 95, "width": 1, "height": 6}, "height"),
        ({"x": None, "y": None, "width": 1, "height": 101}, "height"),
    ],
)
def test_crop_outside(asked: dict[str, Any], parameter: str):
    """A crop that does not lie within the picture is refused."""
    with pytest.raises(InvalidParameter) as caught:
        crop(cat(150, 100), gravity="center", **asked)
    assert caught.value.parameter == parameter


def test_pad():
    """pad adds pixels of its background: so many a side, or as many as the side says itself."""
    found = pixels(pad(cat(), **SIDES | {"amount": 5, "left": 20, "bottom": 0, "background": RED}))
    assert found.shape == (105, 175, 3)
    assert (found[5:, 20:170] == pixels(cat())).all()
    found[5:, 20:170] = RED[:3]
    assert (found == RED[:3]).all()


def test_pad_is_transparent():
    """Where the background is transparent, so is what pad adds, and what was transparent stays."""
    found = pixels(pad(cut_out(), **SIDES | {"top": 3}))
    assert (found[:3] == 0).all()
    assert (found[3:] == pixels(cut_out())).all()


def test_pad_too_large():
    """pad is refused above 8192 pixels a side."""
    assert pad(ramp(100, 1), **SIDES | {"left": 8092}).width == 8192
    with pytest.raises(ValueTooLarge) as caught:
        pad(ramp(100, 1), **SIDES | {"left": 8093})
    assert caught.value.parameter == "amount"


@pytest.mark.parametrize(
    ("angle", "turns"), [(0, 0), (90, 3), (180, 2), (-90, 1), (270.0, 1), (360, 0), (-270, 3), (-1e-20, 0)]
)
@pytest.mark.parametrize("expand", [True, False])
def test_quarter_turns(angle: float, turns: int, expand: bool):
    """Quarter turns are clockwise and keep every pixel."""
    square = cat(100, 100)
    found = rotate(square, angle=angle, expand=expand, background=CLEAR)
    assert (pixels(found) == numpy.rot90(pixels(square), turns)).all()
    assert rotate(cat(150, 100), angle=90, expand=True, background=CLEAR).size == (100, 150)


def test_a_quarter_turn_in_place():
    """Without `expand` the size stays: what stands out is cut off, what is bare shows the background."""
    found = pixels(rotate(cat(150, 100), angle=90, expand=False, background=RED))
    assert found.shape == (100, 150, 3)
    assert (found[:, :25] == RED[:3]).all()
    assert (found[:, 25:125] == numpy.rot90(pixels(cat(150, 100)), 3)[25:125]).all()


def test_turns_are_clockwise():
    """A small turn moves the right edge down, about the centre, which stays."""
    picture = pad(ramp(101, 101), **SIDES | {"amount": 40})
    found = pixels(rotate(picture, angle=10, expand=False, background=CLEAR))
    assert found[40, 130, 3] == 0
    assert found[140, 130, 3] == 255
    assert abs(found[90, 90, :2] - 127).max() <= 2
    assert found[90, 130, 1] < 127 - 15


def test_turned_corners():
    """With `expand` the whole turned picture is seen, with smooth edges, on the background."""
    found = rotate(cat(100, 100), angle=45, expand=True, background=CLEAR)
    assert found.size == (142, 142)
    alpha = pixels(found)[..., 3]
    assert abs(alpha.sum() / 255 - 100 * 100) < 60
    assert 200 < ((alpha > 0) & (alpha < 255)).sum() < 1200
    on_red = pixels(rotate(cat(100, 100), angle=45, expand=True, background=RED))
    assert on_red.shape == (142, 142, 3)
    assert (on_red[0, 0] == RED[:3]).all()
    there = rotate(cat(100, 100), angle=30, expand=False, background=CLEAR)
    back = rotate(there, angle=-30, expand=False, background=CLEAR)
    assert abs(pixels(back)[30:70, 30:70, :3] - pixels(cat(100, 100))[30:70, 30:70]).mean() < 4


def test_no_fringe_when_turned():
    """Hidden colours do not show at turned edges."""
    assert (seen(rotate(cut_out(), angle=20, expand=True, background=CLEAR)) > 240).all()


def test_turning_thin_pictures():
    """Even a picture of one pixel, or of one column, can be turned."""
    assert rotate(ramp(1, 1), angle=33, expand=True, background=CLEAR).size == (2, 2)
    assert rotate(ramp(1, 8192), angle=90, expand=True, background=CLEAR).size == (8192, 1)


def test_turned_too_large():
    """A picture that would grow above 8192 pixels a side when turned is refused."""
    with pytest.raises(ValueTooLarge) as caught:
        rotate(ramp(8192, 300), angle=2, expand=True, background=CLEAR)
    assert caught.value.parameter == "angle"


def test_flip():
    """flip swaps left and right, or top and bottom."""
    assert (pixels(flip(cat(), direction="horizontal")) == pixels(cat())[:, ::-1]).all()
    assert (pixels(flip(cat(), direction="vertical")) == pixels(cat())[::-1]).all()
