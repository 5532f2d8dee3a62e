"""What is stored of a client's image, and what is refused."""

from __future__ import annotations

import io
import itertools
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from server.errors import ApiError, InvalidParameter, UnsupportedImageFormat, ValueTooLarge
from server.imaging import admit, fitted
from server.task import Limits, NewImage
from tests.pictures.drawing import CORNERS, corners, difference, faded, photo
from tests.pictures.files import (
    KINDS,
    VARIANTS,
    alpha_bmp,
    animated,
    encoded,
    interlaced_png,
    opened,
    png,
    png16,
    profile,
    run_length_bmp,
)
from tests.pictures.metadata import (
    archive,
    jpeg_with,
    linear_grey_profile,
    plain_exif,
    png_chunk,
    png_with,
    telling_exif,
    webp_chunks,
    webp_of,
)

Admit = Callable[..., tuple[NewImage, Image.Image]]
LARGE = photo(900, 600)
DEFAULT = Limits()
SMALLER = Limits(max_side=300)
"""Limits under which LARGE has to be made smaller to 300 × 200."""


@pytest.fixture
def take(tmp_path: Path) -> Admit:
    """Admits the bytes of a file; gives what is to be stored, and that as Pillow sees it."""
    numbers = itertools.count()

    def admitted(data: bytes, limits: Limits = DEFAULT, **options: str) -> tuple[NewImage, Image.Image]:
        source = tmp_path / f"source{next(numbers)}[x=1]"
        source.write_bytes(data)
        image = admit(source, lambda suffix: tmp_path / f"scratch{next(numbers)}{suffix}", limits, **options)
        stored = opened(image.path.read_bytes())
        assert stored.format == KINDS[image.format]
        assert stored.size == (image.width, image.height)
        assert source.read_bytes() == data
        return image, stored

    return admitted


def srgb(image: Image.Image) -> Image.Image:
    """The image through its own profile to sRGB, as Little CMS does it."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    target = ImageCms.createProfile("sRGB")
    return ImageCms.profileToProfile(image, source, target, outputMode="RGB")


def smaller(image: Image.Image) -> Image.Image:
    """The reference for a smaller image."""
    return image.resize((300, 200), Image.Resampling.LANCZOS)


KEPT = [name for name in VARIANTS if name.startswith(("jpeg", "png", "webp")) and "animated" not in name]
KEPT.remove("jpeg-cmyk")


@pytest.mark.parametrize("name", KEPT)
def test_kept_as_it_came(name: str, take: Admit) -> None:
    """JPEG, PNG and WebP within the cap, upright and with nothing to remove are stored byte for byte."""
    data = VARIANTS[name]()
    image, _ = take(data)
    assert image.path.name.startswith("source")
    assert image.path.read_bytes() == data


@pytest.mark.parametrize("name", KEPT)
def test_kept_without_what_identifies(name: str, take: Admit) -> None:
    """Where something has to be removed, the pixels stay bit by bit."""
    data = VARIANTS[name]()
    image, stored = take(data + archive())
    assert image.path.name.startswith("scratch")
    assert stored.tobytes() == opened(data).tobytes()
    assert image.path.read_bytes() == data


def test_metadata_of_a_phone(take: Admit) -> None:
    """A photo loses its position, also when it has to be made smaller, turned or converted."""
    data = jpeg_with(encoded(LARGE, "JPG"), (0xE1, telling_exif()))
    for limits in (Limits(), SMALLER):
        image, stored = take(data, limits)
        assert b"Jane Roe" not in image.path.read_bytes()
        assert not stored.getexif().get_ifd(0x8825)
    assert not stored.getexif()


@pytest.mark.parametrize("name", ["bmp", "bmp-palette", "bmp-runs", "bmp-alpha", "gif", "gif-animated"])
def test_bmp_and_gif_become_png(name: str, take: Admit) -> None:
    """BMP and GIF are stored as PNG, their pixels and alpha unchanged."""
    data = VARIANTS[name]()
    image, stored = take(data)
    assert image.format == "PNG"
    mode = "RGBA" if "alpha" in name else "RGB"
    assert stored.convert(mode).tobytes() == opened(data).convert(mode).tobytes()


@pytest.mark.parametrize("name", [name for name in VARIANTS if "animated" in name])
def test_first_frame_of_an_animation(name: str, take: Admit) -> None:
    """Of an animation the first frame is stored, at any size."""
    data = VARIANTS[name]()
    for limits in (Limits(), Limits(max_side=80)):
        image, stored = take(data, limits)
        assert not getattr(stored, "is_animated", False)
        first = opened(data).convert("RGB").resize((image.width, image.height), Image.Resampling.LANCZOS)
        assert difference(stored.convert("RGB"), first) < 2.5


def test_a_first_frame_smaller_than_the_canvas(take: Admit) -> None:
    """An animation whose first frame is a part of the canvas is stored as the whole canvas."""
    chunks = webp_chunks(animated([corners(), corners().rotate(180)], "WEBP", lossless=True))
    head = bytearray(dict(chunks)[b"VP8X"])
    head[4] += 10
    head[0] |= 0x10
    image, stored = take(webp_of((b"VP8X", bytes(head)), *chunks[1:]))
    assert image.width == 74
    assert stored.getpixel((70, 10))[3] == 0
    assert stored.convert("RGBA").getpixel((5, 5)) == (*CORNERS[0], 255)


@pytest.mark.parametrize("kind", KINDS)
def test_the_cap(kind: str, take: Admit) -> None:
    """No side is stored above the cap, the shape stays, and the picture is the same."""
    image, stored = take(encoded(LARGE, kind), SMALLER)
    assert (image.width, image.height) == (300, 200)
    assert image.format == {"GIF": "PNG", "BMP": "PNG"}.get(kind, kind)
    # Lossy WebP itself is 2.4 levels off at its quality of 90.
    assert difference(stored, smaller(opened(encoded(LARGE, kind)).convert("RGB"))) < 3


@pytest.mark.parametrize("kind", KINDS)
def test_the_cap_of_a_line(kind: str, take: Admit) -> None:
    """A line of one pixel's width keeps that width."""
    for size in ((1, 8192), (8192, 1)):
        image, _ = take(encoded(photo(*size), kind))
        assert (image.width, image.height) == tuple(min(side, 2048) for side in size)


