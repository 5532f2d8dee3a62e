"""From a sharp patch to what a network is given, and to what it is to answer."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy
from numpy.random import Generator
from PIL import Image

Shrink = Callable[[Generator, numpy.ndarray], numpy.ndarray]

_SOFTENED, _FAINT, _NOISY, _NEGATIVE = 0.35, 0.3, 0.25, 0.15
"""Shares of the patches."""
_JPEG = 0.7


def varied(rng: Generator, patch: numpy.ndarray) -> numpy.ndarray:
    """The patch turned, mirrored, and sometimes noisy, soft or faint.

    Without soft and faint patches a network holds every slope for a blurred edge, and sharpens what was smooth
    before it was made small.
    """
    patch = numpy.rot90(patch, rng.integers(4))
    if rng.random() < 0.5:
        patch = patch[:, ::-1]
    patch = numpy.ascontiguousarray(patch)
    if rng.random() < _NEGATIVE:
        patch = 255 - patch
    if rng.random() < _NOISY:
        patch = patch + rng.uniform(1, 12) * rng.standard_normal(patch.shape, numpy.float32)
    if rng.random() < _SOFTENED:
        patch = cv2.GaussianBlur(patch, (0, 0), rng.uniform(0.4, 2.0))
    if rng.random() < _FAINT:
        mean = patch.mean()
        patch = mean + (patch - mean) * rng.uniform(0.1, 0.7)
    return numpy.clip(patch, 0, 255).astype(numpy.float32)


def clean(_: Generator, patch: numpy.ndarray) -> numpy.ndarray:
    """Half the size by Pillow's antialiased bicubic, rounded to bytes."""
    return _bytes(_resized(patch, Image.Resampling.BICUBIC))


def robust(rng: Generator, patch: numpy.ndarray) -> numpy.ndarray:
    """Half the size by one of several kernels, and mostly kept as a JPEG of quality 40 to 97 in between."""
    small = _bytes(_KERNELS[rng.integers(len(_KERNELS))](patch))
    if rng.random() >= _JPEG:
        return small
    kept = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 98))])[1]
    return cv2.imdecode(kept, cv2.IMREAD_GRAYSCALE)


def _resized(patch: numpy.ndarray, kernel: Image.Resampling) -> numpy.ndarray:
    return numpy.asarray(Image.fromarray(patch).resize((patch.shape[1] // 2, patch.shape[0] // 2), kernel))


def _bytes(patch: numpy.ndarray) -> numpy.ndarray:
    return numpy.clip(numpy.round(patch), 0, 255).astype(numpy.uint8)


_KERNELS: tuple[Callable[[numpy.ndarray], numpy.ndarray], ...] = (
    lambda patch: _resized(patch, Image.Resampling.BICUBIC),
    lambda patch: _resized(patch, Image.Resampling.BICUBIC),
    lambda patch: _resized(patch, Image.Resampling.LANCZOS),
    lambda patch: _resized(patch, Image.Resampling.BOX),
    lambda patch: _resized(cv2.GaussianBlur(patch, (0, 0), 0.9), Image.Resampling.BOX),
)
KINDS: dict[str, Shrink] = {"clean": clean, "robust": robust}
"""The networks, by what the pictures they are for have gone through."""
