"""The byte-level view of image files."""

from __future__ import annotations

import random
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from server import containers
from server.containers import Damaged, Facts, Unread
from tests.pictures.drawing import photo
from tests.pictures.files import VARIANTS, animated, encoded, interlaced_png, opened, profile
from tests.pictures.metadata import (
    HARMLESS_XMP,
    MODEL,
    SECRETS,
    TELLING_XMP,
    archive,
    jpeg_with,
    plain_exif,
    png_chunk,
    png_with,
    telling_exif,
    webp_chunks,
    webp_of,
)

SMALL = photo(96, 64)
ORDERS = pytest.mark.parametrize("order", ["<", ">"])


def cleaned(data: bytes, folder: Path) -> bytes:
    """The file as its clean copy."""
    copy = containers.read(data).copy
    assert copy
    copy.write(data, folder / "copy")
    return (folder / "copy").read_bytes()


def facts(data: bytes) -> Facts:
    return containers.read(data)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_kind_is_told_by_the_bytes(name: str) -> None:
    """A file's kind is told by its bytes alone."""
    kind = {"jpeg": "JPG"}.get(name.partition("-")[0], name.partition("-")[0].upper())
    assert containers.sniff(VARIANTS[name]()[: containers.HEAD]) == kind


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"II+\0\x08\0\0\0", "BigTIFF"),
        (b"MM\0+\0\x08\0\0", "BigTIFF"),
        (b"\0\0\0\x20ftypavif\0\0\0\0", "AVIF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "a video (MP4)"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b'<?xml version="1.0"?>\n<!-- by hand --><svg/>', "SVG"),
        (b"%PDF-1.7", "PDF"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b"\0\0\1\0\1\0", "an icon (ICO)"),
        (b"\xff\x0a\xfa\x7f", "JPEG XL"),
        (b"<!DOCTYPE html><html>", "a web page"),
    ],
)
def test_other_kinds_are_named(head: bytes, name: str) -> None:
    """A file of a kind that is not read is refused by its name."""
    assert containers.sniff(head) is None
    with pytest.raises(Unread, match=name.replace("(", r"\(").replace(")", r"\)")):
        containers.read(head)


@pytest.mark.parametrize("data", [b"", b"\xff", b"hello", b"BM", b"RIFF\0\0\0\0WAVE", bytes(4096)])
def test_no_image_at_all(data: bytes) -> None:
    """Bytes of no known kind are refused."""
    with pytest.raises(Damaged):
        containers.read(data)


@pytest.mark.parametrize("name", VARIANTS)
def test_size_from_the_header(name: str) -> None:
    """Width and height are known before anything is decoded."""
    found = facts(VARIANTS[name]())
    assert (found.width, found.height) == (160, 120)
    assert found.frames == (2 if "animated" in name else 1)
    assert found.multiscan == (name in ("jpeg-progressive", "png-interlaced"))


def test_what_the_header_says() -> None:
    """Components, depth, loss, subsampling and the way a picture is turned are known from the header."""
    assert facts(encoded(SMALL.convert("CMYK"), "JPG")).components == 4
    assert facts(encoded(SMALL.convert("L"), "JPG")).components == 1
    assert facts(encoded(SMALL.convert("1"), "PNG")).bits == 1
    assert facts(encoded(SMALL.convert("RGBA"), "PNG")).components == 4
    assert facts(encoded(SMALL, "JPG", subsampling="4:2:0")).subsampled
    assert not facts(encoded(SMALL, "JPG", subsampling="4:4:4")).subsampled
    assert facts(encoded(SMALL, "WEBP", lossless=True)).lossless
    assert not facts(encoded(SMALL, "WEBP")).lossless
    for kind in ("JPG", "PNG", "WEBP"):
        assert [facts(encoded(SMALL, kind, exif=plain_exif(n))).orientation for n in range(1, 10)] == [*range(1, 9), 1]


def test_memory_from_the_header() -> None:
    """The memory that a decoder needs at once is known from the header; what comes in stripes needs none."""
    for plain in (encoded(SMALL, "JPG"), encoded(SMALL, "PNG")):
        assert facts(plain).memory == 0
    assert facts(encoded(SMALL, "JPG", progressive=True, subsampling="4:4:4")).memory == 96 * 64 * 3 * 2
    assert facts(encoded(SMALL, "JPG", progressive=True, subsampling="4:2:0")).memory == 96 * 64 * 3
    assert facts(interlaced_png(SMALL)).memory == 96 * 64 * 3
    assert facts(encoded(SMALL, "WEBP", lossless=True)).memory >= 96 * 64 * 4
    assert facts(animated([SMALL] * 2, "GIF")).memory == facts(encoded(SMALL, "GIF")).memory >= 96 * 64 * 4


@pytest.mark.parametrize("name", VARIANTS)
def test_cut_off_files_are_refused(name: str) -> None:
    """A file that was cut off anywhere is refused before it is decoded."""
    data = VARIANTS[name]()
    for part in range(20):
        with pytest.raises(Damaged):
            containers.read(data[: len(data) * part // 20])
    with pytest.raises(Damaged):
        containers.read(data[:-1])


@pytest.mark.parametrize("name", VARIANTS)
def test_damage_never_surprises(name: str) -> None:
    """Whatever bytes are changed, a file is read or refused, and nothing else happens."""
    data = VARIANTS[name]()
    chance = random.Random(name)
    for _ in range(300):
        broken = bytearray(data)
        for _ in range(chance.choice((1, 1, 4))):
            broken[chance.randrange(min(len(data), chance.choice((64, 800, len(data)))))] = chance.randrange(256)
        try:
            found = containers.read(bytes(broken))
        except (Damaged, Unread):
            continue
        assert found.width > 0
        assert found.height > 0


def test_png_checksums() -> None:
    """A PNG with one byte changed anywhere is refused."""
    data = encoded(SMALL, "PNG")
    chance = random.Random(1)
    for at in [*range(8, 60), *(chance.randrange(60, len(data) - 12) for _ in range(50))]:
        broken = bytearray(data)
        broken[at] ^= 1
        with pytest.raises(Damaged):
            containers.read(bytes(broken))


def test_a_missing_restart_interval() -> None:
    """A JPEG that lost a part between two restart markers is refused."""
    data = VARIANTS["jpeg-restarts"]()
    first = next(at for at in range(len(data)) if data[at : at + 2] == b"\xff\xd1")
    second = data.index(b"\xff\xd2", first)
    with pytest.raises(Damaged, match="missing"):
        containers.read(data[:first] + data[second:])


def test_missing_scans() -> None:
    """A progressive JPEG that ends after some of its scans is refused, although every viewer shows something."""
    data = VARIANTS["jpeg-progressive"]()
    last = data.rindex(b"\xff\xda")
    with pytest.raises(Damaged, match="scans"):
        containers.read(data[:last] + b"\xff\xd9")


def test_too_many_scans() -> None:
    """A JPEG with hundreds of scans, each a pass over the whole image for a decoder, is refused."""
    data = VARIANTS["jpeg-progressive"]()
    last = data.rindex(b"\xff\xda")
    with pytest.raises(Damaged, match="scans"):
        containers.read(data[:last] + data[last:-2] * 200 + b"\xff\xd9")


@pytest.mark.parametrize("name", [name for name in VARIANTS if name.startswith(("jpeg", "png", "webp"))])
def test_a_clean_file_is_its_own_copy(name: str, tmp_path: Path) -> None:
    """A file without anything to remove would be copied byte for byte."""
    data = VARIANTS[name]()
    if "animated" not in name:
        copy = facts(data).copy
        assert copy
        assert copy.is_all_of(data)
    assert opened(cleaned(data, tmp_path)).tobytes() == opened(data).tobytes()


@pytest.mark.parametrize("name", [name for name in VARIANTS if name.startswith(("jpeg", "png", "webp"))])
def test_what_is_appended_goes(name: str, tmp_path: Path) -> None:
    """Whatever follows the image's real end is left out of the copy."""
    data = VARIANTS[name]()
    assert cleaned(data + archive(), tmp_path) == cleaned(data, tmp_path)


@ORDERS
def test_jpeg_metadata(order: str, tmp_path: Path) -> None:
    """A JPEG loses what identifies, keeps the rest of its EXIF, its profile and comment, and no pixel changes."""
    plain = encoded(SMALL, "JPG", icc_profile=profile("p3"), comment=b"drawn by a test")
    data = jpeg_with(
        plain,
        (0xE1, telling_exif(order)),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + TELLING_XMP),
        (0xE2, b"MPF\0II*\0second image"),
        (0xED, b"Photoshop 3.0\x008BIM\x04\x04 Jane Roe"),
        (0xE7, b"a maker's own segment, SN-12345678"),
    )
    copy = cleaned(data, tmp_path)
    for secret in (*SECRETS, b"GPS", b"MPF", b"8BIM"):
        assert secret in data
        assert secret not in copy
    image = opened(copy)
    assert image.tobytes() == opened(plain).tobytes()
    assert image.info["icc_profile"] == profile("p3")
    assert image.info["comment"] == b"drawn by a test"
    exif = image.getexif()
    assert dict(exif) | {0x8769: 0} == {0x0110: MODEL.decode(), 0x0112: 1, 0x8769: 0}
    assert dict(exif.get_ifd(0x8769)) == {0x829A: 1 / 250}
    assert not exif.get_ifd(0x8825)


def test_harmless_jpeg_metadata() -> None:
    """A JPEG whose EXIF and XMP identify nobody is kept to the last byte."""
    data = jpeg_with(
        encoded(SMALL, "JPG"),
        (0xE1, plain_exif()),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + HARMLESS_XMP),
    )
    copy = facts(data).copy
    assert copy
    assert copy.is_all_of(data)