def test_the_cap_can_be_off(take: Admit) -> None:
    """With a cap of 0 an image of any size is kept as it came."""
    image, _ = take(encoded(photo(2500, 40), "JPG"), Limits(max_side=0))
    assert image.path.name.startswith("source")
    assert fitted(10**6, 10**6, 0) == (10**6, 10**6)


def test_fitted() -> None:
    """A side is never above the cap and never 0."""
    assert fitted(2048, 2048, 2048) == (2048, 2048)
    assert fitted(4000, 3000, 2048) == (2048, 1536)
    assert fitted(1, 8192, 2048) == (1, 2048)
    assert fitted(65535, 1, 2048) == (2048, 1)


@pytest.mark.parametrize("kind", ["JPG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(kind: str, orientation: int, take: Admit) -> None:
    """A picture is stored upright, whichever of the eight ways it was turned."""
    turned = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    picture = corners().transpose(turned[orientation]) if orientation > 1 else corners()
    for limits, size in ((Limits(), (64, 48)), (Limits(max_side=32), (32, 24))):
        image, stored = take(encoded(picture, kind, exif=plain_exif(orientation)), limits)
        assert (image.width, image.height) == size
        assert stored.getexif().get(0x0112, 1) == 1
        width, height = size
        places = ((2, 2), (width - 3, 2), (width - 3, height - 3), (2, height - 3))
        for place, colour in zip(places, CORNERS, strict=True):
            assert np.abs(np.subtract(stored.convert("RGB").getpixel(place), colour)).max() < 12


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "GIF"])
def test_alpha(kind: str, take: Admit) -> None:
    """Alpha is kept, and hidden colours do not bleed into what is visible."""
    picture = Image.new("RGBA", (600, 400), (0, 255, 0, 0))
    picture.paste((200, 0, 0, 255), (150, 100, 450, 300))
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    data = alpha_bmp(picture) if kind == "BMP" else encoded(picture, kind, **options)
    _, stored = take(data, SMALLER)
    stored = stored.convert("RGBA")
    assert stored.getpixel((5, 5))[3] == 0
    assert stored.getpixel((150, 100))[3] == 255
    pixels = np.asarray(stored)
    visible = pixels[pixels[..., 3] > 40]
    assert np.abs(visible[:, :3].astype(int) - (200, 0, 0)).max() < 12


