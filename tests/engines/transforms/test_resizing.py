"""resize: the five fits, the side that follows, and what is transparent."""

from __future__ import annotations

from typing import Any

import pytest

from server.engines.transforms.resizing import resize
from server.errors import ValueTooLarge
from tests.engines.transforms.drawing import CLEAR, RED, cat, cut_out, pixels, ramp, seen

PLAIN: dict[str, Any] = {
    "width": None,
    "height": None,
    "fit": "cover",
    "gravity": "center",
    "background": CLEAR,
    "enlarge": True,
}


@pytest.mark.parametrize(
    ("fit", "size"),
    [("cover", (60, 60)), ("contain", (60, 60)), ("fill", (60, 60)), ("inside", (60, 40)), ("outside", (90, 60))],
)
def test_sizes(fit: str, size: tuple[int, int]):
    """cover, contain and fill give the size asked for; inside and outside keep the shape."""
    assert resize(cat(150, 100), **PLAIN | {"width": 60, "height": 60, "fit": fit}).size == size


@pytest.mark.parametrize("fit", ["cover", "contain", "fill", "inside", "outside"])
@pytest.mark.parametrize(("asked", "size"), [({"width": 75}, (75, 50)), ({"height": 200}, (300, 200))])
def test_the_other_side_follows(fit: str, asked: dict[str, int], size: tuple[int, int]):
    """With one side given, the other follows from the shape, whatever the fit."""
    assert resize(cat(150, 100), **PLAIN | asked | {"fit": fit}).size == size


def test_cover_cuts_off():
    """cover keeps the shape of things and cuts off the sides, or what lies away from gravity."""
    middle = pixels(resize(ramp(300, 100), **PLAIN | {"width": 50, "height": 50}))
    assert abs(middle[25, 0, 0] - 255 / 3) < 5
    assert abs(middle[25, -1, 0] - 255 * 2 / 3) < 5
    left = pixels(resize(ramp(300, 100), **PLAIN | {"width": 50, "height": 50, "gravity": "west"}))
    assert left[25, 0, 0] < 5
    assert abs(left[25, -1, 0] - 255 / 3) < 5


def test_fill_distorts():
    """fill shows all of the picture, distorted."""
    found = pixels(resize(ramp(300, 100), **PLAIN | {"width": 50, "height": 50, "fit": "fill"}))
    assert found[25, 0, 0] < 5
    assert found[25, -1, 0] > 250


def test_contain_shows_the_background():
    """contain lays all of the picture on the background, drawn towards gravity."""
    asked = {"width": 60, "height": 60, "fit": "contain", "background": RED}
    found = pixels(resize(cat(), **PLAIN | asked))
    assert (found[:10] == RED[:3]).all()
    assert (found[-10:] == RED[:3]).all()
    assert (found[10:50] != RED[:3]).any(axis=2).all()
    top = pixels(resize(cat(), **PLAIN | asked | {"gravity": "north", "background": CLEAR}))
    assert (top[:40, :, 3] == 255).all()
    assert (top[40:, :, 3] == 0).all()


@pytest.mark.parametrize(
    ("fit", "size"),
    [("cover", (150, 60)), ("contain", (400, 60)), ("fill", (150, 60)), ("inside", (90, 60)), ("outside", (150, 100))],
)
def test_no_enlarging(fit: str, size: tuple[int, int]):
    """Without `enlarge`, no pixel is stretched."""
    picture = cat(150, 100)
    found = resize(picture, **PLAIN | {"width": 400, "height": 60, "fit": fit, "enlarge": False})
    assert found.size == size
    if fit == "cover":
        assert (pixels(found) == pixels(picture)[20:80]).all()
    assert resize(picture, **PLAIN | {"width": 400, "enlarge": False}).size == (150, 100)


@pytest.mark.parametrize("side", [20, 150])
def test_no_fringe(side: int):
    """Hidden colours do not show where what is transparent meets what is not."""
    found = resize(cut_out(), **PLAIN | {"width": side, "height": side})
    assert (seen(found) > 245).all()
    assert 0 in pixels(found)[..., 3]


@pytest.mark.parametrize("size", [(1, 1), (1, 8192), (8192, 1)])
def test_thin_pictures(size: tuple[int, int]):
    """The thinnest picture can be covered, contained, filled and made smaller."""
    picture = ramp(*size)
    for fit in ("cover", "contain", "fill", "inside"):
        found = resize(picture, **PLAIN | {"width": 100, "height": 100, "fit": fit})
        assert max(found.size) == 100
    assert resize(picture, **PLAIN | {"width": 1, "height": 1}).size == (1, 1)


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({"width": 8192, "height": 8192}, "width"),
        ({"width": 8192, "height": 8192, "fit": "contain"}, "width"),
        ({"width": 8192, "height": 8192, "fit": "fill"}, "width"),
        ({"width": 8192, "height": 1, "fit": "outside"}, "height"),
        ({"height": 8192}, "width"),
    ],
)
def test_too_large(asked: dict[str, Any], parameter: str):
    """A size above 8192 pixels a side or 64 million in all is refused, also where it would follow."""
    shape = (1, 100) if parameter == "height" else (100, 1)
    with pytest.raises(ValueTooLarge) as caught:
        resize(ramp(*shape), **PLAIN | asked)
    assert caught.value.parameter == parameter
