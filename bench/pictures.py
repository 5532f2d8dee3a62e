"""The pictures that are uploaded: made in code, the same on every machine, as hard to compress as photos.

They are kept in the cache folder, because the largest takes some seconds.
"""

from __future__ import annotations

import os
import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pybase64
from PIL import Image, ImageChops

_EDITION = "1"
"""Part of the file names: raise it when a picture changes."""
_GRAIN = 0.13
_REPEATED = 17
"""Rows of the large PNG that repeat the one above: with 400 megapixels it comes to some 45 MB."""

JPEG_1 = ("1 MP JPEG", 1152, 896)
JPEG_12 = ("12 MP JPEG", 4000, 3000)
JPEG_100 = ("100 MP JPEG", 10_000, 10_000)
PNG_400 = ("400 MP PNG", 20_000, 20_000)


def cache() -> Path:
    """The folder for what need not be made anew in each run."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "taskarray-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def picture(name: str, width: int, height: int) -> Path:
    """The file of a picture, made now if need be."""
    kind = name.rsplit(" ", 1)[1].lower()
    path = cache() / f"{name.replace(' ', '-')}-{_EDITION}.{kind}"
    if not path.exists():
        part = path.with_suffix(".part")
        if kind == "png":
            _write_png(part, width, height)
        else:
            _photo(width, height).save(part, "JPEG", quality=85)
        part.replace(path)
    return path


def _photo(width: int, height: int) -> Image.Image:
    """Soft shapes of all sizes and some grain; larger pictures than 12 megapixels are tiles of that."""
    if width * height > 12_500_000:
        return _tiled(width, height)
    source = random.Random(width)
    image = Image.new("RGB", (width, height), (128, 128, 128))
    for cell, share in ((256, 0.6), (64, 0.4), (16, 0.25), (6, 0.1)):
        coarse = _noise(source, width // cell + 2, height // cell + 2)
        image = Image.blend(image, coarse.resize((width, height), Image.Resampling.BICUBIC), share)
    return Image.blend(image, _noise(source, width, height), _GRAIN)


def _tiled(width: int, height: int) -> Image.Image:
    tile = _photo(width // 4, height // 4)
    image = Image.new("RGB", (width, height))
    for place in range(16):
        at = (place % 4 * tile.width, place // 4 * tile.height)
        image.paste(ImageChops.offset(tile, place * 37, place * 91), at)
    return image


def _noise(source: random.Random, width: int, height: int) -> Image.Image:
    return Image.frombytes("RGB", (width, height), source.randbytes(width * height * 3))


def _write_png(path: Path, width: int, height: int) -> None:
    """A PNG that is never held as a whole: rows of fine noise, each followed by repetitions of itself."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head))
        packer = zlib.compressobj(1, strategy=zlib.Z_DEFAULT_STRATEGY)
        for row in _rows(width, height):
            if packed := packer.compress(row):
                file.write(_chunk(b"IDAT", packed))
        file.write(_chunk(b"IDAT", packer.flush()) + _chunk(b"IEND", b""))


def _rows(width: int, height: int) -> Iterator[bytes]:
    """Filtered rows: one of noise that is told as the difference to its left, then rows equal to the one above."""
    source = random.Random(width)
    fine = bytes(byte % 15 for byte in range(256))
    same = b"\x02" + bytes(width * 3)
    for row in range(height):
        if row % (_REPEATED + 1):
            yield same
        else:
            yield b"\x01" + source.randbytes(width * 3).translate(fine)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def data_uri(path: Path) -> bytes:
    """A picture as a client sends it."""
    return f"data:image/{path.suffix[1:]};base64,".encode() + pybase64.b64encode(path.read_bytes())
