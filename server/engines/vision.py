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


def silent(fraction: float, stage: str) -> None:
    """A Progress that nobody hears."""
