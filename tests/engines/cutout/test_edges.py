"""Edges of cut-outs: smoothed, and free of the old background."""

from __future__ import annotations

import cv2
import numpy

from server.engines.cutout import Edges, finish
from server.engines.cutout.edges import foreground
from server.engines.cutout.subject import Subject
from server.engines.vision import silent
from tests.engines.cutout.subjects import studio


def test_smooth():
    """A smoothed mask has no threads and crumbs any more, and an edge two pixels wide."""
    mask = numpy.zeros((200, 200), numpy.float32)
    mask[50:150, 50:150] = 1
    mask[100, 150:190] = 1
    mask[20:22, 20:22] = 1
    subject = Subject(mask, "test:1@1", 1.0, exact=True)
    picture = numpy.full((200, 200, 3), 90, numpy.uint8)
    rough, smooth = (finish(picture, subject, silent, Edges(smooth=on)).alpha for on in (False, True))
    assert rough[100, 170] == rough[21, 21] == 255
    assert smooth[100, 170] == smooth[21, 21] == 0
    assert smooth[100, 100] == 255
    assert smooth[50, 50] < 128 <= rough[50, 50]
    assert ((smooth[100] > 0) & (smooth[100] < 255)).sum() <= 6


def test_masks_of_models_keep_their_edge():
    """A mask that is alpha already is only brought to the picture's size."""
    mask = numpy.tile(numpy.linspace(0, 1, 64, dtype=numpy.float32), (48, 1))
    found = finish(studio("coffee.png", "white")[0], Subject(mask, "test:1@1", 1.0, exact=True), silent, Edges())
    assert abs(found.alpha[300].astype(float) - numpy.linspace(0, 255, 480)).max() < 4


def test_strips_do_not_show():
    """The colours of a pixel do not depend on where the strips lie in which they are reckoned."""
    picture, truth = studio("astronaut.png", "teal", 900)
    alpha = cv2.GaussianBlur(truth.astype(numpy.float32) * 255, (0, 0), 3).astype(numpy.uint8)
    whole, lower = foreground(picture, alpha), foreground(picture[130:], alpha[130:])
    assert ((alpha > 0) & (alpha < 255)).mean() > 0.01
    assert (whole[230:] == lower[100:]).all()
