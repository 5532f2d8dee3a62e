"""Maps of edges: canny, softedge, scribble."""

from __future__ import annotations

import cv2
import numpy
import pytest
from skimage import data

from server.engines.maps.edges import canny, scribble, softedge

ASTRONAUT = data.astronaut()


def _disc() -> numpy.ndarray:
    """A light disc, 100 pixels in radius, on dark ground, with a little noise."""
    picture = numpy.full((300, 300, 3), 60, numpy.uint8)
    cv2.circle(picture, (150, 150), 100, (200, 180, 160), cv2.FILLED)
    noise = numpy.random.default_rng(1).integers(-4, 5, picture.shape)
    return (picture + noise).astype(numpy.uint8)


def _from_rim() -> numpy.ndarray:
    """How far each pixel is from the rim of the disc."""
    rows, columns = numpy.mgrid[:300, :300]
    return abs(numpy.hypot(rows - 150, columns - 150) - 100)


def test_canny_is_the_one_of_opencv():
    """canny is the edge detector of OpenCV on the colours as they are, with the thresholds asked for."""
    assert (canny(ASTRONAUT) == cv2.Canny(ASTRONAUT, 100, 200)).all()
    assert (canny(ASTRONAUT, 20, 60) == cv2.Canny(ASTRONAUT, 20, 60)).all()
    assert (canny(ASTRONAUT, 20, 60) > 0).sum() > 1.5 * (canny(ASTRONAUT) > 0).sum()


def test_softedge_is_bright_on_outlines():
    """softedge is bright on an outline, dark away from it, and soft in between."""
    map_ = softedge(_disc())
    rim = _from_rim()
    assert map_[rim < 1].mean() > 200
    assert map_[rim > 25].mean() < 10
    assert numpy.unique(map_[rim < 15]).size > 100


def test_scribble_is_a_thick_closed_stroke():
    """scribble draws an outline in one thick, closed, pure white stroke."""
    map_ = scribble(_disc())
    assert set(numpy.unique(map_)) == {0, 255}
    assert (map_[_from_rim() < 1.5] == 255).all()
    assert (map_[_from_rim() > 12] == 0).all()
    assert 4 <= (map_ > 0).sum() / (2 * numpy.pi * 100) <= 12


@pytest.mark.parametrize("draw", [softedge, scribble])
def test_plain_pictures_have_no_outlines(draw):
    """Weak noise on a plain picture is no outline."""
    grey = numpy.random.default_rng(2).integers(126, 131, (200, 200, 3), dtype=numpy.uint8)
    assert draw(grey).mean() < 8


@pytest.mark.parametrize("draw", [softedge, scribble])
def test_outlines_are_the_same_in_a_larger_picture(draw):
    """A picture three times larger has the outlines three times larger."""
    small = cv2.resize(data.coffee(), (512, 341), interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (1536, 1023), interpolation=cv2.INTER_CUBIC)
    again = cv2.resize(draw(large), (512, 341), interpolation=cv2.INTER_AREA)
    assert numpy.corrcoef(again.ravel(), draw(small).ravel())[0, 1] > 0.75


def test_scribble_is_simpler_than_canny():
    """scribble leaves small things out: it has far fewer strokes than there are edges."""
    strokes = cv2.connectedComponents(scribble(ASTRONAUT))[0]
    assert 5 < strokes < cv2.connectedComponents(canny(ASTRONAUT))[0] / 3
