"""Pictures as tasks work on them: decoded from a file the server has admitted, and encoded as a client asked."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from server.errors import InvalidParameter, UnsupportedImageFormat
from server.task import OutputParams

Image.MAX_IMAGE_PIXELS = None  # our own limits, taken from the header, stand in for Pillow's
_WHITE = (255, 255, 255)
_FINE_CHROMA = 90
"""From this quality on, a JPEG keeps colour at full resolution."""
_PNG_LEVEL = 3
_OPAQUE = ("JPG", "BMP", "GIF")
"""File types without transparency, or without any that is worth having."""


def size_of(path: Path) -> tuple[int, int]:
    """Width and height that a file's header tells; (0, 0) when it tells none."""
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, ValueError, SyntaxError):
        return 0, 0


def opened(path: Path, parameter: str) -> Image.Image:
    """A file decoded: mode RGB, or RGBA where some pixel is not opaque; 8 bit, upright, sRGB."""
    try:
        with Image.open(path) as image:
            profile = image.info.get("icc_profile")
            upright = ImageOps.exif_transpose(image)
            return _in_srgb(_plain(upright), profile)
    except UnidentifiedImageError as unread:
        sentence = "This task works on pixels, and the image named is not one of them, such as an SVG."
        raise UnsupportedImageFormat(sentence, parameter=parameter) from unread
    except (OSError, ValueError, SyntaxError) as damaged:
        raise InvalidParameter("The image cannot be decoded. Upload it anew.", parameter=parameter) from damaged


def _plain(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = _eight_bit(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        low, _ = rgba.getchannel("A").getextrema()
        return rgba if isinstance(low, int) and low < 255 else rgba.convert("RGB")
    return image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey with its whole range kept; Pillow's own conversion would cut it off at 255."""
    return image.convert("I").point(lambda level: level / 257).convert("L")


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if not profile:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        alpha = image.getchannel("A") if image.mode == "RGBA" else None
        flat = ImageCms.profileToProfile(image.convert("RGB"), source, ImageCms.createProfile("sRGB"))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # a profile that cannot be read, or of another colour model: as if there were none
    if flat is None:
        return image
    if alpha:
        flat.putalpha(alpha)
    return flat


def encode(picture: Image.Image, params: OutputParams, path: Path) -> None:
    """Write a picture (L, RGB, RGBA) in the format and quality of params, without metadata."""
    options: dict[str, Any] = {
        "JPG": {
            "format": "JPEG",
            "quality": params.output_quality,
            "subsampling": 0 if params.output_quality >= _FINE_CHROMA else 2,
        },
        "PNG": {"format": "PNG", "compress_level": _PNG_LEVEL},
        "WEBP": {"format": "WEBP", "quality": params.output_quality, "method": 4},
        "BMP": {"format": "BMP"},
        "TIFF": {"format": "TIFF", "compression": "tiff_adobe_deflate"},
        "GIF": {"format": "GIF"},
    }[params.output_format]
    picture.info.clear()
    shown = flattened(picture) if params.output_format in _OPAQUE else picture
    (_of_few_colours(shown) if options["format"] == "GIF" else shown).save(path, **options)


def _of_few_colours(picture: Image.Image) -> Image.Image:
    """A picture of at most 256 colours, chosen for it, which are mixed by dots."""
    if picture.mode == "L":
        return picture
    return picture.quantize(palette=picture.quantize(256), dither=Image.Dither.FLOYDSTEINBERG)


def flattened(picture: Image.Image, colour: tuple[int, int, int] = _WHITE) -> Image.Image:
    """A picture with what is transparent laid over a colour."""
    if picture.mode != "RGBA":
        return picture
    ground = Image.new("RGB", picture.size, colour)
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground
