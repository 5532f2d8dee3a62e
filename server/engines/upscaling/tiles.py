"""Pictures in pieces, so that the memory of the work does not grow with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy
from PIL import Image

from server.engines.vision import Array, Progress, cv2

_LUMA = (0.299, 0.587, 0.114)
_STRIP = 256
_REACH = 3
"""The larger kernel, Lanczos', reaches so many pixels of the smaller picture to each side."""


@dataclass(frozen=True)
class Tile:
    """A rectangle of a picture, in pixels."""

    top: int
    left: int
    bottom: int
    right: int

    def of(self, picture: Array, scale: int = 1) -> Array:
        """This rectangle as a view of the picture, or of one so many times larger."""
        return picture[self.top * scale : self.bottom * scale, self.left * scale : self.right * scale]


def tiled(height: int, width: int, side: int) -> list[Tile]:
    """A picture cut into squares of the side, row by row; those at the end are what is left."""
    return [
        Tile(top, left, min(top + side, height), min(left + side, width))
        for top in range(0, height, side)
        for left in range(0, width, side)
    ]


def surrounded(picture: Array, tile: Tile, pad: int, beyond: Literal["edge", "reflect"]) -> Array:
    """A tile with `pad` pixels of its surroundings on every side; beyond the picture they are made of it."""
    rows = _places(tile.top - pad, tile.bottom + pad, picture.shape[0], beyond)
    columns = _places(tile.left - pad, tile.right + pad, picture.shape[1], beyond)
    return picture[numpy.ix_(rows, columns)]


def _places(start: int, stop: int, length: int, beyond: Literal["edge", "reflect"]) -> Array:
    """Which row or column stands at each place; a picture thinner than its surroundings is reflected again."""
    places = numpy.arange(start, stop)
    if beyond == "edge" or length == 1:
        return numpy.clip(places, 0, length - 1)
    period = 2 * length - 2
    places = places % period
    return numpy.minimum(places, period - places)


def luma(picture: Array) -> Array:
    """BT.601, full range: float32 of the picture's height and width, 0 to 255."""
    red, green, blue = (picture[..., channel].astype(numpy.float32) * part for channel, part in enumerate(_LUMA))
    return red + green + blue


def coloured(picture: Array, reach: int) -> Array:
    """The RGB of an RGBA picture where what is wholly transparent has the colour of what lies within `reach`.

    What an encoder left there, black as a rule, is no edge of the picture.
    """
    alpha = picture[..., 3:].astype(numpy.float32) / 255
    side = (2 * reach + 1, 2 * reach + 1)
    weight = cv2.blur(alpha, side)[..., None]
    near = cv2.blur(picture[..., :3] * alpha, side) / numpy.maximum(weight, 1e-6)
    return numpy.where(alpha > 0, picture[..., :3], numpy.clip(near + 0.5, 0, 255).astype(numpy.uint8))


def resized(picture: Array, height: int, width: int, kernel: Image.Resampling) -> Array:
    """The picture at another size by Pillow's bicubic or Lanczos, in strips; transparent pixels lend no colour."""
    result = numpy.empty((height, width, *picture.shape[2:]), numpy.uint8)
    ratio = picture.shape[0] / height
    reach = int(_REACH * max(ratio, 1)) + 2
    for top in range(0, height, _STRIP):
        bottom = min(top + _STRIP, height)
        first = max(0, int(top * ratio) - reach)
        strip = Image.fromarray(picture[first : int(bottom * ratio) + reach])
        box = (0, top * ratio - first, picture.shape[1], min(bottom * ratio - first, strip.height))
        result[top:bottom] = numpy.asarray(strip.resize((width, bottom - top), kernel, box))
    return result


class Steps:
    """Progress over a known number of tiles; its call after each is where a cancelled task ends."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self) -> None:
        self._done += 1
        self._progress(self._done / self._total, f"tile {self._done} of {self._total}")
