"""Colours as clients write them, and pictures laid on them."""

from __future__ import annotations

from PIL import Image, ImageColor

from server.errors import InvalidParameter

Colour = tuple[int, int, int, int]
"""Red, green, blue, alpha, 0 to 255."""

OPAQUE = 255
CLEAR: Colour = (0, 0, 0, 0)


def colour(written: str | list[int], parameter: str) -> Colour:
    """A colour from `#rgb`, `#rgba`, `#rrggbb`, `#rrggbbaa`, a CSS name or [r, g, b] with or without alpha.

    Raises InvalidParameter, told about `parameter`, for a name that CSS does not have.
    """
    if isinstance(written, list):
        red, green, blue, *alpha = written
        return red, green, blue, alpha[0] if alpha else OPAQUE
    if written.lower() == "transparent":
        return CLEAR
    try:
        red, green, blue, *alpha = ImageColor.getrgb(written)
    except ValueError as error:
        sentence = f"{written} is no CSS colour name. Write #rrggbb, #rrggbbaa, a name such as white or [r, g, b, a]."
        raise InvalidParameter(sentence, parameter=parameter) from error
    return red, green, blue, alpha[0] if alpha else OPAQUE


def over(picture: Image.Image, background: Colour) -> Image.Image:
    """The picture on a colour, which shows where the picture is transparent; RGB where the colour is opaque."""
    if picture.mode == "RGB" or not background[3]:
        return picture
    sheet = Image.new("RGBA", picture.size, background)
    sheet.alpha_composite(picture)
    return sheet.convert("RGB") if background[3] == OPAQUE else sheet
