"""Colours as clients write them."""

from __future__ import annotations

from PIL import ImageColor

from server.errors import InvalidParameter

Colour = tuple[int, int, int, int]
"""Red, green, blue, alpha, 0 to 255."""


def colour(written: str | list[int], parameter: str) -> Colour:
    """A colour from `#rgb`, `#rgba`, `#rrggbb`, `#rrggbbaa`, a CSS name or [r, g, b] with or without alpha.

    Raises InvalidParameter, told about `parameter`, for a name that CSS does not have.
    """
    if isinstance(written, list):
        red, green, blue, *alpha = written
        return red, green, blue, alpha[0] if alpha else 255
    if written.lower() == "transparent":
        return 0, 0, 0, 0
    try:
        red, green, blue, *alpha = ImageColor.getrgb(written)
    except ValueError as error:
        sentence = f"{written} is no CSS colour name. Write #rrggbb, #rrggbbaa, a name such as white or [r, g, b, a]."
        raise InvalidParameter(sentence, parameter=parameter) from error
    return red, green, blue, alpha[0] if alpha else 255
