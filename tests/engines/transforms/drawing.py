"""Pictures whose pixels say where they came from."""

from __future__ import annotations

import numpy
from PIL import Image
from skimage import data

CLEAR = (0, 0, 0, 0)
RED = (255, 0, 0, 255)


def cat(width: int = 150, height: int = 100) -> Image.Image:
    """A photograph."""
    return Image.fromarray(data.chelsea()[100 : 100 + height, 150 : 150 + width])


def ramp(width: int, height: int) -> Image.Image:
    """Red grows to the right and green downwards, from 0 to 255."""
    across, down = numpy.linspace(0, 255, width), numpy.linspace(0, 255, height)
    picture = numpy.zeros((height, width, 3), numpy.uint8)
    picture[..., 0], picture[..., 1] = across.round()[None], down.round()[:, None]
    return Image.fromarray(picture)


def cut_out(width: int = 64, height: int = 64) -> Image.Image:
    """White in the middle, and around it black that is not to be seen."""
    picture = numpy.zeros((height, width, 4), numpy.uint8)
    picture[height // 4 : -(height // 4), width // 4 : -(width // 4)] = 255
    return Image.fromarray(picture)


def pixels(picture: Image.Image) -> numpy.ndarray:
    """Height × width × channels, wide enough to be subtracted."""
    return numpy.asarray(picture).astype(int)


def seen(picture: Image.Image) -> numpy.ndarray:
    """The colours of all pixels that can be seen at all clearly."""
    found = pixels(picture)
    return found[found[..., 3] > 8][:, :3]