def test_jpeg_thumbnails(tmp_path: Path) -> None:
    """A thumbnail in a JPEG's first segment goes, and binary data in a comment too."""
    plain = encoded(SMALL, "JPG")
    assert plain[2:4] == b"\xff\xe0"
    rest = plain[20:]
    data = b"\xff\xd8" + jpeg_with(b"\xff\xd8" + rest, (0xE0, plain[6:18] + b"\x02\x01" + b"secret"))[2:]
    data = data[:26] + jpeg_with(b"\xff\xd8" + data[26:], (0xFE, archive()))[2:]
    assert cleaned(data, tmp_path) == plain


@ORDERS
def test_png_metadata(order: str, tmp_path: Path) -> None:
    """A PNG loses what identifies, keeps its other texts and its profile, and no pixel changes."""
    data = png_with(
        encoded(SMALL, "PNG", icc_profile=profile("p3")),
        (b"eXIf", telling_exif(order)[6:]),
        (b"tEXt", b"Author\0Jane Roe"),
        (b"tEXt", b"parameters\0a castle, steps: 20"),
        (b"tEXt", b"Raw profile type exif\0\nexif\n4\n41424344"),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + TELLING_XMP),
        (b"iTXt", b"Title\0\0\0\0\0a castle"),
        (b"caBX", b"SN-12345678"),
    )
    copy = cleaned(data, tmp_path)
    for secret in (*SECRETS, b"GPS", b"Raw profile", b"caBX"):
        assert secret in data
        assert secret not in copy
    image = opened(copy)
    assert image.tobytes() == SMALL.tobytes()
    assert image.info["parameters"] == "a castle, steps: 20"
    assert image.info["Title"] == "a castle"
    assert image.info["icc_profile"] == profile("p3")
    assert image.getexif()[0x0110] == MODEL.decode()


def test_texts_that_unfold(tmp_path: Path) -> None:
    """A compressed text that unfolds to megabytes, for which common readers refuse a file, is left out."""
    data = png_with(encoded(SMALL, "PNG"), (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(5_000_000))))
    assert cleaned(data, tmp_path) == encoded(SMALL, "PNG")


def test_unknown_critical_chunks() -> None:
    """A PNG with a chunk that must be understood, and is not, is refused."""
    with pytest.raises(Damaged):
        containers.read(png_with(encoded(SMALL, "PNG"), (b"CgBI", b"\x50\0\x20\x02")))


@ORDERS
def test_webp_metadata(order: str, tmp_path: Path) -> None:
    """A WebP loses what identifies, keeps the rest of its EXIF and its profile, and no pixel changes."""
    plain = encoded(SMALL, "WEBP", icc_profile=profile("p3"), exif=telling_exif(order), xmp=TELLING_XMP)
    data = webp_of(*webp_chunks(plain), (b"SNIT", b"Jane Roe's own chunk"))
    copy = cleaned(data, tmp_path)
    for secret in (*SECRETS, b"GPS", b"XMP "):
        assert secret in data
        assert secret not in copy
    image = opened(copy)
    assert image.tobytes() == opened(data).tobytes()
    assert image.info["icc_profile"] == profile("p3")
    assert image.getexif()[0x0110] == MODEL.decode()
    assert "xmp" not in image.info


