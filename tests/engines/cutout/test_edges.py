"""Edges of cut-outs: smoothed, matted, and free of the old background."""

from __future__ import annotations

import sys

import cv2
import numpy
import pytest

from server.engines.cutout import Edges, Trimap, cut, finish
from server.engines.cutout.edges import foreground
from server.engines.cutout.subject import Subject
from server.engines.vision import silent
from tests.engines.cutout.subjects import studio


def _hair() -> tuple[numpy.ndarray, numpy.ndarray]:
    """A dark body with hairs, 1 px wide, before a light ground; and its alpha from 0 to 1."""
    alpha = numpy.zeros((400, 400), numpy.float32)
    cv2.circle(alpha, (200, 200), 110, (1.0,), -1, cv2.LINE_AA)
    for angle in numpy.linspace(0, 2 * numpy.pi, 90):
        far = 200 + 120 * numpy.cos(angle), 200 + 120 * numpy.sin(angle)
        cv2.line(alpha, (200, 200), (round(far[0]), round(far[1])), (1.0,), 1)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 0.7)
    picture = alpha[..., None] * (60, 40, 30) + (1 - alpha[..., None]) * (210, 220, 230)
    return picture.astype(numpy.uint8), alpha


def _error(alpha: numpy.ndarray, truth: numpy.ndarray) -> float:
    return float(numpy.abs(alpha / 255 - truth).mean())


def test_matting():
    """Matting finds hair better than the guided filter does."""
    picture, truth = _hair()
    filtered, matted = cut(picture), cut(picture, edges=Edges(matting=Trimap(erode=25)))
    assert _error(matted.alpha, truth) < 0.8 * _error(filtered.alpha, truth)
    assert not matted.notice


def test_matting_without_its_extra(monkeypatch: pytest.MonkeyPatch):
    """Without PyMatting the edge is the guided filter's, and a notice names the extra."""
    monkeypatch.setitem(sys.modules, "pymatting", None)
    picture, _ = _hair()
    found = cut(picture, edges=Edges(matting=Trimap()))
    assert "taskarray[matting]" in found.notice
    assert (found.alpha == cut(picture).alpha).all()


def test_matting_of_a_vague_mask():
    """A mask that leaves more than a quarter open is not matted, and a notice says so."""
    picture, _ = _hair()
    found = cut(picture, edges=Edges(matting=Trimap(erode=200)))
    assert "too much open" in found.notice
    assert (found.alpha == cut(picture).alpha).all()


def test_matting_of_a_whole_picture():
    """A picture without a subject stays whole when matting is asked for."""
    found = cut(numpy.full((60, 60, 3), 90, numpy.uint8), edges=Edges(matting=Trimap()))
    assert (found.alpha == 255).all()


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