def test_alpha_is_smooth(take: Admit) -> None:
    """A gradient of alpha is the same gradient after it was made smaller."""
    for data in (encoded(faded(LARGE), "PNG"), encoded(faded(LARGE), "WEBP", lossless=True)):
        _, stored = take(data, SMALLER)
        expected = smaller(faded(LARGE)).getchannel("A")
        assert difference(stored.getchannel("A").convert("RGB"), expected.convert("RGB")) < 1


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGB", "RGBA"])
def test_modes_of_png(mode: str, take: Admit) -> None:
    """Grey, one bit, palette and alpha come out right when they are made smaller."""
    picture = {
        "1": lambda: LARGE.convert("L").convert("1"),
        "P": lambda: LARGE.quantize(64),
        "LA": lambda: faded(LARGE).convert("LA"),
        "RGBA": lambda: faded(LARGE),
    }.get(mode, lambda: LARGE.convert(mode))()
    _, stored = take(encoded(picture, "PNG"), SMALLER)
    to = "RGBA" if "A" in mode else "RGB"
    reference = picture.convert("LA" if mode == "LA" else "L" if mode in "1L" else to)
    assert difference(stored.convert(to), smaller(reference).convert(to)) < 1


def test_transparent_palette(take: Admit) -> None:
    """The transparent colours of a palette stay transparent."""
    picture = LARGE.quantize(16)
    data = encoded(picture, "PNG", transparency=bytes((0, 128, *[255] * 14)))
    _, stored = take(data, SMALLER)
    assert difference(stored, smaller(opened(data).convert("RGBA"))) < 1
    for kind in ("GIF", "PNG"):
        flat = corners(600, 400).quantize(4)
        clear = flat.getpixel((5, 5))
        for limits in (Limits(), SMALLER):
            image, stored = take(encoded(flat, kind, transparency=clear), limits)
            stored = stored.convert("RGBA")
            assert stored.getpixel((5, 5))[3] == 0
            assert stored.getpixel((image.width - 5, image.height - 5)) == (*CORNERS[2], 255)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits(channels: int, take: Admit) -> None:
    """A PNG with 16 bits a component is kept within the cap, and comes out right in 8 bits above it."""
    levels = np.asarray(faded(LARGE), np.uint16)[..., [[0], [0, 3], [0, 1, 2], [0, 1, 2, 3]][channels - 1]]
    data = png16(levels * 257)
    assert take(data)[0].path.read_bytes() == data
    _, stored = take(data, SMALLER)
    shown = [Image.fromarray(np.ascontiguousarray(levels[..., c]).astype(np.uint8)) for c in range(channels)]
    mode = ["L", "LA", "RGB", "RGBA"][channels - 1]
    reference = smaller(Image.merge(mode, shown))
    to = "RGBA" if channels in (2, 4) else "RGB"
    assert difference(stored.convert(to), reference.convert(to)) < 1


