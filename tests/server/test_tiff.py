"""TIFF on its way into the server."""

from __future__ import annotations

import io
import struct
import time
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
import pyvips
from PIL import Image

from server import containers
from server.containers import Damaged, Unread
from server.errors import InvalidParameter, ValueTooLarge
from server.imaging import admit
from server.task import Limits, NewImage
from tests.pictures.drawing import photo
from tests.tasks.desk import encoded

PHOTO = photo(96, 64)
GREY = PHOTO.convert("L")
CLEAR = PHOTO.copy()
CLEAR.putalpha(Image.linear_gradient("L").resize(PHOTO.size))
DEEP = numpy.asarray(GREY).astype(numpy.uint16) * 257

Take = Callable[..., Image.Image]


@pytest.fixture
def take(tmp_path: Path) -> Take:
    """Admit bytes as an image; what is stored, decoded."""

    def taken(data: bytes, limits: Limits | None = None) -> Image.Image:
        (tmp_path / "sent[x=1]").write_bytes(data)
        found: NewImage = admit(tmp_path / "sent[x=1]", lambda suffix: tmp_path / f"kept{suffix}", limits or Limits())
        assert found.format == "PNG"
        image = Image.open(io.BytesIO(found.path.read_bytes()))
        assert image.size == (found.width, found.height)
        return image

    return taken


def tiff(picture: Image.Image | numpy.ndarray, **options) -> bytes:
    return encoded(picture, "TIFF", **options)


def other(picture: Image.Image, **options) -> bytes:
    """A TIFF by another writer, which knows tiles and big-endian files."""
    return pyvips.Image.new_from_array(numpy.asarray(picture)).tiffsave_buffer(**options)


def with_tag(data: bytes, tag: int, value: int) -> bytes:
    """A little-endian TIFF with one number of its directory changed."""
    (start,) = struct.unpack_from("<I", data, 4)
    for index in range(struct.unpack_from("<H", data, start)[0]):
        place = start + 2 + 12 * index
        found, kind = struct.unpack_from("<HH", data, place)
        if found == tag:
            changed = bytearray(data)
            struct.pack_into("<H" if kind == 3 else "<I", changed, place + 8, value)
            return bytes(changed)
    raise KeyError(tag)


def big_endian(size: tuple[int, int], pixels: bytes) -> bytes:
    """A plain grey TIFF with the big end first."""
    tags = [(256, size[0]), (257, size[1]), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (279, len(pixels))]
    entries = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in tags)
    directory = struct.pack(">H", len(tags)) + entries + bytes(4)
    return b"MM\0*" + struct.pack(">I", 8 + len(pixels)) + pixels + directory


EXACT = {
    "RGB": (tiff(PHOTO), PHOTO),
    "LZW": (tiff(PHOTO, compression="tiff_lzw"), PHOTO),
    "deflate": (tiff(PHOTO, compression="tiff_adobe_deflate"), PHOTO),
    "runs": (tiff(PHOTO, compression="packbits"), PHOTO),
    "RGBA": (tiff(CLEAR), CLEAR),
    "grey": (tiff(GREY), GREY),
    "grey with alpha": (tiff(CLEAR.convert("LA")), CLEAR.convert("LA")),
    "white is zero": (other(GREY, miniswhite=True), GREY),
    "palette": (tiff(PHOTO.quantize(64)), PHOTO.quantize(64).convert("RGB")),
    "one bit": (tiff(PHOTO.convert("1")), PHOTO.convert("1").convert("L")),
    "fax": (tiff(PHOTO.convert("1"), compression="group4"), PHOTO.convert("1").convert("L")),
    "16 bit": (tiff(DEEP), GREY),
    "tiles": (other(PHOTO, tile=True, tile_width=32, tile_height=16, compression="deflate"), PHOTO),
    "strips": (tiff(PHOTO, compression="tiff_lzw", strip_size=96 * 3 * 7), PHOTO),
    "big end first": (big_endian(GREY.size, GREY.tobytes()), GREY),
    "first of several": (tiff(PHOTO, save_all=True, append_images=[GREY]), PHOTO),
}


