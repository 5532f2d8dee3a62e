"""Green that a screen has thrown on the edge of a subject."""

from __future__ import annotations

import cv2
import numpy

from server.engines.cutout.despill import despilled

SIZE, MIDDLE, RADIUS = 240, 120, 90
GREEN, SKIN, SHIRT = (0, 177, 64), (224, 172, 140), (30, 140, 60)


def disc(radius: float) -> numpy.ndarray:
    """Coverage of a disc, soft over a few pixels."""
    y, x = numpy.mgrid[:SIZE, :SIZE]
    return numpy.clip((radius - numpy.hypot(x - MIDDLE, y - MIDDLE)) / 6 + 0.5, 0, 1)


def lightness(colours: numpy.ndarray) -> numpy.ndarray:
    return cv2.cvtColor(colours.astype(numpy.float32) / 255, cv2.COLOR_RGB2Lab)[..., 0]


def greenness(colours: numpy.ndarray) -> numpy.ndarray:
    wide = colours.astype(int)
    return wide[..., 1] - numpy.maximum(wide[..., 0], wide[..., 2])


def spilled(subject: tuple[int, int, int]) -> tuple[numpy.ndarray, numpy.ndarray]:
    """A disc with green light at its rim, as colours and alpha."""
    cover = disc(RADIUS)
    rim = numpy.clip(1 - disc(RADIUS - 6), 0, 1)[..., None] * 0.6
    colours = numpy.array(subject) * (1 - rim) + numpy.array(GREEN) * rim
    return (colours * (cover > 0)[..., None]).astype(numpy.uint8), (cover * 255).astype(numpy.uint8)


def test_the_edge_loses_its_green():
    """Along the edge hardly any green is left, and every pixel is as light as before."""
    colours, alpha = spilled(SKIN)
    clean = despilled(colours, alpha)
    edge = (alpha > 0) & (alpha < 250)
    assert greenness(colours)[edge].max() > 25
    assert greenness(clean)[edge].max() <= 6
    assert numpy.abs(lightness(clean) - lightness(colours)).max() < 1.5


def test_the_rest_keeps_its_colours():
    """What is not green does not change, nor does what is green deep inside the subject."""
    colours, alpha = spilled(SKIN)
    inside = disc(RADIUS - 14) == 1
    assert (despilled(colours, alpha)[inside] == colours[inside]).all()
    shirt = numpy.full((SIZE, SIZE, 3), SHIRT, numpy.uint8)
    clean = despilled(shirt, alpha)
    assert (clean[disc(RADIUS - 12) == 1] == SHIRT).all()
    assert (clean[MIDDLE, MIDDLE - RADIUS] != SHIRT).any()


def test_other_hues_at_the_edge():
    """Red, blue, yellow, white and black at the edge stay what they are."""
    for colour in ((220, 30, 30), (30, 60, 220), (240, 200, 30), (255, 255, 255), (0, 0, 0), SKIN, (90, 60, 40)):
        colours, alpha = numpy.full((60, 60, 3), colour, numpy.uint8), numpy.full((60, 60), 128, numpy.uint8)
        assert (despilled(colours, alpha) == colours).all(), colour


def test_nothing_there():
    """A cut-out without a subject, or without an edge, comes out as it is."""
    for level in (0, 255):
        colours, alpha = numpy.full((40, 30, 3), SHIRT, numpy.uint8), numpy.full((40, 30), level, numpy.uint8)
        if level == 0:
            colours[:] = 0
        assert (despilled(colours, alpha) == colours).all()
