"""Whether a file's picture has gone through a compression that left its marks."""

from __future__ import annotations

from pathlib import Path

_JPEG = b"\xff\xd8\xff"
_CHUNKS = 64
"""A WebP has its pixels within the first few chunks; metadata lies around them."""


def is_damaged(path: Path) -> bool:
    """True for a JPEG and for a lossy WebP, by the first bytes; nothing is decoded."""
    with path.open("rb") as file:
        head = file.read(12)
        if head.startswith(_JPEG):
            return True
        if head[:4] != b"RIFF" or head[8:] != b"WEBP":
            return False
        for _ in range(_CHUNKS):
            about = file.read(8)
            name, length = about[:4], int.from_bytes(about[4:], "little")
            if name in (b"VP8 ", b"VP8L", b""):
                return name == b"VP8 "
            # A frame of an animation holds its picture as chunks after 16 bytes of its own.
            file.seek(16 if name == b"ANMF" else length + length % 2, 1)
    return False
