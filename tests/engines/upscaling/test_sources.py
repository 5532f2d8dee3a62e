"""Which files show the marks of their compression."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from server.engines.upscaling import is_damaged

_ALPHA = Image.new("RGBA", (9, 9), (200, 30, 40, 128))
_FRAMES = {"save_all": True, "append_images": [Image.new("RGB", (9, 9), (1, 2, 3))]}


@pytest.mark.parametrize(
    ("kind", "options", "damaged"),
    [
        ("JPEG", {}, True),
        ("JPEG", {"quality": 85, "progressive": True, "exif": b"Exif\x00\x00" + bytes(31)}, True),
        ("JPEG", {"quality": 95, "icc_profile": bytes(3000)}, False),
        ("JPEG", {"qtables": [[300] * 64] * 2}, True),
        ("WEBP", {"lossless": False}, True),
        ("WEBP", {"lossless": False, "exif": b"Exif\x00\x00" + bytes(31)}, True),
        ("WEBP", {"lossless": True}, False),
        ("WEBP", {"lossless": False, **_FRAMES}, True),
        ("WEBP", {"lossless": True, **_FRAMES}, False),
        ("PNG", {}, False),
        ("GIF", {}, False),
        ("BMP", {}, False),
    ],
)
def test_by_format(kind: str, options: dict, damaged: bool, tmp_path: Path):
    """JPEG and lossy WebP are damaged, whatever else the file holds; the finest JPEG and all else is not."""
    for picture in (_ALPHA, _ALPHA.convert("RGB")):
        path = tmp_path / "picture"
        (picture.convert("RGB") if kind in ("JPEG", "BMP") else picture).save(path, kind, **options)
        assert is_damaged(path) is damaged


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF\x00\x00\x00\x00WEBP", b"RIFF\x00\x00\x00\x00WEBPVP8X", b"no"])
def test_broken_files(content: bytes, tmp_path: Path):
    """A file that breaks off is not called damaged, and is no failure."""
    path = tmp_path / "picture"
    path.write_bytes(content)
    assert not is_damaged(path)


def test_a_broken_jpeg(tmp_path: Path):
    """A JPEG that tells nothing of its quality counts as damaged."""
    path = tmp_path / "picture"
    path.write_bytes(b"\xff\xd8\xff\xe0\x00")
    assert is_damaged(path)
