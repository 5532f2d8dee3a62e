"""Pictures and colours over and under each other."""

from __future__ import annotations

import numpy
from PIL import Image

from server.engines.transforms.colours import CLEAR, OPAQUE, Colour, over
from server.engines.transforms.resizing import resize
from server.engines.transforms.sizes import Size, placed, scaled


def flatten(picture: Image.Image, *, background: Colour) -> Image.Image:
    """The picture without transparency, on a colour taken as opaque."""
    return over(picture, (*background[:3], OPAQUE))


def composite(
    picture: Image.Image,
    *,
    image: Image.Image | None,
    color: Colour | None,
    fit: str | None,
    x: int | None,
    y: int | None,
    gravity: str,
    opacity: float,
    under: bool,
) -> Image.Image:
    """A layer over the picture or, with `under`, beneath it; the size stays, what stands out is cut off.

    The layer is `image`, its left top corner at `x`, `y` or, where one is None, drawn towards `gravity`; with `fit` it
    is resized to the picture's size before. Without an image it is `color` all over.
    """
    layer = Image.new("RGBA", picture.size, color or CLEAR) if image is None else image
    if fit:
        width, height = picture.size
        layer = resize(layer, width=width, height=height, fit=fit, gravity=gravity, background=CLEAR, enlarge=True)
    across, down = placed(layer.size, picture.size, gravity)
    sheet = Image.new("RGBA", picture.size)
    sheet.paste(_faded(layer, opacity), (int(across) if x is None else x, int(down) if y is None else y))
    return _stacked(sheet, picture) if under else _stacked(picture, sheet)


def watermark(
    picture: Image.Image,
    *,
    image: Image.Image,
    gravity: str,
    margin: int,
    scale: float,
    opacity: float,
    tile: bool,
) -> Image.Image:
    """A mark over the picture, `scale` of its width wide (less where it would be too high), `margin` from its edge.

    With `tile` the mark is repeated all over, `margin` pixels apart.
    """
    factor = min(picture.width * scale / image.width, picture.height / image.height)
    mark = _faded(image.resize(scaled(image.size, factor, factor), Image.Resampling.LANCZOS), opacity)
    if tile:
        return _stacked(picture, _tiled(mark, picture.size, margin))
    room = picture.width - mark.width, picture.height - mark.height
    inner = mark.width + 2 * margin, mark.height + 2 * margin
    left, top = (int(start) + margin for start in placed(inner, picture.size, gravity))
    sheet = Image.new("RGBA", picture.size)
    sheet.paste(mark, (min(max(left, 0), room[0]), min(max(top, 0), room[1])))
    return _stacked(picture, sheet)


def _stacked(lower: Image.Image, upper: Image.Image) -> Image.Image:
    stack = Image.alpha_composite(lower.convert("RGBA"), upper.convert("RGBA"))
    return stack.convert("RGB") if "RGB" in (lower.mode, upper.mode) else stack


def _faded(picture: Image.Image, opacity: float) -> Image.Image:
    faded = picture.convert("RGBA")
    faded.putalpha(faded.getchannel("A").point([round(alpha * opacity) for alpha in range(256)]))
    return faded


def _tiled(mark: Image.Image, size: Size, margin: int) -> Image.Image:
    cell = Image.new("RGBA", (min(mark.width + margin, size[0]), min(mark.height + margin, size[1])))
    cell.paste(mark, ((cell.width - mark.width) // 2, (cell.height - mark.height) // 2))
    times = -(-size[1] // cell.height), -(-size[0] // cell.width), 1
    return Image.fromarray(numpy.tile(numpy.asarray(cell), times)[: size[1], : size[0]])
