"""What the face of BackgroundErase gives back: cut-outs and masks, in every form, size and file type."""

from __future__ import annotations

import asyncio
import io
import json
import urllib.parse
from typing import Any

import numpy
import pytest
import redis
from PIL import Image, ImageDraw

from tests.api.removal import BOUNDARY, form, in_base64, picture, post, post_form, refused
from tests.client import Reply, request
from tests.harness import KEY, Installation
from tests.outside import Website, answer
from tests.tasks.desk import encoded

SIZE, BOX = (200, 150), (60, 40, 139, 119)
MIMES = {
    "png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "bmp": "image/bmp", "tiff": "image/tiff",
    "gif": "image/gif",
}  # fmt: skip


def drawn(size: tuple[int, int] = SIZE, ground: str = "white") -> Image.Image:
    """A dark red disc before a plain ground, in the box's place of any size."""
    image = Image.new("RGB", size, ground)
    box = [side * size[axis % 2] // SIZE[axis % 2] for axis, side in enumerate(BOX)]
    ImageDraw.Draw(image).ellipse(box, fill=(150, 20, 30))
    return image


DISC = encoded(drawn())
INSIDE, OUTSIDE = (100, 80), (5, 5)


def seen(reply: Reply, kind: str) -> Image.Image:
    """The picture in an answer that must be of this type."""
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == MIMES[kind]
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-request-id"].startswith("req_")
    assert int(reply.headers["content-length"]) == len(reply.body)
    return picture(reply.body)


async def cut(where: Installation, *options: tuple[str, str], kind: str = "png", image: bytes = DISC) -> Image.Image:
    """The picture that a form with a file and options gives."""
    return seen(await post_form(where, ("image_file", image), *options), kind)


def near(found: Any, expected: tuple[int, ...], by: int = 12) -> bool:
    return numpy.abs(numpy.asarray(found, int) - expected).max() <= by


async def test_multipart(installation: Installation):
    """A file in a form gives the cut-out as bytes: the subject opaque, everything else gone."""
    found = await cut(installation)
    assert (found.format, found.mode, found.size) == ("PNG", "RGBA", SIZE)
    assert near(found.getpixel(INSIDE), (150, 20, 30, 255))
    assert found.getpixel(OUTSIDE)[3] == 0


async def test_ways_in(installation: Installation):
    """The image may come as a file, as base64 or from a URL; all give the same picture."""
    expected = (await cut(installation)).tobytes()
    text = in_base64(DISC)
    for name, value in (
        ("image", DISC), ("image_file_b64", text), ("image_base64", f"data:image/png;base64,{text}"),
        ("IMAGE_FILE", text), ("image", text), ("image_base64", text.encode()),
    ):  # fmt: skip
        assert seen(await post_form(installation, (name, value)), "png").tobytes() == expected
    async with Website({"/disc": answer(DISC)}) as site:
        assert seen(await post_form(installation, ("imageUrl", site.url("/disc"))), "png").tobytes() == expected
        found = await post(installation, {"image_url": site.url("/disc")}, accept="image/*")
        assert seen(found, "png").tobytes() == expected
    plain = urllib.parse.urlencode({"image_base64": text}).encode()
    found = await post(installation, plain, content_type="application/x-www-form-urlencoded")
    assert seen(found, "png").tobytes() == expected
    both = await post_form(installation, ("image_base64", "no base64"), ("image_file", DISC))
    assert seen(both, "png").tobytes() == expected


async def test_chunks(installation: Installation):
    """A body without a length is read as any other, wherever its pieces end."""
    body = form(("image_file", DISC), ("format", "JPG"))
    chunks = [body[start : start + 61] for start in range(0, len(body), 61)]
    found = await post(
        installation, iter(chunks), path="/v2/", content_type=f"multipart/form-data; boundary={BOUNDARY}"
    )
    seen(found, "jpg")


async def test_json(installation: Installation):
    """JSON gives JSON, with the picture in base64; where an image is asked for by name, its bytes."""
    body = {"IMAGE_BASE64": in_base64(DISC), "Format": "JPEG"}
    found = await post(installation, body)
    assert (found.status, found.headers["content-type"]) == (200, "application/json")
    image = picture(found.json.pop("image"))
    assert found.json == {"image": found.json["image"], "format": "jpg", "width": 200, "height": 150}
    assert (image.format, image.size) == ("JPEG", SIZE)
    for accept in ("image/*", "image/png, */*", "text/html, application/octet-stream"):
        seen(await post(installation, body, accept=accept), "jpg")
    for accept in ("*/*", "application/json"):
        assert (await post(installation, body, accept=accept)).headers["content-type"] == "application/json"


async def test_masks(installation: Installation):
    """A mask is an 8-bit grey PNG, white where the subject is, whatever format says; in JSON with its size."""
    found = await cut(installation, ("channels", "ALPHA"), ("format", "jpg"), ("bg_color", "red"))
    assert (found.format, found.mode, found.size) == ("PNG", "L", SIZE)
    assert (found.getpixel(INSIDE), found.getpixel(OUTSIDE)) == (255, 0)
    for body in (
        {"image_base64": in_base64(DISC), "channels": "alpha"},
        {"image": in_base64(DISC), "channels": "rgba"},
    ):
        answer_ = (await post(installation, body)).json
        mask = picture(answer_["mask"])
        assert answer_ == {"mask": answer_["mask"], "width": 200, "height": 150, "format": "png"}
        assert (mask.mode, mask.tobytes()) == ("L", found.tobytes())


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        ("png", "png"), ("jpg", "jpg"), ("webp", "webp"), ("bmp", "bmp"), ("tiff", "tiff"), ("gif", "gif"),
        ("JPEG", "jpg"), ("jpe", "jpg"), ("jfif", "jpg"), ("tif", "tiff"), (" PNG ", "png"),
    ],
)  # fmt: skip
async def test_formats(installation: Installation, sent: str, kind: str):
    """Six file types and their other names; those without transparency show white, or the colour asked for."""
    found = await cut(installation, ("format", sent), kind=kind)
    assert (found.format, found.size) == ({"jpg": "JPEG"}.get(kind, kind.upper()), SIZE)
    see_through = kind in ("png", "webp", "tiff")
    assert near(found.convert("RGB").getpixel(INSIDE), (150, 20, 30))
    assert found.has_transparency_data == see_through
    if not see_through:
        assert near(found.convert("RGB").getpixel(OUTSIDE), (255, 255, 255), by=3)
    found = await cut(installation, ("format", sent), ("bg_color", "0000ff"), kind=kind)
    assert near(found.convert("RGBA").getpixel(OUTSIDE), (0, 0, 255, 255), by=3)
    assert near(found.convert("RGB").getpixel(INSIDE), (150, 20, 30))


