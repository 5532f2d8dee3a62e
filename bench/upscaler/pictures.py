"""What is trained on and what is tested on: never the same pictures."""

from __future__ import annotations

import cv2
import numpy
from skimage import data

from bench.upscaler import leaves

TESTED = ("astronaut", "coffee", "chelsea", "camera")
"""Held out; the mean over these is the figure that is reported."""
TESTED_TOO = ("rocket", "brick", "gravel", "page")
"""Held out as well: no one of them may lose much."""
_PHOTOGRAPHS = ("coins", "moon", "grass", "clock", "hubble_deep_field", "retina", "immunohistochemistry")
_LEAF_SIZE = 288
_PHOTOGRAPHS_SHARE = 0.5


def photograph(name: str) -> numpy.ndarray:
    """A picture of scikit-image as RGB uint8 with even sides."""
    found = getattr(data, name)()
    rgb = numpy.stack([found] * 3, -1) if found.ndim == 2 else found[..., :3]
    return numpy.ascontiguousarray(rgb[: rgb.shape[0] // 2 * 2, : rgb.shape[1] // 2 * 2])


def training(leaf_pictures: int, seed: int) -> tuple[list[numpy.ndarray], numpy.ndarray]:
    """Grey float32 pictures, and how often each is to be drawn (the shares sum to 1)."""
    found = [luma(photograph(name)) for name in _PHOTOGRAPHS] + [luma(data.stereo_motorcycle()[0])]
    # A photograph at half size has finer detail to the pixel, as small pictures of the web have.
    found += [
        cv2.resize(each, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for each in found if min(each.shape) > 480
    ]
    made = [leaves.picture(seed * 100_000 + number, _LEAF_SIZE) for number in range(leaf_pictures)]
    shares = [_PHOTOGRAPHS_SHARE / len(found)] * len(found) + [(1 - _PHOTOGRAPHS_SHARE) / len(made)] * len(made)
    return found + made, numpy.array(shares)


def luma(rgb: numpy.ndarray) -> numpy.ndarray:
    """BT.601, full range, as JPEG has it."""
    return rgb.astype(numpy.float32) @ numpy.array([0.299, 0.587, 0.114], numpy.float32)
