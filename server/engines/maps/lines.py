"""Line maps: drawings in thin lines, and straight segments. White on black."""

from __future__ import annotations

from typing import Any

from server.engines.maps.scale import reduced, restored, unit
from server.engines.vision import Array, cv2, numpy

_SHORTEST = 0.05
"""Part of the longer side that a straight segment must have."""


def lineart(picture: Array) -> Array:
    """A drawing of what is darker, in every colour, than its surroundings: `lineart_standard` of ControlNet."""
    small = reduced(picture)
    colours = small.astype(numpy.float32)
    darker = numpy.clip((cv2.GaussianBlur(colours, (0, 0), 6 * unit(small)) - colours).min(axis=2), 0, 255)
    clear = darker[darker > 8]
    typical = max(16.0, float(numpy.median(clear))) if clear.size else 16.0
    return restored(numpy.clip(darker / typical * 127, 0, 255).astype(numpy.uint8), picture)


def lineart_anime(picture: Array) -> Array:
    """Thin even lines: a fine difference of Gaussians of the smoothed picture (Winnemöller et al. 2012)."""
    small = reduced(picture)
    smooth = cv2.bilateralFilter(small, 7, 30, 5).astype(numpy.float32)
    sigma = 0.8 * unit(small)
    darker = (cv2.GaussianBlur(smooth, (0, 0), 1.6 * sigma) - cv2.GaussianBlur(smooth, (0, 0), sigma)).max(axis=2)
    strong = max(4.0, float(numpy.percentile(darker, 98)))
    return restored(numpy.clip((darker / strong - 0.3) * 255, 0, 255).astype(numpy.uint8), picture)


def mlsd(picture: Array) -> Array:
    """The straight segments, one pixel wide (LSD, Grompone von Gioi et al. 2010)."""
    small = reduced(picture)
    drawn = numpy.zeros(picture.shape[:2], numpy.uint8)
    factor = max(picture.shape[:2]) / max(small.shape[:2])
    for x0, y0, x1, y1 in _segments(small) * factor:
        cv2.line(drawn, (round(x0), round(y0)), (round(x1), round(y1)), 255, 1)
    return drawn


def _segments(picture: Array) -> Array:
    """The segments that are long enough, n × 4: x0, y0, x1, y1."""
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), 0.8 * unit(picture))
    # It gives None, not an empty array, where there is no segment.
    found: Any = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(grey)[0]
    segments = numpy.empty((0, 4)) if found is None else found.reshape(-1, 4)
    length = numpy.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])
    return segments[length >= _SHORTEST * max(picture.shape[:2])]
