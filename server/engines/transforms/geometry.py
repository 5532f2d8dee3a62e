"""Where pixels lie: cropping, padding, turning, mirroring."""

from __future__ import annotations

import math

from PIL import Image

from server.engines.transforms.colours import Colour, over
from server.engines.transforms.sizes import Size, bounded, placed
from server.errors import InvalidParameter

_FLIPS = {"horizontal": Image.Transpose.FLIP_LEFT_RIGHT, "vertical": Image.Transpose.FLIP_TOP_BOTTOM}
_QUARTERS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
_RIM = 2
"""Transparent pixels laid around a picture before it is turned, so that its edges come out smooth."""
_HAIR = 1e-6
"""What rounding may add to a side in pixels before a further pixel is needed."""


def crop(picture: Image.Image, *, x: int | None, y: int | None, width: int, height: int, gravity: str) -> Image.Image:
    """Width × height pixels of the picture, from `x`, `y` or, where one is None, drawn towards `gravity`.

    Raises InvalidParameter for what does not lie within the picture: nothing is made up, nothing silently smaller.
    """
    across, down = placed((width, height), picture.size, gravity)
    left, top = int(across) if x is None else x, int(down) if y is None else y
    for name, start, length, whole in (("width", left, width, picture.width), ("height", top, height, picture.height)):
        if start < 0 or start + length > whole:
            sentence = f"The crop needs pixels {start} to {start + length}; the picture has a {name} of {whole} here."
            raise InvalidParameter(sentence, parameter=name)
    return picture.crop((left, top, left + width, top + height))


def pad(
    picture: Image.Image,
    *,
    amount: int,
    top: int | None,
    right: int | None,
    bottom: int | None,
    left: int | None,
    background: Colour,
) -> Image.Image:
    """The picture with so many pixels of `background` around it; a side that is None gets `amount`."""
    above, after, below, before = (amount if side is None else side for side in (top, right, bottom, left))
    size = picture.width + before + after, picture.height + above + below
    bounded(size, "amount", "amount")
    sheet = Image.new("RGBA", size)
    sheet.paste(picture, (before, above))
    return over(sheet, background)


def flip(picture: Image.Image, *, direction: str) -> Image.Image:
    """The picture mirrored: `horizontal` swaps left and right, `vertical` top and bottom."""
    return picture.transpose(_FLIPS[direction])


def rotate(picture: Image.Image, *, angle: float, expand: bool, background: Colour) -> Image.Image:
    """The picture turned clockwise about its centre by degrees; quarter turns keep every pixel as it is.

    With `expand` the result is as large as the turned picture, else as the picture was. What is bare shows
    `background`.
    """
    angle = angle % 360 % 360  # of an angle just below 0, the first leaves 360
    if angle % 90 == 0:
        turned = picture.transpose(_QUARTERS[int(angle)]) if angle else picture
        return turned if expand or turned.size == picture.size else _centred(turned, picture.size, background)
    radians = math.radians(angle)
    size = _turned(picture.size, radians) if expand else picture.size
    bounded(size, "angle", "angle")
    rimmed = Image.new("RGBA", (picture.width + 2 * _RIM, picture.height + 2 * _RIM))
    rimmed.paste(picture, (_RIM, _RIM))
    turned = rimmed.transform(
        size, Image.Transform.AFFINE, _backwards(rimmed.size, size, radians), Image.Resampling.BICUBIC
    )
    return over(turned, background)


def _centred(picture: Image.Image, size: Size, background: Colour) -> Image.Image:
    left, top = placed(picture.size, size, "center")
    sheet = Image.new("RGBA", size)
    sheet.paste(picture, (int(left), int(top)))
    return over(sheet, background)


def _turned(size: Size, radians: float) -> Size:
    """The box around a picture that is turned."""
    cosine, sine = abs(math.cos(radians)), abs(math.sin(radians))
    across, down = size[0] * cosine + size[1] * sine, size[0] * sine + size[1] * cosine
    return math.ceil(across - _HAIR), math.ceil(down - _HAIR)


def _backwards(source: Size, target: Size, radians: float) -> tuple[float, ...]:
    """The affine map from places in the turned picture to places in the one it is made of, centre to centre."""
    cosine, sine = math.cos(radians), math.sin(radians)
    right, down = target[0] / 2, target[1] / 2
    shift = source[0] / 2 - cosine * right - sine * down, source[1] / 2 + sine * right - cosine * down
    return cosine, sine, shift[0], -sine, cosine, shift[1]