def test_webp_without_anything_left(tmp_path: Path) -> None:
    """A WebP that loses its only metadata becomes a simple file."""
    data = encoded(SMALL, "WEBP", xmp=TELLING_XMP)
    assert cleaned(data, tmp_path) == encoded(SMALL, "WEBP")


def test_first_frame_of_an_animated_png(tmp_path: Path) -> None:
    """An animated PNG gives its first frame as it is coded."""
    copy = opened(cleaned(animated([SMALL, SMALL.rotate(180)], "PNG"), tmp_path))
    assert not getattr(copy, "is_animated", False)
    assert copy.tobytes() == SMALL.tobytes()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_first_frame_of_an_animated_webp(mode: str, tmp_path: Path) -> None:
    """An animated WebP whose first frame fills the canvas gives it as it is coded, with its profile."""
    frames = [SMALL.convert(mode), SMALL.rotate(180).convert(mode)]
    frames[0].putpixel((0, 0), (1, 2, 3, 4)[: len(mode)])
    data = animated(frames, "WEBP", lossless=True, exact=True, icc_profile=profile("p3"))
    copy = opened(cleaned(data, tmp_path))
    assert not copy.is_animated
    assert copy.convert(mode).tobytes() == frames[0].tobytes()
    assert copy.info["icc_profile"] == profile("p3")


def test_a_first_frame_smaller_than_the_canvas() -> None:
    """An animated WebP whose first frame is a part of the canvas has to be decoded."""
    chunks = webp_chunks(animated([SMALL, SMALL.rotate(180)], "WEBP"))
    head = bytearray(dict(chunks)[b"VP8X"])
    head[4] += 10
    assert facts(webp_of((b"VP8X", bytes(head)), *chunks[1:])).copy is None


def test_lying_sizes() -> None:
    """A file whose headers contradict each other is refused."""
    chunks = webp_chunks(encoded(SMALL, "WEBP", xmp=HARMLESS_XMP))
    head = bytearray(chunks[0][1])
    head[4] += 10
    with pytest.raises(Damaged, match="two sizes"):
        containers.read(webp_of((b"VP8X", bytes(head)), *chunks[1:]))
    bmp = bytearray(encoded(SMALL, "BMP"))
    bmp[18:26] = struct.pack("<ii", 30000, 30000)
    with pytest.raises(Damaged):
        containers.read(bytes(bmp))
    for size in ((0, 64), (96, 0), (2**31, 64)):
        png = bytearray(encoded(SMALL, "PNG"))
        png[8:33] = png_chunk(b"IHDR", struct.pack(">II", *size) + bytes(png[24:29]))
        with pytest.raises(Damaged):
            containers.read(bytes(png))


def test_kinds_of_jpeg_that_are_not_read() -> None:
    """JPEG with arithmetic coding, 12 bits or without loss is refused by its name."""
    data = encoded(SMALL, "JPG")
    start = data.index(b"\xff\xc0")
    for marker, name in ((0xC9, "arithmetic"), (0xC3, "lossless"), (0xC5, "hierarchical")):
        with pytest.raises(Unread, match=name):
            containers.read(data[: start + 1] + bytes((marker,)) + data[start + 2 :])
    with pytest.raises(Unread, match="12 bits"):
        containers.read(data[: start + 4] + b"\x0c" + data[start + 5 :])


@pytest.mark.parametrize("name", VARIANTS)
def test_large_files_are_mapped(name: str, tmp_path: Path) -> None:
    """A file says the same whether it is in memory or mapped."""
    path = tmp_path / "file"
    data = VARIANTS[name]()
    path.write_bytes(data + bytes(2**20) if name.startswith(("jpeg", "png", "webp")) else data)
    with containers.mapped(path) as mapped:
        found = containers.read(mapped)
    assert found == facts(data)


def test_an_image_of_one_pixel() -> None:
    """The smallest images are read."""
    for kind in ("JPG", "PNG", "WEBP", "GIF", "BMP"):
        found = facts(encoded(Image.new("RGB", (1, 1), "red"), kind))
        assert (found.width, found.height) == (1, 1)