@pytest.mark.parametrize(
    ("text", "expected"), [("#0f0", (0, 255, 0)), ("FFF", (255, 255, 255)), ("RebeccaPurple", (102, 51, 153))]
)
async def test_backgrounds(installation: Installation, text: str, expected: tuple[int, int, int]):
    """A background in hexadecimal digits or by its CSS name lies behind the subject, also in a PNG."""
    assert (await cut(installation, ("bg_color", text))).getpixel(OUTSIDE) == (*expected, 255)


async def test_sizes(installation: Installation):
    """A size caps the pixels of the result, and never enlarges it."""
    large = encoded(drawn((2000, 1500)), "JPEG")
    for size, expected in (("preview", (577, 433)), ("Medium", (1414, 1060)), ("hd", (2000, 1500))):
        assert (await cut(installation, ("size", size), image=large)).size == expected
    for size in ("preview", "auto", "full"):
        assert (await cut(installation, ("size", size))).size == SIZE
    mask = await post(installation, {"image": in_base64(large), "size": "preview"})
    assert (mask.json["width"], mask.json["height"]) == picture(mask.json["mask"]).size == (577, 433)


@pytest.mark.parametrize("text", ["true", "YES", "1", True, 1])
async def test_crop(installation: Installation, text: str | bool | int):
    """A crop is the subject's box, of a cut-out as of a mask; booleans may be words and numbers."""
    body = {"image_base64": in_base64(DISC), "CROP": text}
    found = (await post(installation, body)).json
    assert near((found["width"], found["height"]), (80, 80), by=4)
    mask = (await post(installation, body | {"channels": "alpha"})).json
    assert (mask["width"], mask["height"]) == (found["width"], found["height"])
    whole = (await post(installation, {"image_base64": in_base64(DISC), "crop": "0"})).json
    assert (whole["width"], whole["height"]) == SIZE


