"""Edge maps: Canny's, soft outlines like those of HED, and thick scribbles along them."""

from __future__ import annotations

from server.engines.maps.scale import reduced, restored, unit
from server.engines.vision import Array, cv2, numpy, to_lab

_SIGMAS = (1.0, 2.0, 4.0)
"""Blurs, in pixels of a 512-pixel picture, at which outlines are looked for."""
_DIRECTIONS = (
    numpy.eye(3, dtype=numpy.uint8),
    numpy.eye(3, dtype=numpy.uint8)[::-1].copy(),
    numpy.ones((1, 3), numpy.uint8),
    numpy.ones((3, 1), numpy.uint8),
)


def canny(picture: Array, low: int = 100, high: int = 200) -> Array:
    """White edges, one pixel wide, of a gradient above `high`, and above `low` where they go on (Canny 1986)."""
    return cv2.Canny(picture, low, high)


def softedge(picture: Array) -> Array:
    """Soft white outlines: the colour gradient at three scales, kept where it stands out from what is around it."""
    strength = numpy.clip(_strength(reduced(picture)), 0, 1)
    return restored((strength**0.8 * 255).astype(numpy.uint8), picture)


def scribble(picture: Array) -> Array:
    """Thick white strokes along the strong outlines, as with a felt pen; short ones are left out."""
    small = reduced(picture)
    strokes = _long(_crests(_strength(small), unit(small)), 24 * unit(small))
    thick = cv2.GaussianBlur(strokes * numpy.float32(255), (0, 0), 2 * unit(small)) > 12
    return numpy.where(restored(thick.astype(numpy.uint8) * 255, picture) > 127, 255, 0).astype(numpy.uint8)


def _strength(picture: Array) -> Array:
    """How much each pixel belongs to an outline: 1 is a strong one (float32)."""
    smooth = cv2.bilateralFilter(picture, 9, 40, 7)
    lab = to_lab(smooth)
    strength = numpy.zeros(picture.shape[:2], numpy.float32)
    for sigma in _SIGMAS:
        gradient = _gradient(lab, sigma * unit(picture)) * sigma
        around = cv2.GaussianBlur(gradient, (0, 0), 6 * sigma * unit(picture))
        strength += gradient * numpy.clip(gradient / (1.6 * around + 1e-4) - 0.35, 0, 1)
    # A picture without outlines must not have its noise blown up.
    return strength / max(float(numpy.percentile(strength, 99)), 4.0)


def _gradient(lab: Array, sigma: float) -> Array:
    blurred = cv2.GaussianBlur(lab, (0, 0), sigma)
    across = cv2.Scharr(blurred, cv2.CV_32F, 1, 0) / 32
    down = cv2.Scharr(blurred, cv2.CV_32F, 0, 1) / 32
    return numpy.sqrt((across**2 + down**2).sum(axis=2))


def _crests(strength: Array, size: float) -> Array:
    """Where an outline (1 is a strong one) has its crest (1): a maximum along one of four directions."""
    smooth = cv2.GaussianBlur(strength, (0, 0), 1.5 * size)
    crest = numpy.zeros(strength.shape, bool)
    for direction in _DIRECTIONS:
        crest |= cv2.dilate(smooth, direction) == smooth
    return (crest & (smooth > 0.25)).astype(numpy.uint8)


def _long(strokes: Array, pixels: float) -> Array:
    """The strokes that have at least so many pixels."""
    _, labels, about, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    long = numpy.flatnonzero(about[1:, cv2.CC_STAT_AREA] >= pixels) + 1
    return numpy.isin(labels, long).astype(numpy.uint8)
