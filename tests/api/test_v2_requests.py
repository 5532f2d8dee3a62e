"""The face of BackgroundErase: keys, ways to send a request, options, and the order in which errors come."""

from __future__ import annotations

import asyncio
import json
import re
import struct
import zlib
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image, ImageColor

from server.api.v2_colours import colour
from tests.api.conftest import Beside
from tests.api.removal import BOUNDARY, form, in_base64, post, post_form, refused
from tests.client import request
from tests.harness import KEY, Installation
from tests.outside import Website, answer
from tests.tasks.desk import encoded

DOT = encoded(Image.new("RGB", (8, 8), "red"))
ORDER = {"image_base64": in_base64(DOT)}


def huge_png(width: int, height: int) -> bytes:
    """A PNG whose header tells this size, and which has no pixels to speak of."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("key", "code", "message"),
    [
        (None, "missing_api_key", "Missing API key."),
        ("", "missing_api_key", "Missing API key."),
        ("wrong", "invalid_api_key", "Invalid or revoked API key."),
    ],
)
@pytest.mark.parametrize("body", [b"", b"no JSON", b'{"image_base64": "?"}'])
async def test_keys(installation: Installation, key: str | None, code: str, message: str, body: bytes):
    """The key comes first: 401, whatever is wrong with the body."""
    headers = {} if key is None else {"X_API_KEY": key}
    found = await request("POST", f"{installation.url}/v2", body, content_type="application/json", **headers)
    refused(found, 401, code, message)
    refused(await request("GET", f"{installation.url}/v2/account", **headers), 401, code, message)


async def test_account(installation: Installation):
    """The account tells whose key it is; clients show its address."""
    found = await request("GET", f"{installation.url}/v2/account", x_api_key=KEY)
    assert found.status == 200
    assert re.fullmatch(r"tok_fp_[0-9a-f]{8}", found.json["api_key"].pop("fingerprint"))
    assert found.json == {
        "status": "ok",
        "api_key": {"valid": True, "mode": "live", "fingerprint": found.json["api_key"]["fingerprint"]},
        "account": {
            "email": "tester@taskarray.invalid", "plan": "Self-hosted", "subscription_status": "active",
            "billing_model": "none", "usage_unit": "image",
        },
    }  # fmt: skip


async def test_health(installation: Installation, own_installation: Installation):
    """Health needs no key, and fails while no worker is there."""
    found = await request("GET", f"{installation.url}/v2/health")
    assert (found.status, found.json) == (200, {"status": "ok"})
    assert found.headers["x-request-id"].startswith("req_")
    own_installation.start("gateway")
    found = await request("GET", f"{own_installation.url}/v2/health")
    refused(found, 503, "service_unavailable")
    assert found.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v2", "POST"), ("PUT", "/v2", "POST"), ("DELETE", "/v2/", "POST"),
        ("POST", "/v2/account", "GET, HEAD"), ("POST", "/v2/health", "GET, HEAD"),
    ],
)  # fmt: skip
async def test_wrong_methods(installation: Installation, method: str, path: str, allowed: str):
    """Another method is refused in the same form, and nothing redirects."""
    found = await request(method, installation.url + path, x_api_key=KEY)
    refused(found, 405, "method_not_allowed")
    assert found.headers["allow"] == allowed


@pytest.mark.parametrize("body", [b"", b"{", b"{'image': 1}", b"\xff\xfe", b'{"image": NaN}'])
async def test_no_json(installation: Installation, body: bytes):
    """A body that is not JSON is said to be none."""
    refused(await post(installation, body), 400, "invalid_json", "Request body is not valid JSON.")


@pytest.mark.parametrize("body", [[], [ORDER], "image", 7, None])
async def test_json_of_another_shape(installation: Installation, body: Any):
    """JSON that is no object is a request of a wrong shape."""
    error = refused(await post(installation, json.dumps(body).encode()), 422, "validation_error")
    assert error["message"] == "Request validation failed."
    assert [set(detail) for detail in error["details"]] == [{"type", "loc", "msg", "input"}]
    assert error["details"][0]["loc"] == ["body"]


@pytest.mark.parametrize("kind", ["image/png", "text/plain", "multipart/mixed; boundary=a", "*/*"])
async def test_content_types(installation: Installation, kind: str):
    """A body of another content type is a request of a wrong shape."""
    error = refused(await post(installation, DOT, content_type=kind), 422, "validation_error")
    assert error["details"][0]["loc"] == ["header", "content-type"]


async def test_broken_forms(installation: Installation):
    """A form that cannot be read is a request of a wrong shape."""
    for kind, body in (
        ("multipart/form-data", form(("image_file", DOT))),
        (f"multipart/form-data; boundary={BOUNDARY}", form(("image_file", DOT)).replace(b'name="', b'nome="')),
        (f"multipart/form-data; boundary={BOUNDARY}", b"nothing of the kind"),
        (f"multipart/form-data; boundary={BOUNDARY}", form(("image_file", DOT))[:-50]),
        (f"multipart/form-data; boundary={BOUNDARY}", form(*[("crop", "no")] * 101)),
        ("application/x-www-form-urlencoded", b"&".join([b"crop=no"] * 101)),
    ):
        refused(await post(installation, body, content_type=kind), 422, "validation_error")


@pytest.mark.parametrize("charset", ["punycode", "undefined", "utf-16", "none"])
async def test_charsets(installation: Installation, charset: str):
    """The text of a form is UTF-8: a charset that the client names costs no time and changes nothing."""
    kind = f"multipart/form-data; charset={charset}; boundary={BOUNDARY}"
    body = form(("image_base64", "a-" + "a" * 600_000), ("format", "ünknown"))
    async with asyncio.timeout(10):
        refused(await post(installation, body, content_type=kind), 400, "bad_request", FORMATS)


async def test_escapes(installation: Installation):
    """A plain form may have as many escaped characters as base64 needs, and no more."""
    kind, escape = "application/x-www-form-urlencoded", b"%2B"
    refused(await post(installation, b"image=QUI" + escape, content_type=kind), 400, "invalid_image")
    refused(await post(installation, b"image=" + escape * 2_000_000, content_type=kind), 422, "validation_error")


@pytest.mark.parametrize("body", [{}, {"photo": ORDER["image_base64"]}, {"format": "png"}])
async def test_no_image(installation: Installation, body: dict[str, Any]):
    """Without any of the image fields there is nothing to do, in JSON as in a form."""
    refused(await post(installation, body), 400, "bad_request")
    refused(await post_form(installation, *body.items(), ("image_file", b"")), 400, "bad_request")


FORMATS = "format must be one of ['bmp', 'gif', 'jpg', 'png', 'tiff', 'webp']"
SIZES = "size must be one of ['auto', 'full', 'hd', 'medium', 'preview']"
COLOURS = "bg_color must be a valid hex or named color."


@pytest.mark.parametrize(
    ("option", "code", "message"),
    [
        *[({"format": value}, "bad_request", FORMATS) for value in ("svg", "PNG8", "heic", 7, ["png"], {})],
        *[({"Size": value}, "bad_request", SIZES) for value in ("large", "4k", 4, "0.25")],
        *[({"channels": value}, "bad_request", "channels must be one of ['alpha', 'rgba']") for value in ("rgb", 4)],
        *[({"crop": value}, "bad_request", "crop must be a boolean") for value in ("maybe", 2, "y", [], 1.5)],
        ({"despill": "on"}, "bad_request", "despill must be a boolean"),
        *[
            ({"bg_color": value}, "invalid_bg_color", COLOURS)
            for value in ("#12", "#1234", "12345", "#12345678", "transparent", "none", "rgb(1,2,3)", "##fff", "#ggg", 7)
        ],
        ({"channels": "alpha", "bg_color": "nothing"}, "invalid_bg_color", COLOURS),
    ],
    ids=str,
)
async def test_wrong_options(installation: Installation, option: dict[str, Any], code: str, message: str):
    """A wrong option is refused with what may stand there, before the image is decoded."""
    refused(await post(installation, {"image_base64": "not base64"} | option), 400, code, message)


async def test_options_of_a_form(installation: Installation):
    """In a form, options are text, and just as wrong."""
    answer = await post_form(installation, ("image_file", DOT), ("FORMAT", "svg"))
    refused(answer, 400, "bad_request", FORMATS)
    answer = await post_form(installation, ("image_file", DOT), ("crop", b"true"))
    refused(answer, 400, "bad_request", "crop must be a boolean")


async def test_the_last_of_a_name_counts(installation: Installation):
    """Names are read in any case, and the last of those that fall together counts."""
    body = b'{"Format": "png", "FORMAT": "svg", "image_base64": "QQ=="}'
    refused(await post(installation, body), 400, "bad_request", FORMATS)
    body = b'{"FORMAT": "svg", "Format": "png", "image_BASE64": "QQ=="}'
    refused(await post(installation, body), 400, "invalid_image")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"image_base64": "?", "image": "QQ==", "image_url": "http://127.0.0.1:1/"}, "invalid_base64"),
        ({"image_file_b64": "QQ==", "image_base64": "?"}, "invalid_image"),
        ({"image": "?", "image_url": "http://127.0.0.1:1/"}, "invalid_base64"),
        ({"image_file": "", "image_base64": None, "image": "?"}, "invalid_base64"),
    ],
)
async def test_precedence(installation: Installation, body: dict[str, Any], code: str):
    """Of several images the first counts, in the order: file, its base64, image_base64, image, URL."""
    refused(await post(installation, body), 400, code)


async def test_urls(installation: Installation):
    """An image that cannot be had from its URL is refused with the status that its server gave, or with the reason."""
    pages = {"/403": answer(status=403), "/503": answer(status=503), "/page": answer(b"<!doctype html><html>")}
    async with Website(pages) as site:
        for field in ("image_url", "imageUrl", "IMAGEURL"):
            found = await post(installation, {field: site.url("/403")})
            refused(found, 400, "image_url_fetch_failed", "cannot download image_url (HTTP 403)")
        found = await post_form(installation, ("image_url", site.url("/503")))
        refused(found, 400, "image_url_fetch_failed", "cannot download image_url (HTTP 503)")
        refused(await post(installation, {"image_url": site.url("/page")}), 400, "invalid_image")
    for url in ("http://192.168.0.1/a.png", site.url("/"), "http://", "ftp://127.0.0.1/", "/etc/hosts", "a.png"):
        error = refused(await post(installation, {"image_url": url}), 400, "image_url_fetch_failed")
        assert error["message"].startswith("cannot download image_url: ")
    found = await post(installation, {"image_url": f"{installation.url}/im/0123456789ab/{uuid4()}.png"})
    refused(found, 400, "image_url_fetch_failed", "cannot download image_url (HTTP 404)")


async def test_too_many_bytes(installation: Installation):
    """An image of more than 30 MB is refused, whatever way it comes; one of just as much is looked at."""
    bytes_ = 30 * 2**20
    message = "image too large (>30 MB)."
    refused(await post_form(installation, ("image_file", bytes(bytes_ + 1))), 413, "payload_too_large", message)
    refused(await post_form(installation, ("image_file", bytes(bytes_))), 400, "invalid_image")
    text = in_base64(bytes(bytes_ + 1))
    refused(await post(installation, {"image_base64": text}), 413, "payload_too_large", message)
    async with Website({"/": answer(bytes(bytes_ + 1)), "/declared": answer(content_length=10**9)}) as site:
        for path in ("/", "/declared"):
            refused(await post(installation, {"image_url": site.url(path)}), 413, "payload_too_large", message)


async def test_a_body_without_end(installation: Installation):
    """A body is read no further than its limit, whether it tells its length or not."""
    head, piece = form(("image_file", b"X")).partition(b"X\r\n")[0], bytes(2**20)
    chunks = [head, *[piece] * 46]
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    refused(await post(installation, iter(chunks), content_type=kind), 413, "payload_too_large")
    reader, writer = await asyncio.open_connection("127.0.0.1", installation.ports[0])
    writer.write(f"POST /v2 HTTP/1.1\r\nHost: a\r\nX-Api-Key: {KEY}\r\nContent-Type: {kind}\r\n".encode())
    writer.write(b"Content-Length: 1000000000\r\n\r\n")
    assert (await reader.readline()).split()[1] == b"413"
    writer.close()
    await writer.wait_closed()


async def test_too_many_pixels(installation: Installation):
    """An image of more than 100 megapixels is refused by its header alone."""
    found = await post_form(installation, ("image_file", huge_png(10_000, 10_001)))
    refused(found, 413, "image_too_large", "image exceeds 100000000 pixels.")
    refused(await post_form(installation, ("image_file", huge_png(10_000, 10_000))), 400, "invalid_image")
    async with Website({"/": answer(huge_png(60_000, 60_000))}) as site:
        refused(await post(installation, {"image_url": site.url()}), 413, "image_too_large")


async def test_rate(beside: Beside):
    """A key that sends too much is told when to come again."""
    where = beside(RATE_LIMIT="1/min")
    for _ in range(9):
        found = await post(where, {"image_base64": "QQ=="})
        if found.status == 429:
            break
    refused(found, 429, "rate_limited", "Too many requests.")
    assert int(found.headers["retry-after"]) >= 1


@pytest.mark.settings(SYNC_WAIT="300ms")
async def test_too_slow(own_installation: Installation):
    """What is not done in time is answered with when to send it again."""
    own_installation.start("gateway")
    found = await post(own_installation, ORDER)
    refused(found, 503, "service_unavailable")
    assert int(found.headers["retry-after"]) >= 1


async def test_hundred_continue(installation: Installation):
    """A client that asks whether to go on is told so, and its answer has an id of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", installation.ports[0])
    body = b'{"image_base64": "?"}'
    head = f"POST /v2 HTTP/1.1\r\nHost: a\r\nX-Api-Key: {KEY}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n".encode())
    assert (await reader.readline()).split()[1] == b"100"
    await reader.readline()
    writer.write(body)
    assert b" 400 " in await reader.readline()
    assert b"invalid_base64" in await reader.read()
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("name", ImageColor.colormap)
def test_named_colours(name: str):
    """Every colour that CSS names is known, in any case."""
    assert colour(name.upper()) == ImageColor.getrgb(name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#fff", (255, 255, 255)), ("FFF", (255, 255, 255)), ("0a1B2c", (10, 27, 44)), ("#0A1b2C", (10, 27, 44)),
        ("add", (170, 221, 221)), ("bad", (187, 170, 221)), ("fad", (255, 170, 221)),
    ],
)  # fmt: skip
def test_colours_in_digits(text: str, expected: tuple[int, int, int]):
    """Three or six hexadecimal digits are a colour, with or without #, before they are a word."""
    assert colour(text) == expected
