"""Pictures at the size an algorithm works at."""

from __future__ import annotations

from server.engines.vision import Array, cv2, numpy


def shrunk(picture: Array, side: int) -> Array:
    """The picture with its longer side at most `side` px, by area averaging; a small picture as it is."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def to_lab(picture: Array) -> Array:
    """CIE Lab, float32, L from 0 to 100, of an RGB picture."""
    return cv2.cvtColor(picture.astype(numpy.float32) / 255, cv2.COLOR_RGB2LAB)
