"""What an image reference is by its form, and the bytes of one that carries them."""

from __future__ import annotations

import base64
import time

import pytest

from server.errors import InvalidParameter
from server.fetch import decode, kind

JPEG = b"\xff\xd8\xff\xe0picture"


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("123e4567-e89b-42d3-a456-426614174000", "uuid"),
        ("123E4567-E89B-42D3-A456-426614174000", "uuid"),
        ("123e4567e89b42d3a456426614174000", "base64"),
        ("data:image/png;base64,AAAA", "data"),
        ("DATA:;base64,AAAA", "data"),
        ("https://example.com/cat.jpg", "url"),
        ("HTTP://example.com", "url"),
        ("ftp://example.com/cat.jpg", "url"),
        ("file:///etc/passwd", "url"),
        ("/9j/4AAQSkZJRg==", "base64"),
        ("/home/x/cat.jpg", "base64"),
    ],
)
def test_kind(reference, expected):
    """A reference is a UUID, else a data URI, else a URL of any scheme, else base64."""
    assert kind(reference) == expected


def test_decode():
    """Base64 is read plain or in a data URI, as text or bytes, with whitespace in it and padding left out."""
    plain = base64.b64encode(JPEG).decode()
    broken = "\r\n".join(plain[at : at + 5] for at in range(0, len(plain), 5)) + "\n"
    assert plain.startswith("/9j/")
    for written in (plain, plain.rstrip("="), broken, plain + "==", " " + plain):
        for prefix in ("", "data:image/png;base64,", "data:;base64,", " Data:image/svg+xml;charset=utf-8;BASE64, "):
            whole = prefix + written
            assert decode(whole, "image") == decode(whole.encode(), "image") == JPEG
            assert decode(memoryview(whole.encode()), "image") == JPEG


@pytest.mark.parametrize(
    "reference",
    ["cat.jpg", "/home/x/cat.jpg", "C:\\cat.png", "../cat", "QUJD-_8=", "QUJDR", "QQ==QUJD", "ü", "\ud800", "a%3D"],
)
def test_undecodable(reference):
    """What does not decode is an error of its parameter, which says that paths are never opened."""
    with pytest.raises(InvalidParameter, match=r"never opens paths.*URL.*data URI.*base64") as refused:
        decode(reference, "image")
    assert (refused.value.code, refused.value.parameter) == ("invalidImage", "image")


@pytest.mark.parametrize("reference", ["data:image/png,abc", "data:image/png;base64", "data:", "data:;base64x,AAAA"])
def test_other_data_uris(reference):
    """A data URI that is not in base64 is refused as such."""
    with pytest.raises(InvalidParameter, match="data URIs in base64"):
        decode(reference, "inputImage")


@pytest.mark.parametrize("reference", ["", "====", " \n", "data:image/png;base64,"])
def test_empty(reference):
    """No data is an error."""
    with pytest.raises(InvalidParameter, match="no data"):
        decode(reference, "image")


def test_decode_is_quick():
    """A reference of 64 MB takes a fraction of a second, well-formed, loosely written or hostile."""
    plain = base64.b64encode(bytes(48_000_000)).decode()
    started = time.process_time()
    assert len(decode(plain, "image")) == len(decode(plain + "\n", "image")) == 48_000_000
    for hostile in (plain + "*", " " * 64_000_000, "=" * 64_000_000, "data:" + "," * 64_000_000):
        with pytest.raises(InvalidParameter):
            decode(hostile, "image")
    assert time.process_time() - started < 15  # six of them, on a machine that is busy
