"""Other sizes: the five fits of CSS and of the usual image servers."""

from __future__ import annotations

from PIL import Image

from server.engines.transforms.colours import Colour, over
from server.engines.transforms.sizes import Size, bounded, placed, scaled


def resize(
    picture: Image.Image,
    *,
    width: int | None,
    height: int | None,
    fit: str,
    gravity: str,
    background: Colour,
    enlarge: bool,
) -> Image.Image:
    """The picture at another size, by the Lanczos filter.

    `fit` is how a picture of another shape goes into width × height: `cover` fills it and cuts off what stands
    out, `contain` lies in it on `background`, `fill` distorts, `inside` is as large as goes in, `outside` as small as
    covers it. With only one side given, the other follows. Without `enlarge`, pixels are never stretched.
    """
    if width is None or height is None:
        fit = "inside"
    across, down = (width or 0) / picture.width, (height or 0) / picture.height
    if not enlarge:
        across, down = min(across, 1), min(down, 1)
    if fit == "fill":
        return _lanczos(picture, scaled(picture.size, across, down))
    factor = max(across, down) if fit in ("cover", "outside") or not (across and down) else min(across, down)
    size = scaled(picture.size, factor, factor)
    target = (width or size[0], height or size[1])
    if fit == "cover":
        return _covering(picture, target, size, factor, gravity)
    if fit == "contain":
        return _contained(picture, target, size, gravity, background)
    return _lanczos(picture, size)


def _lanczos(picture: Image.Image, size: Size, box: tuple[float, float, float, float] | None = None) -> Image.Image:
    bounded(size, "width", "height")
    return picture.resize(size, Image.Resampling.LANCZOS, box)  # Pillow premultiplies by alpha itself


def _covering(picture: Image.Image, target: Size, size: Size, factor: float, gravity: str) -> Image.Image:
    """Only what will be seen is resized: a thin picture is never stretched as a whole."""
    shown = min(target[0], size[0]), min(target[1], size[1])
    across, down = min(shown[0] / factor, picture.width), min(shown[1] / factor, picture.height)
    left, top = placed((across, down), picture.size, gravity)
    return _lanczos(picture, shown, (left, top, left + across, top + down))


def _contained(picture: Image.Image, target: Size, size: Size, gravity: str, background: Colour) -> Image.Image:
    bounded(target, "width", "height")
    left, top = placed(size, target, gravity)
    sheet = Image.new("RGBA", target)
    sheet.paste(_lanczos(picture, size), (int(left), int(top)))
    return over(sheet, background)
