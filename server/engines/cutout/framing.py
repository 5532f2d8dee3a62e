"""A cut-out's frame: the subject's own box, and how large it may be. Pictures are RGBA."""

from __future__ import annotations

import math

from PIL import Image

_FAINT = 12
"""Alpha up to this is noise around a subject, not part of it."""
_LONGEST = 10_000
"""Pixels that a side may have where the area is bounded."""


def cropped(subject: Image.Image) -> Image.Image:
    """A cut-out cut down to its subject; as it is where there is none."""
    box = subject.getchannel("A").point([255 * (level > _FAINT) for level in range(256)]).getbbox()
    return subject.crop(box) if box else subject


def within(subject: Image.Image, megapixels: float) -> Image.Image:
    """A picture of the same shape with no more than so many millions of pixels; never enlarged."""
    width, height = subject.size
    scale = min(1, math.sqrt(megapixels * 1_000_000 / (width * height)), _LONGEST / max(width, height))
    if scale == 1:
        return subject
    size = max(1, math.floor(width * scale)), max(1, math.floor(height * scale))
    return subject.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
