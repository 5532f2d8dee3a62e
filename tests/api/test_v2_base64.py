"""Base64 at /v2: what is read, what is refused, and with which error."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.api.v2_base64 import strictly_decoded
from server.api.v2_errors import Failure
from tests.api.removal import in_base64, post, post_form, refused
from tests.harness import Installation

IMAGELESS = in_base64(b"not an image, whatever else")
PNG = in_base64(b"\x89PNG\r\n\x1a\n" + bytes(range(1, 90)))

MALFORMED = {
    "leading blank": f" {PNG}",
    "inner blank": f"{PNG[:8]} {PNG[8:]}",
    "trailing blank": f"{PNG} ",
    "tab": f"{PNG[:8]}\t{PNG[8:]}",
    "final newline": f"{PNG}\n",
    "final CRLF": f"{PNG}\r\n",
    "newline in a full quad": "QUJ\n",
    "MIME columns": base64.encodebytes(bytes(200)).decode(),
    "no padding of two": "QQ",
    "half the padding": "QQ=",
    "no padding of one": "QUI",
    "one = too many": "QQ===",
    "two = too many": "QQ====",
    "only =": "====",
    "= before": "=QQ=",
    "= after a full quad": "QUJD=",
    "two in a row": "QQ==QQ==",
    "one more than quads": "QUJDQ",
    "one data character": "Q===",
    "URL-safe minus": "-A==",
    "URL-safe underscore": "ab_c",
    "+ become a blank": "ab c",
    "percent-encoded =": "QQ%3D%3D",
    "percent-encoded +": "ab%2Bc",
    "double quotes": f'"{PNG}"',
    "single quotes": "'QQ=='",
    "false": "false",
    "NaN": "NaN",
    "undefined": "undefined",
    "http": "http://example.com/a.png",
    "https": "https://example.com/picture",
    "blob": "blob:https://example.com/7d3c",
    "a path": "C:\\pictures\\a.png",
    "a relative path": "./a.png",
    "an e with an accent": "QUJé",
    "byte order mark": f"\ufeff{PNG}",
    "full width": "ＱＱ＝＝",
    "zero width": "QUJD\u200bQUJD",
    "NUL": "QUJ\0",
    "blank before the prefix": f" data:image/png;base64,{PNG}",
    "blank after the comma": f"data:image/png;base64, {PNG}",
    "no ;base64": f"data:image/png,{PNG}",
    "SVG as text": "data:image/svg+xml;utf8,<svg/>",
    "another type": f"data:application/octet-stream;base64,{PNG}",
    "no type": f"data:;base64,{PNG}",
    "text": f"data:text/plain;base64,{PNG}",
    "a prefix without data:": f"image/png;base64,{PNG}",
    "a prefix of base64 alone": f"base64,{PNG}",
    "two prefixes": f"data:image/png;base64,data:image/png;base64,{PNG}",
    "percent-encoded after a prefix": "data:image/png;base64,QQ%3D%3D",
    "newline after a prefix": f"data:image/png;base64,{PNG}\n",
    "a prefix without end": f"data:image/{'x' * 300};base64,{PNG}",
}
WELL_FORMED = {
    "canonical": IMAGELESS,
    "padded": "QQ==",
    "plus and slash": "+/+/",
    "spare bits": "QR==",
    "null as text": "null",
    "true as text": "true",
    "None as text": "None",
    "cut at a quad": PNG[:40],
    "encoded twice": in_base64(PNG.encode()),
    "PNG prefix": f"data:image/png;base64,{PNG}",
    "JPEG prefix": f"data:image/jpeg;base64,{PNG}",
    "WebP prefix": f"data:image/webp;base64,{PNG}",
    "SVG prefix": f"data:image/svg+xml;base64,{in_base64(b'<svg/>')}",
    "SVG prefix with a charset": f"data:image/svg+xml;charset=utf-8;base64,{in_base64(b'<svg/>')}",
    "a prefix with a name": f"data:image/png;name=a.png;base64,{PNG}",
    "an upper-case prefix": f"DATA:IMAGE/PNG;BASE64,{PNG}",
    "only a prefix": "data:image/png;base64,",
}


@pytest.mark.parametrize("field", ["image_base64", "image", "image_file_b64"])
@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
async def test_malformed(installation: Installation, sent: str, field: str):
    """Whatever deviates from the alphabet, the padding or the one prefix is invalid_base64, which names the field."""
    refused(await post(installation, {field: sent}), 400, "invalid_base64", f"{field} is not valid base64.")


@pytest.mark.parametrize("sent", [sent for sent in MALFORMED.values() if "\0" not in sent])
async def test_malformed_in_a_form(installation: Installation, sent: str):
    """A form is read as strictly as JSON."""
    answer = await post_form(installation, ("image_base64", sent))
    refused(answer, 400, "invalid_base64", "image_base64 is not valid base64.")


@pytest.mark.parametrize("sent", WELL_FORMED.values(), ids=WELL_FORMED)
async def test_well_formed_and_no_image(installation: Installation, sent: str):
    """Base64 that decodes to something else than an image is an invalid image, never invalid_base64."""
    error = refused(await post(installation, {"image_base64": sent}), 400, "invalid_image")
    assert error["message"].startswith("body is not a valid image")


@pytest.mark.parametrize("field", ["image_base64", "image", "image_file_b64", "image_url", "imageUrl", "image_file"])
@pytest.mark.parametrize("nothing", ["", None])
async def test_empty(installation: Installation, field: str, nothing: str | None):
    """An image field that is empty or null is no image field."""
    error = refused(await post(installation, {field: nothing}), 400, "bad_request")
    assert error["message"].startswith("No image provided.")


@pytest.mark.parametrize("value", [7, 1.5, True, [], ["QQ=="], {}])
async def test_no_text(installation: Installation, value: object):
    """An image field of another JSON type is a request of a wrong shape."""
    error = refused(await post(installation, {"image_base64": value}), 422, "validation_error")
    assert [detail["loc"] for detail in error["details"]] == [["body", "image_base64"]]


async def test_plain_forms_lose_plus_signs(installation: Installation):
    """In a URL-encoded form a + that was not escaped is a blank, and that is invalid base64."""
    kind = "application/x-www-form-urlencoded"
    answer = await post(installation, b"image_base64=ab+c", content_type=kind)
    refused(answer, 400, "invalid_base64")
    answer = await post(installation, b"image_base64=ab%2Bc", content_type=kind)
    refused(answer, 400, "invalid_image")


async def test_a_file_under_a_name_for_text(installation: Installation):
    """A file that comes as image_base64 is expected to hold base64."""
    refused(await post_form(installation, ("image_base64", b"\x89PNG\r\n")), 400, "invalid_base64")
    refused(await post_form(installation, ("image_base64", b"QQ==")), 400, "invalid_image")


async def test_text_under_a_name_for_files(installation: Installation):
    """Text as image_file is base64 if it decodes, and else no image."""
    for text in ("QQ==", "no base64"):
        refused(await post_form(installation, ("image_file", text)), 400, "invalid_image")


@given(st.text(alphabet="QUJDab+/=- \n", max_size=13) | st.text(max_size=9))
def test_like_the_reference(text: str):
    """What decodes is what Python's own strict decoder takes, canonical padding required."""
    padding = len(text) - len(text.rstrip("="))
    try:
        expected = base64.b64decode(text, validate=True)
    except ValueError:
        expected = None
    if len(text) % 4 or padding > 2:
        expected = None
    try:
        found = strictly_decoded(text, "image")
    except Failure:
        found = None
    assert found == expected
