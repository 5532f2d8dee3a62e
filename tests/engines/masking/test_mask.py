"""Masks: what is drawn of detections."""

from __future__ import annotations

import numpy
import pytest

from server.engines.masking.detection import Detection, around, ellipse, inscribed, rectangle
from server.engines.masking.mask import box_in, paint, surest

PICTURE = numpy.zeros((120, 160, 3), numpy.uint8)
BOX = (40.0, 30.0, 100.0, 70.0)


def _found(box=BOX, confidence=0.5, outline=rectangle) -> Detection:
    return Detection(box, confidence, (outline(box),))


def _extent(mask: numpy.ndarray) -> tuple[int, ...]:
    """Left, top, right, bottom of what is white."""
    rows, columns = numpy.flatnonzero(mask.any(axis=1)), numpy.flatnonzero(mask.any(axis=0))
    return columns[0], rows[0], columns[-1], rows[-1]


def test_a_mask_is_white_on_black():
    """A mask without padding and blur is white where something was found, and black elsewhere."""
    mask = paint([_found()], PICTURE, 0, 0)
    assert mask.shape == (120, 160)
    assert _extent(mask) == (40, 30, 100, 70)
    assert (mask[31:70, 41:100] == 255).all()
    assert set(numpy.unique(mask)) == {0, 255}


def test_nothing_found_is_black():
    """Where nothing was found the mask is black, whatever the padding and the blur."""
    for padding, blur in ((0, 0), (30, 4), (-30, 9)):
        assert not paint([], PICTURE, padding, blur).any()


def test_an_ellipse_fills_its_box():
    """The outline of a face touches the sides of its box and leaves its corners."""
    mask = paint([_found(outline=inscribed)], PICTURE, 0, 0)
    assert _extent(mask) == pytest.approx((40, 30, 100, 70), abs=1)
    assert (mask > 0).sum() == pytest.approx(numpy.pi * 30 * 20, rel=0.06)


@pytest.mark.parametrize("padding", [-7, -1, 1, 12])
def test_padding_grows_and_shrinks(padding: int):
    """The padding moves the border of the mask by so many pixels: outwards, or inwards where it is negative."""
    mask = paint([_found()], PICTURE, padding, 0)
    assert _extent(mask) == pytest.approx((40 - padding, 30 - padding, 100 + padding, 70 + padding), abs=1)


def test_padding_can_take_all():
    """A mask shrunk by more than it is large is black; grown by more than the picture is large it is white."""
    assert not paint([_found()], PICTURE, -4096, 0).any()
    assert (paint([_found()], PICTURE, 4096, 0) == 255).all()


def test_blur_softens_the_border():
    """The blur is a Gaussian of so many pixels: half as bright on the border, a sixth of the way one of them out."""
    mask = paint([_found()], PICTURE, 0, 5)
    edge = mask[50, 25:56].astype(float) / 255
    assert edge[15] == pytest.approx(0.5, abs=0.06)
    assert edge[10] == pytest.approx(0.16, abs=0.05)
    assert edge[0] < 0.02
    assert edge[-1] > 0.98


def test_the_surest_come_first():
    """Of what was found, the surest are kept, in the order of their confidence."""
    found = [_found(confidence=confidence) for confidence in (0.3, 0.9, 0.5, 0.7)]
    assert [detection.confidence for detection in surest(found, 3)] == [0.9, 0.7, 0.5]
    assert len(surest(found, 20)) == 4


def test_boxes_end_at_the_picture():
    """A box is told in whole pixels, and ends where the picture ends."""
    assert box_in(_found((-20.4, 10.6, 400.0, 50.2)), PICTURE) == (0, 11, 160, 50)


def test_outlines_beyond_the_picture():
    """An outline far larger than the picture covers it."""
    assert (paint([_found((-1e6, -1e6, 1e6, 1e6))], PICTURE, 0, 0) == 255).all()


def test_ellipses_turn():
    """An ellipse turned by a quarter is as high as it was wide; the box around both holds both."""
    lying, standing = (ellipse(numpy.array([50, 60]), 30, 10, angle) for angle in (0, numpy.pi / 2))
    assert around((lying,)) == pytest.approx((20, 50, 80, 70), abs=0.1)
    assert around((standing,)) == pytest.approx((40, 30, 60, 90), abs=0.1)
    assert around((lying, standing)) == pytest.approx((20, 30, 80, 90), abs=0.1)


def test_masks_of_tiny_pictures():
    """A picture of one pixel, or of a line, has a mask of its size."""
    for size in ((1, 1), (1, 500)):
        mask = paint([_found((0, 0, 1, 1))], numpy.zeros((*size, 3), numpy.uint8), 4, 4)
        assert mask.shape == size
        assert mask[0, 0] > 0
