"""Whether a file's picture has gone through a compression that left its marks."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

_PARTS = 64
"""What is asked for lies within the first few parts of a file; metadata lies around them."""
_TABLE = 64
_FINE = 10
"""Mean step of a JPEG's first table up to which it is as good as no JPEG: quality 92 and better, as most count it."""


def is_damaged(path: Path) -> bool:
    """True for a JPEG, unless it is of the highest quality, and for a lossy WebP. Nothing is decoded."""
    with path.open("rb") as file:
        head = file.read(12)
        if head.startswith(b"\xff\xd8\xff"):
            return _coarse(file)
        return head[:4] == b"RIFF" and head[8:] == b"WEBP" and _lossy(file)


def _coarse(file: BinaryIO) -> bool:
    """Whether a JPEG's first table of quantisation, that of the luma, has large steps; so too if none is found."""
    file.seek(2)
    for _ in range(_PARTS):
        marker, length = file.read(2), int.from_bytes(file.read(2), "big")
        if marker == b"\xff\xdb":
            width = 1 + (file.read(1) > b"\x0f")
            table = file.read(_TABLE * width)
            steps = [int.from_bytes(table[at : at + width], "big") for at in range(0, len(table), width)]
            return sum(steps) > _FINE * _TABLE
        file.seek(max(0, length - 2), 1)
    return True


def _lossy(file: BinaryIO) -> bool:
    """Whether the first picture in a WebP is a VP8 one."""
    for _ in range(_PARTS):
        name, length = file.read(4), int.from_bytes(file.read(4), "little")
        if name in (b"VP8 ", b"VP8L", b""):
            return name == b"VP8 "
        # A frame of an animation holds its picture as chunks after 16 bytes of its own.
        file.seek(16 if name == b"ANMF" else length + length % 2, 1)
    return False
