"""flatten, composite and watermark."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from PIL import Image

from server.engines.transforms.layers import composite, flatten, watermark
from tests.engines.transforms.drawing import RED, cat, cut_out, pixels

LAYER: dict[str, Any] = {
    "image": None, "color": None, "fit": None, "x": None, "y": None, "gravity": "center", "opacity": 1.0,
    "under": False,
}  # fmt: skip
MARK: dict[str, Any] = {"gravity": "southeast", "margin": 10, "scale": 0.2, "opacity": 1.0, "tile": False}


def plain(width: int, height: int, colour: tuple[int, ...] = RED) -> Image.Image:
    return Image.new("RGBA", (width, height), colour)


def marked(picture: Image.Image, **asked: Any) -> numpy.ndarray:
    """Where red marks lie on a picture that is not red."""
    return (pixels(watermark(picture, image=plain(40, 20), **MARK | asked))[..., :3] == RED[:3]).all(axis=2)


def box(mask: numpy.ndarray) -> tuple[int, ...]:
    """Left, top, right and bottom of what is set, all of which must be."""
    rows, columns = numpy.nonzero(mask)
    found = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    assert mask.sum() == (found[2] - found[0]) * (found[3] - found[1])
    return tuple(map(int, found))


def test_flatten():
    """flatten shows its background where the picture is transparent, in part where it is so in part."""
    picture = cut_out()
    picture.putpixel((0, 0), (255, 255, 255, 128))
    found = pixels(flatten(picture, background=(0, 0, 255, 9)))
    assert found.shape == (64, 64, 3)
    assert found[1, 1].tolist() == [0, 0, 255]
    assert found[32, 32].tolist() == [255, 255, 255]
    assert abs(found[0, 0] - [128, 128, 255]).max() <= 1


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ({}, (55, 40, 95, 60)),
        ({"gravity": "southeast"}, (110, 80, 150, 100)),
        ({"x": 3, "y": 4}, (3, 4, 43, 24)),
        ({"x": -30, "gravity": "north"}, (0, 0, 10, 20)),
        ({"x": 140, "y": 90}, (140, 90, 150, 100)),
    ],
)
def test_composite_image(asked: dict[str, Any], place: tuple[int, ...]):
    """A layer lies at x, y or where gravity draws it; what stands out is cut off, the size stays."""
    found = pixels(composite(cat(), **LAYER | {"image": plain(40, 20)} | asked))
    assert found.shape == (100, 150, 3)
    mask = (found == RED[:3]).all(axis=2)
    assert box(mask) == place
    assert (found[~mask] == pixels(cat())[~mask]).all()


def test_opacity():
    """opacity mixes the layer with what lies below."""
    found = pixels(composite(cat(), **LAYER | {"color": (0, 0, 255, 255), "opacity": 0.25}))
    assert abs(found - (0.75 * pixels(cat()) + 0.25 * numpy.array([0, 0, 255]))).max() <= 1.5
    assert (pixels(composite(cat(), **LAYER | {"color": RED, "opacity": 0.0})) == pixels(cat())).all()


def test_composite_under():
    """A layer beneath shows where the picture is transparent, and only there."""
    below = pixels(composite(cut_out(), **LAYER | {"image": cat(64, 64), "under": True}))
    assert (below[20, 20, :3] == 255).all()
    assert (below[:16, :, :3] == pixels(cat(64, 64))[:16]).all()
    assert (below[..., 3] == 255).all()
    half = pixels(composite(cut_out(), **LAYER | {"color": (0, 0, 255, 100), "under": True}))
    assert half[0, 0].tolist() == [0, 0, 255, 100]
    assert half[32, 32].tolist() == [255, 255, 255, 255]


def test_composite_fit():
    """With a fit, the layer is first resized to the picture's size."""
    small = cat(20, 20)
    bare = pixels(composite(cut_out(64, 64), **LAYER | {"image": small, "under": True}))
    assert (bare[0, :, 3] == 0).all()
    found = pixels(composite(cut_out(64, 64), **LAYER | {"image": small, "under": True, "fit": "cover"}))
    assert (found[..., 3] == 255).all()
    assert (found[:16, :, :3] == pixels(small.resize((64, 64), Image.Resampling.LANCZOS))[:16]).all()


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ({}, (110, 75, 140, 90)),
        ({"gravity": "northwest", "margin": 0}, (0, 0, 30, 15)),
        ({"gravity": "center", "scale": 1.0}, (0, 12, 150, 87)),
        ({"gravity": "west", "scale": 0.4}, (10, 35, 70, 65)),
        ({"margin": 8000}, (0, 0, 30, 15)),
    ],
)
def test_watermark(asked: dict[str, Any], place: tuple[int, ...]):
    """A mark is so wide as its share of the picture, and lies so far from the edge, always within the picture."""
    assert box(marked(cat(), **asked)) == place


def test_a_high_watermark():
    """A mark that would be higher than the picture is made smaller."""
    found = watermark(cat(), image=plain(10, 100), **MARK | {"scale": 0.5, "margin": 0})
    assert box((pixels(found) == RED[:3]).all(axis=2)) == (140, 0, 150, 100)


def test_tiles():
    """A tiled mark repeats all over, a margin apart."""
    found = marked(cat(), tile=True, margin=10, scale=0.2)
    assert (found[25:, 40:] == found[:-25, :-40]).all()
    assert abs(found.mean() - 30 * 15 / (40 * 25)) < 0.05


@pytest.mark.parametrize("size", [(1, 1), (1, 4096), (4096, 1)])
def test_thin_pictures(size: tuple[int, int]):
    """The thinnest picture can be marked, and be the mark."""
    for tile in (False, True):
        assert watermark(plain(*size), image=cat(), **MARK | {"tile": tile}).size == size
        assert watermark(cat(), image=plain(*size), **MARK | {"tile": tile, "margin": 0}).size == (150, 100)