@pytest.mark.parametrize("kind", ["JPG", "PNG", "WEBP"])
def test_wide_gamut(kind: str, take: Admit) -> None:
    """A profile is kept with an image that is kept, and applied to one that is made smaller."""
    options = {"JPG": {"quality": 97, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    data = encoded(LARGE, kind, icc_profile=profile("p3"), **options)
    assert take(data)[1].info["icc_profile"] == profile("p3")
    _, stored = take(data, SMALLER)
    assert "icc_profile" not in stored.info
    unapplied = difference(stored, smaller(opened(data)))
    assert difference(stored, smaller(srgb(opened(data)))) < 2 < 3 < unapplied


def test_wide_gamut_of_every_depth(take: Admit) -> None:
    """A profile is applied to colours at any depth, to a palette's too, and never to alpha."""
    deep = png16(np.asarray(faded(LARGE), np.uint16) * 257)
    profiled = (b"iCCP", b"wide\0\0" + zlib.compress(profile("p3")))
    reference = smaller(srgb(opened(encoded(LARGE, "PNG", icc_profile=profile("p3")))))
    for data in (encoded(faded(LARGE), "PNG", icc_profile=profile("p3")), png_with(deep, profiled)):
        _, stored = take(data, SMALLER)
        box = (200, 0, 300, 200)
        assert difference(stored.crop(box).convert("RGB"), reference.crop(box)) < 1
        alpha = smaller(faded(LARGE)).getchannel("A")
        assert difference(stored.getchannel("A").convert("RGB"), alpha.convert("RGB")) < 1
    palette = opened(encoded(LARGE.quantize(64), "PNG", icc_profile=profile("p3")))
    _, stored = take(encoded(palette, "PNG", icc_profile=profile("p3")), SMALLER)
    palette_as_rgb = palette.convert("RGB")
    palette_as_rgb.info["icc_profile"] = profile("p3")
    assert difference(stored, smaller(srgb(palette_as_rgb))) < 1


def test_profiles_of_grey(take: Admit) -> None:
    """A grey image's own profile is applied."""
    for kind, options in (("JPG", {"quality": 95}), ("PNG", {})):
        data = encoded(LARGE.convert("L"), kind, icc_profile=linear_grey_profile(), **options)
        _, stored = take(data, SMALLER)
        assert difference(stored, smaller(srgb(opened(data)))) < 1.5
        assert difference(stored, smaller(opened(data))) > 30


def test_unusable_profiles(take: Admit) -> None:
    """A profile that is broken, or meant for other components, is passed over."""
    for broken in (b"no profile at all", profile("p3")[:200], profile("cmyk")):
        data = encoded(LARGE, "JPG", quality=95, icc_profile=broken)
        _, stored = take(data, SMALLER)
        assert difference(stored, smaller(opened(data))) < 2


def test_cmyk_without_a_profile(take: Admit) -> None:
    """CMYK becomes RGB by the plain formula, whether Adobe's marker says that it is inverted or not."""
    data = encoded(LARGE.convert("CMYK"), "JPG", quality=95)
    start = data.index(b"\xff\xee")
    unmarked = data[:start] + data[start + 2 + struct.unpack_from(">H", data, start + 2)[0] :]
    assert b"Adobe" not in unmarked
    for file in (data, unmarked):
        image, stored = take(file)
        assert image.format == "JPG"
        assert stored.mode == "RGB"
        assert difference(stored, opened(file).convert("RGB")) < 2.5
        _, stored = take(file, SMALLER)
        assert difference(stored, smaller(opened(file).convert("RGB"))) < 2.5


def test_cmyk_with_a_profile(take: Admit) -> None:
    """CMYK with a profile becomes sRGB through it."""
    press = ImageCms.ImageCmsProfile(io.BytesIO(profile("cmyk")))
    inks = ImageCms.profileToProfile(LARGE, ImageCms.createProfile("sRGB"), press, outputMode="CMYK")
    data = encoded(inks, "JPG", quality=95, icc_profile=profile("cmyk"))
    for limits, size in ((Limits(), (900, 600)), (SMALLER, (300, 200))):
        _, stored = take(data, limits)
        assert stored.mode == "RGB"
        reference = srgb(opened(data)).resize(size, Image.Resampling.LANCZOS)
        assert difference(stored, reference) < 2.5
        assert difference(stored, opened(data).convert("RGB").resize(size)) > 5


def test_losslessness_of_webp(take: Admit) -> None:
    """A lossless WebP is stored lossless, a lossy one lossy."""
    for lossless, kind in ((True, b"VP8L"), (False, b"VP8 ")):
        image, _ = take(encoded(LARGE, "WEBP", lossless=lossless), SMALLER)
        assert webp_chunks(image.path.read_bytes())[0][0] == kind


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("limits", [Limits(), Limits(max_side=80)], ids=["kept", "smaller"])
def test_cut_off_files(name: str, limits: Limits, take: Admit) -> None:
    """A file that was cut off at any of twenty places is refused as no image."""
    data = VARIANTS[name]()
    for part in range(20):
        with pytest.raises(InvalidParameter) as caught:
            take(data[: len(data) * part // 20], limits, parameter="media")
        assert caught.value.code == "invalidMedia"
        assert caught.value.parameter == "media"


@pytest.mark.parametrize("name", ["jpeg", "jpeg-progressive", "jpeg-restarts", "jpeg-grey"])
def test_cut_off_behind_a_false_end(name: str, take: Admit) -> None:
    """A JPEG that was cut off and given an end marker is refused, although decoders fill in the rest."""
    data = VARIANTS[name]()
    start = data.rindex(b"\xff\xda") + 14
    for part in range(1, 20):
        cut = start + (len(data) - start) * part // 20
        # Where the image is made smaller, what is lost of the last rows alone goes unseen.
        for limits in (Limits(), Limits(max_side=80)) if part < 16 else (Limits(),):
            with pytest.raises(InvalidParameter):
                take(data[:cut].rstrip(b"\xff") + b"\xff\xd9", limits)


def test_flat_images_are_complete(take: Admit) -> None:
    """A JPEG of one colour, which looks like one that was cut off, is taken."""
    for size in ((1, 1), (7, 5), (64, 64), (500, 333)):
        for mode in ("RGB", "L"):
            for options in ({}, {"restart_marker_blocks": 1}, {"progressive": True}):
                take(encoded(Image.new(mode, size, "white"), "JPG", **options))


@pytest.mark.parametrize("name", VARIANTS)
def test_damage_never_surprises(name: str, take: Admit) -> None:
    """Whatever bytes are changed, an image is taken or refused, and nothing else happens."""
    data = VARIANTS[name]()
    chance = random.Random(name)
    for _ in range(60):
        broken = bytearray(data)
        for _ in range(chance.choice((1, 1, 4))):
            broken[chance.randrange(min(len(data), chance.choice((64, 800, len(data)))))] = chance.randrange(256)
        for limits in (Limits(), Limits(max_side=80)):
            try:
                take(bytes(broken), limits)
            except ApiError as error:
                assert error.status in (400, 413)


def damaged_rows() -> dict[str, bytes]:
    """PNG whose checksums are right and whose pixels are not."""
    rows = b"".join(b"\0" + row.tobytes() for row in np.asarray(photo(200, 150)))
    packed = bytearray(zlib.compress(rows))
    packed[len(packed) // 2] ^= 0x55
    filtered = bytearray(rows)
    filtered[601 * 70] = 9
    good = png(200, 150, 8, 2, rows)
    header = good[:33]
    return {
        "too few rows": png(200, 150, 8, 2, rows[: 601 * 100]),
        "a byte short": png(200, 150, 8, 2, rows[:-1]),
        "no rows": png(200, 150, 8, 2, b""),
        "an unknown filter": png(200, 150, 8, 2, bytes(filtered)),
        "not interlaced": png(200, 150, 8, 2, rows, interlaced=True),
        "not so deep": png(200, 150, 16, 2, rows),
        "broken": header + png_chunk(b"IDAT", bytes(packed)) + png_chunk(b"IEND", b""),
        "cut off": header + png_chunk(b"IDAT", bytes(packed[: len(packed) // 3])) + png_chunk(b"IEND", b""),
    }


@pytest.mark.parametrize("what", damaged_rows())
def test_png_that_lies(what: str, take: Admit) -> None:
    """A PNG whose checksums are right and whose pixels are damaged or fewer than promised is refused."""
    for limits in (Limits(), Limits(max_side=80)):
        with pytest.raises(InvalidParameter):
            take(damaged_rows()[what], limits)


def test_png_that_holds_more(take: Admit) -> None:
    """A PNG with more pixels than its header says is refused where its pixels would be kept."""
    rows = b"".join(b"\0" + row.tobytes() for row in np.asarray(photo(200, 150)))
    with pytest.raises(InvalidParameter):
        take(png(200, 100, 8, 2, rows))


def test_webp_that_lies(take: Admit) -> None:
    """A WebP whose picture is cut off inside a sound container is refused."""
    for name in ("webp", "webp-lossless"):
        ((kind, body),) = webp_chunks(VARIANTS[name]())
        for part in range(1, 10):
            with pytest.raises(InvalidParameter):
                take(webp_of((kind, body[: len(body) * part // 10])))


def test_gif_that_lies(take: Admit) -> None:
    """A GIF whose picture is cut off between sound blocks is refused."""
    data = VARIANTS["gif"]()
    at, blocks = 13 + 3 * 2 ** ((data[10] & 7) + 1), []
    while data[at] != 0x2C:
        at += 2
        while data[at]:
            at += 1 + data[at]
        at += 1
    start = at + 11
    while data[start]:
        blocks.append(data[start : start + 1 + data[start]])
        start += 1 + data[start]
    cut = data[: at + 11] + b"".join(blocks[: len(blocks) // 2]) + b"\0" + data[start + 1 :]
    with pytest.raises(InvalidParameter):
        take(cut)


def test_bmp_that_lies(take: Admit) -> None:
    """A run-length BMP with fewer rows than its header says is refused."""
    data = bytearray(run_length_bmp(photo(40, 30)))
    data[22:26] = struct.pack("<i", 300)
    with pytest.raises(InvalidParameter):
        take(bytes(data))


def test_a_large_run_length_bmp(take: Admit) -> None:
    """A run-length BMP that would take its reader seconds is refused from its header."""
    data = bytearray(run_length_bmp(photo(40, 30)))
    data[18:26] = struct.pack("<ii", 8000, 8000)
    with pytest.raises(UnsupportedImageFormat, match="run-length"):
        take(bytes(data))


def bombs() -> dict[str, bytes]:
    """Small files that unfold to gigabytes."""
    side = 40_000
    wide = struct.pack("<H", 16_383)
    webp = bytearray(webp_chunks(encoded(photo(64, 64), "WEBP"))[0][1])
    webp[6:8], webp[8:10] = wide, wide
    gif = bytearray(encoded(Image.new("P", (8, 8)), "GIF"))
    gif[6:10] = b"\xff\xff\xff\xff"
    jpeg = bytearray(encoded(photo(64, 64), "JPG", progressive=True))
    start = jpeg.index(b"\xff\xc2")
    jpeg[start + 5 : start + 9] = b"\xff\xdc\xff\xdc"
    return {
        "png": png(side, side, 1, 0, bytes(5001) * 4),
        "png-interlaced": png(20_000, 20_000, 8, 6, b"", interlaced=True),
        "webp": webp_of((b"VP8 ", bytes(webp))),
        "gif": bytes(gif),
        "jpeg-progressive": bytes(jpeg),
    }


@pytest.mark.parametrize("name", ["png", "png-interlaced", "webp", "gif", "jpeg-progressive"])
def test_bombs(name: str, take: Admit) -> None:
    """A small file that unfolds to gigabytes is refused from its header, naming the limit and its setting."""
    with pytest.raises(ValueTooLarge, match=r"TASKARRAY_MAX_(PIXELS|DECODED)") as caught:
        take(bombs()[name])
    assert caught.value.parameter == "image"


def test_limits(take: Admit) -> None:
    """The limits are the settings'; a refusal names the value, the limit and the setting; 0 is no limit."""
    data = encoded(LARGE, "JPG")
    with pytest.raises(ValueTooLarge, match=r"540000 pixels.* 539999 \(TASKARRAY_MAX_PIXELS\)"):
        take(data, Limits(max_pixels=539_999))
    take(data, Limits(max_pixels=540_000, max_decoded=1))
    webp = encoded(LARGE, "WEBP")
    with pytest.raises(ValueTooLarge, match=r"\d+ bytes.* 539999 \(TASKARRAY_MAX_DECODED\)"):
        take(webp, Limits(max_decoded=539_999))
    take(webp, Limits(max_decoded=0, max_pixels=0))
    frames = animated([photo(64, 64, seed) for seed in range(3)], "GIF")
    with pytest.raises(ValueTooLarge, match="3 frames"):
        take(frames, Limits(max_pixels=10_000))
    with pytest.raises(ValueTooLarge, match="MAX_DECODED"):
        take(encoded(LARGE, "JPG", exif=plain_exif(6)), Limits(max_side=0, max_decoded=10_000))


@pytest.mark.parametrize(
    ("data", "name"), [(b"II+\0" + bytes(64), "BigTIFF"), (b"<svg xmlns='x'></svg>", "SVG"), (b"%PDF-1.4", "PDF")]
)
def test_other_kinds(data: bytes, name: str, take: Admit) -> None:
    """A file of another kind is refused, with what it looks like and what is taken."""
    with pytest.raises(UnsupportedImageFormat, match=f"{name}.*JPEG, PNG, WebP, GIF, BMP and TIFF") as caught:
        take(data)
    assert caught.value.parameter == "image"


def test_no_image(take: Admit) -> None:
    """An empty file, or one of no known kind, is refused as no image."""
    for data in (b"", b"hello", bytes(10_000)):
        with pytest.raises(InvalidParameter) as caught:
            take(data)
        assert caught.value.code == "invalidImage"


def test_interlaced_png_smaller(take: Admit) -> None:
    """An interlaced PNG and a progressive JPEG come out right when they are made smaller."""
    for data in (interlaced_png(LARGE), encoded(LARGE, "JPG", progressive=True, quality=95)):
        _, stored = take(data, SMALLER)
        assert difference(stored, smaller(LARGE)) < 3
