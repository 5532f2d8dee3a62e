"""Masks drawn of detections: white on black, made larger or smaller, blurred."""

from __future__ import annotations

from collections.abc import Sequence

from server.engines.masking.detection import Detection
from server.engines.vision import Array, cv2, numpy

_FINE = 4
"""Bits after the point with which corners are drawn."""
_FAR = 30_000


def surest(found: Sequence[Detection], most: int) -> list[Detection]:
    """At most so many detections, the surest first."""
    return sorted(found, key=lambda detection: -detection.confidence)[:most]


def paint(found: Sequence[Detection], like: Array, padding: int, blur: int) -> Array:
    """The mask `h × w` of detections in a picture, grown by `padding` pixels (shrunk where negative).

    `blur` is the standard deviation in pixels of the Gaussian that softens it.
    """
    mask = numpy.zeros(like.shape[:2], numpy.uint8)
    for detection in found:
        for outline in detection.outlines:
            corners = numpy.round(outline.clip(-_FAR, _FAR) * 2**_FINE).astype(numpy.int32)
            cv2.fillPoly(mask, [corners], 255, cv2.LINE_8, _FINE)
    mask = _grown(mask, padding)
    return cv2.GaussianBlur(mask, (0, 0), blur) if blur else mask


def box_in(detection: Detection, like: Array) -> tuple[int, int, int, int]:
    """The box of a detection in whole pixels, within the picture: left, top, right, bottom."""
    height, width = like.shape[:2]
    sides = zip(detection.box, (width, height, width, height), strict=True)
    left, top, right, bottom = (min(max(round(side), 0), most) for side, most in sides)
    return left, top, right, bottom


def _grown(mask: Array, pixels: int) -> Array:
    """White grown by so many pixels in every direction, or shrunk by them."""
    if pixels > 0 and mask.any():
        far = cv2.distanceTransform(255 - mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) > pixels
        return numpy.where(far, 0, 255).astype(numpy.uint8)
    if pixels < 0 and not mask.all():
        deep = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) > -pixels
        return numpy.where(deep, 255, 0).astype(numpy.uint8)
    return mask
