"""Maps that keep the colours: tile and shuffle. And what no map may trip over."""

from __future__ import annotations

import cv2
import numpy
import pytest
from skimage import data

from server.engines.maps.content import shuffle, tile
from server.engines.maps.edges import canny, scribble, softedge
from server.engines.maps.lines import lineart, lineart_anime, mlsd

COFFEE = data.coffee()
EVERY = [canny, lineart, lineart_anime, mlsd, scribble, shuffle, softedge, tile]


def _roughness(picture: numpy.ndarray) -> float:
    return cv2.Laplacian(picture, cv2.CV_32F).std()


def test_tile_is_a_smooth_copy():
    """tile keeps the colours of every place and loses the details."""
    map_ = tile(COFFEE)
    assert abs(map_.mean(axis=(0, 1)) - COFFEE.mean(axis=(0, 1))).max() < 1
    small = [cv2.resize(picture, (30, 20), interpolation=cv2.INTER_AREA).astype(int) for picture in (map_, COFFEE)]
    assert abs(small[0] - small[1]).mean() < 3
    assert _roughness(map_) < 0.15 * _roughness(COFFEE)


def test_shuffle_keeps_colours_and_moves_things():
    """shuffle shows the colours of the picture, roughly as often, in other places."""
    map_ = shuffle(COFFEE)
    histograms = [cv2.calcHist([picture], [0, 1, 2], None, [4] * 3, [0, 256] * 3) for picture in (map_, COFFEE)]
    common = numpy.minimum(*histograms).sum() / COFFEE[..., 0].size
    assert common > 0.6
    assert abs(map_.astype(int) - COFFEE).mean() > 25


def test_shuffle_can_be_repeated():
    """The same seed shuffles alike, another one does not."""
    assert (shuffle(COFFEE, 5) == shuffle(COFFEE, 5)).all()
    assert abs(shuffle(COFFEE, 5).astype(int) - shuffle(COFFEE, 6)).mean() > 10


@pytest.mark.parametrize("draw", EVERY, ids=lambda draw: draw.__name__)
def test_maps_have_the_size_of_the_picture(draw):
    """A map is as large as its picture, however small, long or plain that is."""
    random = numpy.random.default_rng(4)
    for size in ((1, 1), (1, 500), (500, 1), (2, 3), (30, 2000)):
        for picture in (
            numpy.zeros((*size, 3), numpy.uint8),
            numpy.full((*size, 3), 255, numpy.uint8),
            random.integers(0, 256, (*size, 3), dtype=numpy.uint8),
        ):
            map_ = draw(picture)
            assert map_.dtype == numpy.uint8
            assert map_.shape[:2] == size


@pytest.mark.parametrize("draw", EVERY, ids=lambda draw: draw.__name__)
def test_plain_pictures_give_plain_maps(draw):
    """Where a picture is plain there is nothing to draw."""
    assert len(numpy.unique(draw(numpy.full((80, 120, 3), 77, numpy.uint8)))) == 1