async def test_despill(installation: Installation):
    """Green light on the subject's edge goes, and its lightness stays."""
    green = drawn(ground="#10c040").convert("RGB")
    rim = ImageDraw.Draw(green)
    rim.ellipse(BOX, outline=(110, 150, 60), width=2)
    pale, clean = [
        numpy.asarray(await cut(installation, ("despill", value), image=encoded(green)), int) for value in ("no", "yes")
    ]
    edge = (pale[..., 3] > 200) & (pale[..., 1] > pale[..., 0] + 20)
    assert edge.sum() > 100
    assert (clean[..., 3] == pale[..., 3]).all()
    assert (clean[..., 1] - clean[..., 0])[edge].mean() < (pale[..., 1] - pale[..., 0])[edge].mean() / 3
    flat = [
        (await cut(installation, ("despill", v), ("format", "jpg"), kind="jpg", image=encoded(green))).tobytes()
        for v in ("no", "yes")
    ]
    assert flat[0] == flat[1]


async def test_inputs(installation: Installation):
    """All the usual file types are read, whatever their part calls them; of an animation the first picture."""
    image = drawn()
    files = {
        "JPEG": encoded(image, "JPEG", quality=95), "WEBP": encoded(image, "WEBP", quality=95),
        "BMP": encoded(image, "BMP"), "GIF": encoded(image, "GIF", save_all=True, append_images=[drawn(ground="blue")]),
        "TIFF": encoded(image, "TIFF", compression="tiff_lzw"), "CMYK": encoded(image.convert("CMYK"), "TIFF"),
    }  # fmt: skip
    for data in files.values():
        found = await cut(installation, image=data)
        assert found.size == SIZE
        assert near(found.getpixel(INSIDE), (150, 20, 30, 255), by=40)
        assert found.getpixel(OUTSIDE)[3] == 0


async def test_orientation(installation: Installation):
    """A photo that lies on its side is turned upright first."""
    exif = Image.Exif()
    exif[274] = 6
    file = io.BytesIO()
    drawn().save(file, "JPEG", exif=exif)
    assert (await cut(installation, image=file.getvalue())).size == (150, 200)


async def test_results_go_soon(installation: Installation):
    """Neither the result nor what came in is kept for longer than an hour."""
    store = redis.Redis.from_url(installation.environment["REDIS_URL"])
    pattern = f"{installation.environment['TASKARRAY_PREFIX']}*:image:*"
    before = set(store.scan_iter(pattern))
    await cut(installation)
    kept = set(store.scan_iter(pattern)) - before
    assert len(kept) == 2
    assert all(0 < store.ttl(key) <= 3600 for key in kept)


async def test_the_documented_examples(installation: Installation):
    """The requests that the documentation of this face shows work as they stand."""
    text = in_base64(DISC)
    whole = {"image_base64": text, "format": "png", "size": "full", "crop": False, "despill": False}
    for body in (
        {"image_base64": text, "format": "png", "size": "full"}, whole,
        {"image_base64": f"data:image/png;base64,{text}", "format": "png"},
    ):  # fmt: skip
        assert picture((await post(installation, json.dumps(body).encode())).json["image"]).size == SIZE
    assert picture((await post(installation, {"image": text})).json["mask"]).mode == "L"
    seen(await post_form(installation, ("image_base64", text), ("format", "png")), "png")


async def test_concurrent_work(installation: Installation):
    """A wrong image among many costs only its own answer."""
    sent = [DISC, b"no image", DISC, DISC[:300], DISC]
    found = await asyncio.gather(*(post_form(installation, ("image_file", data)) for data in sent))
    assert [reply.status for reply in found] == [200, 400, 200, 400, 200]
    refused(found[1], 400, "invalid_image", "body is not a valid image")
    assert len({reply.headers["x-request-id"] for reply in found}) == 5


async def test_the_task_array_gains_as_well(installation: Installation):
    """What this face can do, removeBackground can do for every client."""
    async with installation.client() as client:
        options: dict[str, Any] = {
            "outputFormat": "tif",
            "crop": True,
            "maxMegapixels": 0.002,
            "rgba": [0, 0, 255, 255],
        }
        item = await client.run("removeBackground", inputImage=f"data:image/png;base64,{in_base64(DISC)}", **options)
        image = picture((await request("GET", item["imageURL"], x_api_key=KEY)).body)
        assert (image.format, image.size) == ("TIFF", (44, 44))
        assert near(image.getpixel((1, 1)), (0, 0, 255, 255), by=3)
        assert (await client.fail("removeBackground", inputImage="x", maxMegapixels=0))[
            "code"
        ] == "invalidMaxMegapixels"


async def test_full_size(installation: Installation):
    """What is wider than tasks else work on comes back as wide as it came."""
    body = {"image_base64": in_base64(encoded(drawn((5000, 40)))), "channels": "alpha"}
    assert (await post(installation, body)).json["width"] == 5000
