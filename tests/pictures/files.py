"""Image files of every kind that a client may send, made in memory."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pyvips
from PIL import Image

from tests.pictures.drawing import faded, photo
from tests.pictures.metadata import png_chunk

KINDS = {"JPG": "JPEG", "PNG": "PNG", "WEBP": "WEBP", "GIF": "GIF", "BMP": "BMP"}
"""The formats by our name, each with Pillow's."""


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """The image as a file of a kind (`JPG`, `PNG`, …)."""
    file = io.BytesIO()
    image.save(file, KINDS[kind], **options)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    """The image in a file, as Pillow sees it."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def animated(images: Sequence[Image.Image], kind: str, **options: object) -> bytes:
    """An animation of these frames."""
    return encoded(images[0], kind, save_all=True, append_images=list(images[1:]), duration=100, **options)


def png(width: int, height: int, bits: int, colour: int, rows: bytes, *, interlaced: bool = False) -> bytes:
    """A PNG with a header of any content over rows of any content."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def png16(levels: np.ndarray) -> bytes:
    """A PNG with 16 bits a component, from an array of height × width × 1, 2, 3 or 4."""
    height, width, channels = levels.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    big = levels.astype(">u2")
    return png(width, height, 16, colour, b"".join(b"\0" + row.tobytes() for row in big))


def interlaced_png(image: Image.Image) -> bytes:
    """An interlaced PNG."""
    return pyvips.Image.new_from_array(np.asarray(image)).pngsave_buffer(interlace=True, keep=0)


def run_length_bmp(image: Image.Image) -> bytes:
    """A BMP of 8-bit grey, run-length encoded."""
    grey = np.asarray(image.convert("L"))[::-1]
    rows = b"".join(b"".join(bytes((1, level)) for level in row) + b"\0\0" for row in grey) + b"\0\1"
    palette = b"".join(bytes((level, level, level, 0)) for level in range(256))
    header = struct.pack("<IiiHHIIiiII", 40, image.width, image.height, 1, 8, 1, len(rows), 0, 0, 256, 0)
    start = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + header + palette + rows


def alpha_bmp(image: Image.Image) -> bytes:
    """A BMP with alpha (version 4 header, bit masks)."""
    bgra = np.asarray(image.convert("RGBA"))[::-1, :, [2, 1, 0, 3]].tobytes()
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 108, image.width, image.height, 1, 32, 3, len(bgra), 0, 0, 0, 0) + masks
    header += b"BGRs" + bytes(48)
    return b"BM" + struct.pack("<IHHI", 14 + 108 + len(bgra), 0, 0, 14 + 108) + header + bgra


def profile(name: str) -> bytes:
    """A colour profile that libvips carries: `p3`, `srgb` or `cmyk`."""
    return pyvips.Operation.call("profile_load", name)


def restarting_jpeg(image: Image.Image) -> bytes:
    """A JPEG with restart markers."""
    return encoded(image, "JPG", quality=90, restart_marker_rows=1)


@cache
def _small() -> tuple[Image.Image, Image.Image]:
    return photo(160, 120), photo(160, 120, seed=2)


VARIANTS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: encoded(_small()[0], "JPG", quality=90),
    "jpeg-progressive": lambda: encoded(_small()[0], "JPG", quality=90, progressive=True),
    "jpeg-restarts": lambda: restarting_jpeg(_small()[0]),
    "jpeg-grey": lambda: encoded(_small()[0].convert("L"), "JPG"),
    "jpeg-cmyk": lambda: encoded(_small()[0].convert("CMYK"), "JPG"),
    "png": lambda: encoded(_small()[0], "PNG"),
    "png-palette": lambda: encoded(_small()[0].quantize(32), "PNG"),
    "png-interlaced": lambda: interlaced_png(_small()[0]),
    "png-animated": lambda: animated(_small(), "PNG"),
    "webp": lambda: encoded(_small()[0], "WEBP", quality=90),
    "webp-lossless": lambda: encoded(_small()[0], "WEBP", lossless=True),
    "webp-alpha": lambda: encoded(faded(_small()[0]), "WEBP", quality=90),
    "webp-animated": lambda: animated(_small(), "WEBP", quality=90),
    "gif": lambda: encoded(_small()[0], "GIF"),
    "gif-animated": lambda: animated(_small(), "GIF"),
    "bmp": lambda: encoded(_small()[0], "BMP"),
    "bmp-palette": lambda: encoded(_small()[0].quantize(16), "BMP"),
    "bmp-runs": lambda: run_length_bmp(_small()[0]),
    "bmp-alpha": lambda: alpha_bmp(faded(_small()[0])),
}
"""One small file of each make, by name."""
