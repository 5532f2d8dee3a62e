"""What the pictures show: something like a photo, and something whose corners tell how it is turned."""

from __future__ import annotations

import numpy as np
from PIL import Image

CORNERS = ((220, 30, 30), (30, 200, 30), (30, 30, 220), (220, 220, 30))
"""Top left, top right, bottom right, bottom left."""


def photo(width: int = 640, height: int = 480, seed: int = 1, detail: float = 3) -> Image.Image:
    """Soft shapes of all sizes and some grain; no part of it is flat."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    # As in photos, colour changes more slowly than brightness: the finest shapes are grey.
    for cell, channels in ((8, 1), (32, 3), (128, 3)):
        coarse = random.normal(0, 1, (height // cell + 2, width // cell + 2, channels)).astype(np.float32)
        layers = (
            Image.fromarray(coarse[..., c]).resize((width, height), Image.Resampling.BICUBIC) for c in range(channels)
        )
        total += np.stack([np.asarray(layer) for layer in layers], axis=-1) * cell**0.5
    total = 128 + total * (50 / total.std())
    total += random.normal(0, detail, (height, width, 1))
    return Image.fromarray(np.clip(total, 0, 255).astype(np.uint8))


def corners(width: int = 64, height: int = 48) -> Image.Image:
    """Four quarters in four colours."""
    image = Image.new("RGB", (width, height))
    half, middle = width // 2, height // 2
    boxes = ((0, 0, half, middle), (half, 0, width, middle), (half, middle, width, height), (0, middle, half, height))
    for colour, box in zip(CORNERS, boxes, strict=True):
        image.paste(colour, box)
    return image


def faded(image: Image.Image) -> Image.Image:
    """The image with an alpha that runs from clear on the left to solid on the right."""
    ramp = np.linspace(0, 255, image.width).astype(np.uint8)
    image = image.convert("RGBA")
    image.putalpha(Image.fromarray(np.tile(ramp, (image.height, 1))))
    return image


def difference(one: Image.Image, other: Image.Image) -> float:
    """How far two images are apart on average, in levels of 255, as far as they are visible; sizes must agree."""
    assert one.size == other.size
    mode = "RGBa" if "A" in one.getbands() + other.getbands() else "RGB"
    pair = [np.asarray(image.convert(mode.upper()).convert(mode), np.int16) for image in (one, other)]
    return float(np.abs(pair[0] - pair[1]).mean())
