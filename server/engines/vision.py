"""OpenCV and NumPy as every engine uses them: one thread, no OpenCL, repeatable randomness.

The workers take a core each; threads of a library's own would only fight over them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy
import numpy.typing

Array = numpy.typing.NDArray[Any]
"""A picture is height × width (× channels), `uint8`, channels in the order red, green, blue (, alpha)."""
Progress = Callable[[float, str], None]
"""Say how far the work is, 0 to 1, and what it is doing; may raise to end it."""

cv2.setNumThreads(1)
cv2.ocl.setUseOpenCL(False)
cv2.setRNGSeed(7)


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


def silent(fraction: float, stage: str) -> None:
    """A Progress that nobody hears."""
