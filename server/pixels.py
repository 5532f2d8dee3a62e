"""Decoding and encoding: proof that a file decodes, and a smaller, upright, sRGB copy of it in bounded memory.

libvips reads JPEG, PNG, WebP and TIFF from the file in stripes; Pillow checks baseline JPEG, where it costs least,
and reads GIF and BMP, where it is faster or alone. Both are loaded when first needed. Only files that
`server.containers` has found complete come here; they raise Damaged where their pixels are not.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from server.containers import Damaged, Data, Facts, check_rows

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage
    from pyvips import Image as VipsImage

JPEG_QUALITY = 90
WEBP_QUALITY = 90
PNG_LEVEL = 3

_NOTHING, _FILTER_UP = 0, 0x20
"""Flags of libvips: keep no metadata; predict each row of a PNG from the one above."""

_DAMAGED = "its pixels are damaged"
_HARMLESS = ("Invalid SOS parameters", "extraneous bytes before marker", "Unknown Adobe color", "JFIF")
"""Warnings of libjpeg about files that every viewer shows."""
_FLAT_END = 4
_MORE_DATA = bytes(range(1, 251)) * 2


@cache
def _vips() -> Any:
    import pyvips

    pyvips.cache_set_max(0)
    # It warns of every row of a damaged file, and damaged files are refused anyway.
    logging.getLogger("pyvips").setLevel(logging.ERROR)
    return pyvips


@cache
def _pillow() -> Any:
    from PIL import Image

    # Our own limits, taken from the header, stand in for Pillow's, which would warn and refuse on its own.
    Image.MAX_IMAGE_PIXELS = None
    return Image


def check(path: Path, data: Data, facts: Facts) -> None:
    """Prove that a JPEG, PNG or WebP file, whose bytes are `data`, decodes, at the least cost for its kind."""
    if facts.multiscan or facts.format == "WEBP":
        small = min(facts.width, facts.height) < 64
        smaller = {"JPG": {"shrink": 8}, "WEBP": {"scale": 1 / 8}}.get(facts.format, {})
        _in_stripes(facts, lambda fail_on: _opened(path, facts, fail_on, {} if small else smaller).avg())
    elif facts.format == "PNG":
        check_rows(data, facts)
        with path.open("rb") as file:
            # Its other chunks: a file that common readers cannot open is of no use to any task.
            _read(file, "PNG")
    else:
        _check_baseline(data)


def convert(source: Path, facts: Facts, size: tuple[int, int], target: Path) -> None:
    """Write the first frame of an image of these facts at this size: upright, sRGB, without metadata.

    JPEG and WebP stay what they are (WebP also as lossless as it was), everything else becomes PNG.
    """
    if facts.format in ("GIF", "BMP"):
        _redraw_with_pillow(source, facts, size, target)
    else:
        _in_stripes(facts, lambda fail_on: _redraw(source, facts, size, target, fail_on))


def _check_baseline(data: Data) -> None:
    """Decode a JPEG at an eighth of its size, which reads every coded byte.

    Where the coded data ends before the image does, a decoder fills the rest with one colour and only warns.
    So when the end is flat, more data is put there: a complete image ignores it, any other one changes.
    """
    seen = _eighth(data[:])
    width, height = seen.size
    corner = seen.crop((max(0, width - _FLAT_END), height - 1, width, height)).convert("L")
    low, high = corner.getextrema()
    if low == high:
        end = data.rfind(b"\xff\xd9")
        if _eighth(data[:end].rstrip(b"\xff") + _MORE_DATA + data[end:]).tobytes() != seen.tobytes():
            raise Damaged("its pixels are not all there")


def _eighth(data: bytes) -> PillowImage:
    def small(image: PillowImage) -> None:
        image.draft("L", (image.width // 8 or 1, image.height // 8 or 1))
        image.load()

    return _read(io.BytesIO(data), "JPEG", small)


def _read(file: BinaryIO, kind: str, how: Callable[[PillowImage], object] | None = None) -> PillowImage:
    try:
        image = _pillow().open(file, formats=(kind,))
        if how:
            how(image)
    except MemoryError:
        raise
    except Exception as error:
        # Pillow's readers raise whatever a hostile file provokes in them: ValueError, IndexError, struct.error…
        raise Damaged(_DAMAGED) from error
    return image


def _redraw_with_pillow(source: Path, facts: Facts, size: tuple[int, int], target: Path) -> None:
    with source.open("rb") as file:
        image = _read(file, facts.format, lambda image: image.load())
    if image.size != (facts.width, facts.height):
        raise Damaged("its headers give two sizes")
    if image.size != size:
        if image.mode not in ("L", "RGB", "RGBA") or "transparency" in image.info:
            image = image.convert("RGBA" if image.has_transparency_data else "RGB")
        image = image.resize(size, _pillow().Resampling.LANCZOS, reducing_gap=2.0)
    if image.mode in ("1", "L", "P"):
        image.save(target, "PNG", compress_level=PNG_LEVEL)
        return
    bands = len(image.getbands())
    pixels = _vips().Image.new_from_memory(image.tobytes(), *size, bands, "uchar")
    _save(pixels.copy(interpretation="srgb"), facts, target)


def _in_stripes(facts: Facts, work: Callable[[str], object]) -> None:
    """Do work that reads a file through libvips, told what makes it fail.

    A JPEG that was cut off and given an end marker makes it warn, except where only the last rows are lost.
    """
    # With less than this, it fills what it cannot decode of a TIFF with black.
    levels = {"JPG": ("warning", "truncated"), "TIFF": ("error",)}.get(facts.format, ("truncated",))
    for level in levels:
        try:
            work(level)
            return
        except _vips().Error as error:
            if "system error" in str(error) or "unix error" in str(error):
                raise
            if level == levels[-1] or not any(warning in str(error) for warning in _HARMLESS):
                raise Damaged(_DAMAGED) from error


def _opened(path: Path, facts: Facts, fail_on: str, smaller: Mapping[str, float]) -> VipsImage:
    image = _vips().Image
    # The loaders by name: the general one would take options from square brackets in the path.
    loaders = {"JPG": image.jpegload, "PNG": image.pngload, "WEBP": image.webpload, "TIFF": image.tiffload}
    loader = loaders[facts.format]
    return loader(str(path), access="sequential", fail_on=fail_on, **smaller)


def _redraw(source: Path, facts: Facts, size: tuple[int, int], target: Path, fail_on: str) -> None:
    width, height = size if facts.orientation < 5 else size[::-1]
    image = _opened(source, facts, fail_on, _shrink(facts, min(facts.width / width, facts.height / height)))
    image = _srgb(_resized(image, width, height))
    if facts.orientation != 1:
        image = image.copy_memory().copy()
        image.set_type(_vips().GValue.gint_type, "orientation", facts.orientation)
        image = image.autorot()
    _save(image, facts, target)


def _shrink(facts: Facts, factor: float) -> Mapping[str, float]:
    """What a decoder may leave out already, so that a good filter still makes it smaller by half."""
    if facts.format == "WEBP" and factor > 2:
        return {"scale": 2 / factor}
    shrink = next((s for s in (8, 4, 2) if factor >= 2 * s), 1)
    return {"shrink": shrink} if facts.format == "JPG" else {}


def _resized(image: VipsImage, width: int, height: int) -> VipsImage:
    if (image.width, image.height) == (width, height):
        return image
    scale, vscale = width / image.width, height / image.height
    if not image.hasalpha():
        return image.resize(scale, vscale=vscale)
    # Colours count as much as they are visible, so that hidden ones do not bleed into edges.
    return image.premultiply().resize(scale, vscale=vscale).unpremultiply().rint().cast(image.format)


def _srgb(image: VipsImage) -> VipsImage:
    """The image as 8-bit sRGB or grey: through its profile, or as what it is without a usable one."""
    if image.get_typeof("icc-profile-data"):
        try:
            return image.icc_transform("srgb", embedded=True, intent="perceptual", depth=8)
        except _vips().Error:
            # A broken profile, or one for other components: viewers pass over it too.
            pass
    if image.interpretation == "cmyk":
        # The plain formula. A press profile of our choice would be seventeen levels off what others show.
        light = 255 - image
        return (light[0:3] * light[3] / 255).rint().cast("uchar").copy(interpretation="srgb")
    if image.format == "ushort":
        return image.colourspace("b-w" if image.bands < 3 else "srgb")
    return image


def _save(image: VipsImage, facts: Facts, target: Path) -> None:
    path = str(target)
    if facts.format == "JPG":
        subsampling = "on" if facts.subsampled else "off"
        image.jpegsave(path, Q=JPEG_QUALITY, subsample_mode=subsampling, keep=_NOTHING)
    elif facts.format == "WEBP":
        effort = 0 if facts.lossless else 2
        image.webpsave(path, Q=WEBP_QUALITY, lossless=facts.lossless, effort=effort, keep=_NOTHING)
    else:
        image.pngsave(path, compression=PNG_LEVEL, filter=_FILTER_UP, keep=_NOTHING)
