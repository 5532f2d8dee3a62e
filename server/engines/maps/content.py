"""Maps that keep the colours of a picture: a coarse copy of it, and its content shuffled."""

from __future__ import annotations

from server.engines.vision import Array, cv2, numpy

_COARSER = 8
"""Times that the tile map is smaller before it is enlarged again; as large as a cell of the latent picture."""
_BLOB = 256
"""Pixels between the points that shuffle moves on their own."""


def tile(picture: Array) -> Array:
    """A coarse copy: every 8 × 8 pixels become one, and a smooth picture is drawn through those."""
    height, width = picture.shape[:2]
    size = max(1, round(width / _COARSER)), max(1, round(height / _COARSER))
    coarse = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def shuffle(picture: Array, seed: int = 0) -> Array:
    """The content taken from elsewhere along a smooth random flow; the same seed gives the same flow.

    The content shuffle of ControlNet 1.1 (Zhang et al. 2023): each pixel comes from (x, y) of two smooth noises.
    """
    height, width = picture.shape[:2]
    random = numpy.random.default_rng(seed)
    across = _smooth_noise(height, width, random) * (width - 1)
    down = _smooth_noise(height, width, random) * (height - 1)
    return cv2.remap(picture, across, down, cv2.INTER_LINEAR)


def _smooth_noise(height: int, width: int, random: numpy.random.Generator) -> Array:
    """`height × width` float32 that touches 0 and 1, drawn through points `_BLOB` pixels apart."""
    # A margin of one blob each side, so that the borders are like the middle.
    points = random.random((height // _BLOB + 2, width // _BLOB + 2), dtype=numpy.float32)
    size = width + 2 * _BLOB, height + 2 * _BLOB
    noise = cv2.resize(points, size, interpolation=cv2.INTER_CUBIC)[_BLOB:-_BLOB, _BLOB:-_BLOB]
    return cv2.normalize(noise, numpy.zeros_like(noise), 0, 1, cv2.NORM_MINMAX)