@pytest.mark.parametrize("kind", EXACT)
def test_pixels(kind: str, take: Take):
    """A TIFF is stored as a PNG with the same pixels, of its first picture."""
    data, expected = EXACT[kind]
    assert containers.sniff(data[: containers.HEAD]) == "TIFF"
    facts = containers.read(data)
    assert (facts.width, facts.height) == expected.size
    found = take(data)
    assert found.convert(expected.mode).tobytes() == expected.tobytes()


def test_other_colours(take: Take):
    """JPEG within a TIFF and CMYK look like what they are."""
    inner = take(tiff(PHOTO, compression="jpeg", quality=95))
    assert numpy.abs(numpy.asarray(inner, int) - numpy.asarray(PHOTO, int)).mean() < 4
    subsampled = take(other(PHOTO, compression="jpeg", Q=80))
    assert numpy.abs(numpy.asarray(subsampled, int) - numpy.asarray(PHOTO, int)).mean() < 12
    printed = take(tiff(Image.new("CMYK", (9, 9), (255, 0, 255, 0))))
    assert printed.convert("RGB").getpixel((4, 4)) == (0, 255, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(take: Take, orientation: int):
    """A TIFF is turned upright."""
    from PIL import ImageOps

    exif = Image.Exif()
    exif[274] = orientation
    data = tiff(PHOTO, exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert take(data).tobytes() == expected.tobytes()


def test_smaller(take: Take):
    """A TIFF larger than images may be stored at is made smaller."""
    assert take(tiff(PHOTO), Limits(max_side=48)).size == (48, 32)


PLAIN, PACKED = tiff(PHOTO), tiff(PHOTO, compression="tiff_lzw")


@pytest.mark.parametrize(
    "data",
    [
        PLAIN[:6], PLAIN[:60], PLAIN[:-1], b"II*\0\x08\0\0\0", b"II*\0" + bytes(64), b"MM\0*\0\0\0\1" + bytes(20),
        with_tag(PLAIN, 256, 0), with_tag(PLAIN, 257, 65_000), with_tag(PLAIN, 278, 1), with_tag(PLAIN, 273, 10**9),
        with_tag(PLAIN, 279, 0), other(PHOTO, tile=True)[:-1000],
    ],
)  # fmt: skip
def test_damaged(data: bytes):
    """A TIFF that is cut off or contradicts itself is damaged."""
    with pytest.raises(Damaged):
        containers.read(data)


@pytest.mark.parametrize(
    "data",
    [
        tiff(PHOTO.convert("F")), tiff(PHOTO.convert("I")), tiff(PHOTO.convert("LAB")),
        tiff(PHOTO, compression="zstd"), with_tag(PLAIN, 259, 6), with_tag(PLAIN, 262, 32803),
        with_tag(PLAIN, 277, 7), other(PHOTO, bigtiff=True),
    ],
)  # fmt: skip
def test_unread(data: bytes):
    """A TIFF of a kind that is not read is refused as what it is."""
    with pytest.raises(Unread, match=r"TIFF|raw file"):
        containers.read(data)


def test_many_times():
    """A TIFF that names the same long list thousands of times is read no slower than one that names it once."""
    pieces, entry = 2**18, struct.pack("<HHII", 273, 3, 2**18, 8)
    start = 8 + 2 * pieces
    data = b"II*\0" + struct.pack("<I", start) + bytes(2 * pieces) + struct.pack("<H", 60_000) + entry * 60_000
    began = time.process_time()
    with pytest.raises(Damaged, match="size"):
        containers.read(data)
    assert time.process_time() - began < 2


def test_broken_pixels(take: Take):
    """A TIFF whose compressed pixels do not decode is refused."""
    middle = len(PACKED) // 2
    broken = PACKED[:middle] + bytes(200) + PACKED[middle + 200 :]
    with pytest.raises(InvalidParameter):
        take(broken)


def test_limits(take: Take):
    """What a TIFF needs to be decoded counts, and a face's own bounds on an image too."""
    for limits in (Limits(max_decoded=10_000), Limits(max_area=96 * 64 - 1), Limits(max_bytes=len(PLAIN) - 1)):
        with pytest.raises(ValueTooLarge):
            take(PLAIN, limits)
    take(tiff(PHOTO, compression="tiff_lzw", strip_size=96 * 3 * 4), Limits(max_decoded=10_000, max_area=96 * 64))
