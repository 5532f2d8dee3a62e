"""What pixels look like: blur, sharpness, greys, light and colour. Transparency stays, but for a blur."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageFilter

_CHANNELS = 3
_MIDDLE = 127.5
_LUMA = (0.213, 0.715, 0.072)
"""The weights of red, green and blue in the saturation of CSS filters."""


def blur(picture: Image.Image, *, sigma: float) -> Image.Image:
    """A Gaussian blur; `sigma` in pixels."""
    gaussian = ImageFilter.GaussianBlur(sigma)
    if picture.mode == "RGB":
        return picture.filter(gaussian)
    return picture.convert("RGBa").filter(gaussian).convert("RGBA")


def sharpen(picture: Image.Image, *, amount: float, radius: float, threshold: int) -> Image.Image:
    """An unsharp mask: `amount` times what a blur of `radius` (its sigma) takes away is added.

    Pixels that the blur changes by no more than `threshold` levels of grey stay as they are.
    """
    original, blurred = picture.convert("RGB"), blur(picture, sigma=radius).convert("RGB")
    sharpened = Image.blend(blurred, original, 1 + amount)
    changed = ImageChops.difference(original, blurred).convert("L")
    mask = changed.point([255 * (level > threshold) for level in range(256)]) if threshold else None
    return _with_alpha(Image.composite(sharpened, original, mask) if mask else sharpened, picture)


def grayscale(picture: Image.Image) -> Image.Image:
    """The picture in greys, by the luma of ITU-R BT.601."""
    return _with_alpha(picture.convert("L").convert("RGB"), picture)


def adjust(picture: Image.Image, *, brightness: float, contrast: float, saturation: float) -> Image.Image:
    """Light and colour by factors, 1 leaves them, in this order, each as the CSS filter of that name."""
    levels = [_contrasted(min(level * brightness, 255), contrast) for level in range(256)]
    changed = picture.convert("RGB").point(levels * _CHANNELS)
    if saturation != 1:
        changed = changed.convert("RGB", _saturation(saturation))
    return _with_alpha(changed, picture)


def _contrasted(level: float, contrast: float) -> int:
    return min(max(round((level - _MIDDLE) * contrast + _MIDDLE), 0), 255)


def _saturation(factor: float) -> tuple[float, ...]:
    """The matrix of the CSS filter `saturate`: rows of red, green, blue and an offset."""
    rows = list[float]()
    for own in range(_CHANNELS):
        rows += [luma * (1 - factor) + factor * (channel == own) for channel, luma in enumerate(_LUMA)]
        rows.append(0)
    return tuple(rows)


def _with_alpha(colours: Image.Image, picture: Image.Image) -> Image.Image:
    if picture.mode == "RGBA":
        colours.putalpha(picture.getchannel("A"))
    return colours
