"""The byte-level view of image files: what kind, how large, complete or not, and a copy that identifies nobody.

Nothing is decoded here and nothing beyond the standard library is used. `read` walks a file's structure to its
real end, so that a file that was cut off or lies about itself is refused before a decoder sees it.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from server.containers import bmp, gif, jpeg, png, tiff, webp
from server.containers.facts import Copy, Damaged, Data, Facts, Unread
from server.containers.png import check_rows

__all__ = [
    "FORMATS",
    "Copy",
    "Damaged",
    "Data",
    "Facts",
    "Unread",
    "check_rows",
    "mapped",
    "read",
    "resembles",
    "sniff",
]

Format = Literal["JPG", "PNG", "WEBP", "GIF", "BMP", "TIFF"]

FORMATS = "JPEG, PNG, WebP, GIF, BMP and TIFF"
HEAD = 512
"""As many bytes from a file's beginning are enough to tell its kind."""
_SMALL = 2**20
_PATH = 3072
"""Some paths are base64 too; none gives more bytes."""

_READERS = {
    "JPG": jpeg.read, "PNG": png.read, "WEBP": webp.read, "GIF": gif.read, "BMP": bmp.read, "TIFF": tiff.read,
}  # fmt: skip
_FAMILIES = {
    b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"hevc": "HEIC", b"heim": "HEIC",
    b"mif1": "HEIF", b"msf1": "HEIF", b"crx ": "a camera's raw file", b"jxl ": "JPEG XL",
}  # fmt: skip
_OTHERS = (
    (b"II+\0", "BigTIFF"), (b"MM\0+", "BigTIFF"), (b"%PDF", "PDF"),
    (b"8BPS", "a Photoshop document"), (b"\0\0\1\0", "an icon (ICO)"), (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"), (b"\0\0\0\x0cjP  ", "JPEG 2000"), (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x76\x2f\x31\x01", "OpenEXR"), (b"#?RADIANCE", "Radiance HDR"), (b"qoif", "QOI"), (b"FLIF", "FLIF"),
    (b"%!PS", "PostScript"), (b"\xc5\xd0\xd3\xc6", "PostScript"), (b"gimp xcf", "a GIMP document"),
    (b"SIMPLE  =", "FITS"), (b"DDS ", "DDS"), (b"\x1aE\xdf\xa3", "a WebM or Matroska video"),
    (b"PK\3\4", "a ZIP archive"), (b"BLP", "BLP"), (b"\x8aMNG", "MNG"), (b"AT&TFORM", "DjVu"),
)  # fmt: skip


def sniff(head: bytes) -> Format | None:
    """The kind of image file that begins with these bytes, of the kinds that are read here."""
    if head.startswith(b"\xff\xd8\xff"):
        return "JPG"
    if head.startswith(png.SIGNATURE):
        return "PNG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if head[:2] == b"BM" and head[15:18] == b"\0\0\0":
        return "BMP"
    if head[:4] in (b"II*\0", b"MM\0*"):
        return "TIFF"
    return None


def resembles(head: bytes) -> str | None:
    """What kind of file, readable elsewhere but not here, begins with these bytes; None when unknown."""
    if head[4:8] == b"ftyp":
        return _FAMILIES.get(head[8:12], "a video (MP4)")
    for start, name in _OTHERS:
        if head.startswith(start):
            return name
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<svg") or (text.startswith((b"<?xml", b"<!--", b"<!doctype svg")) and b"<svg" in text):
        return "SVG"
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    return None


@contextmanager
def mapped(path: Path) -> Generator[Data, None, None]:
    """A file's bytes: in memory where it is small, else without reading what is not looked at."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < _SMALL:
            yield file.read(size)
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


def read(data: Data) -> Facts:
    """The facts of an image file, complete as far as its structure tells; raises Damaged or Unread."""
    head = bytes(data[:HEAD])
    kind = sniff(head)
    if kind is not None:
        return _READERS[kind](data)
    other = resembles(head)
    if other is None:
        hint = ", and the server never opens paths" if len(data) <= _PATH else ""
        raise Damaged(f"it is not an image of a known kind{hint}" if head else "it is empty")
    raise Unread(other)
