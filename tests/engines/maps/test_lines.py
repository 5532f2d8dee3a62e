"""Maps of lines: lineart, lineart_anime, mlsd."""

from __future__ import annotations

import cv2
import numpy
import pytest
from skimage import data

from server.engines.maps.lines import lineart, lineart_anime, mlsd

HOUSE = [((60, 240), (60, 120)), ((60, 120), (150, 40)), ((150, 40), (240, 120)), ((240, 120), (240, 240)),
         ((240, 240), (60, 240))]  # fmt: skip


def _drawing() -> numpy.ndarray:
    """A black drawing of a house on white paper."""
    paper = numpy.full((300, 300, 3), 255, numpy.uint8)
    for start, end in HOUSE:
        cv2.line(paper, start, end, (0, 0, 0), 3, cv2.LINE_AA)
    return paper


@pytest.mark.parametrize("draw", [lineart, lineart_anime])
def test_lines_are_white_on_black(draw):
    """Dark lines on paper become white ones on black."""
    paper = _drawing()
    map_ = draw(paper)
    assert map_[paper[..., 0] < 30].mean() > 100
    assert map_[cv2.erode(paper[..., 0], numpy.ones((15, 15))) > 250].max() < 40


@pytest.mark.parametrize("draw", [lineart, lineart_anime])
def test_photographs_are_mostly_black(draw):
    """A photograph becomes a drawing: a few lines, most of it black."""
    map_ = draw(data.astronaut())
    assert 0.02 < (map_ > 100).mean() < 0.2
    assert (map_ < 20).mean() > 0.6


def test_anime_lines_are_thin():
    """lineart_anime draws thinner lines than lineart."""
    assert (lineart_anime(data.coffee()) > 60).mean() < (lineart(data.coffee()) > 60).mean()


def _covered(drawn: numpy.ndarray, start: tuple[int, int], end: tuple[int, int]) -> float:
    """How much of a line lies within three pixels of something drawn."""
    near = cv2.dilate(drawn, numpy.ones((7, 7), numpy.uint8))
    line = cv2.line(numpy.zeros_like(drawn), start, end, 255)
    return near[line > 0].mean() / 255


def test_mlsd_finds_straight_lines():
    """mlsd draws the walls and the roof of a house, and nothing else."""
    house = numpy.full((300, 300, 3), 240, numpy.uint8)
    cv2.fillPoly(house, [numpy.array([start for start, _ in HOUSE])], (90, 120, 60), cv2.LINE_AA)
    drawn = mlsd(house)
    assert all(_covered(drawn, *wall) > 0.9 for wall in HOUSE)
    walls = numpy.zeros_like(drawn)
    for start, end in HOUSE:
        cv2.line(walls, start, end, 255, 9)
    assert not (drawn[walls == 0] > 0).any()


def test_mlsd_finds_little_in_noise():
    """There are hardly any straight lines in noise and in gravel."""
    noise = numpy.random.default_rng(3).integers(0, 256, (400, 400, 3), dtype=numpy.uint8)
    gravel = cv2.cvtColor(data.gravel(), cv2.COLOR_GRAY2RGB)
    assert (mlsd(noise) > 0).mean() < 0.002
    assert (mlsd(gravel) > 0).mean() < 0.01


def test_mlsd_lines_are_thin_in_a_large_picture():
    """In a picture larger than the lines are looked for in, they lie where they are, one pixel wide."""
    large = numpy.full((2000, 2400, 3), 230, numpy.uint8)
    cv2.rectangle(large, (400, 300), (2000, 1700), (40, 60, 80), cv2.FILLED)
    drawn = mlsd(large)
    assert _covered(drawn, (400, 320), (400, 1680)) > 0.9
    assert (drawn > 0).sum() < 2 * 2 * (1600 + 1400)
