"""Pictures that are easy to tell apart: made, written down in each form that a client may send, looked at again."""

from __future__ import annotations

import asyncio
import io
import urllib.error
import urllib.request

import pybase64
from PIL import Image, ImageChops


def plain(number: int, size: tuple[int, int] = (24, 16)) -> Image.Image:
    """A picture of one colour, another one for each number up to a few hundred."""
    return Image.new("RGB", size, (number * 53 % 256, number * 97 % 256, number * 29 % 256))


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def base64(image: Image.Image) -> str:
    return pybase64.b64encode_as_string(png(image))


def data_uri(image: Image.Image) -> str:
    return f"data:image/png;base64,{base64(image)}"


async def status(url: str) -> int:
    """The status that a download is answered with."""
    try:
        return (await asyncio.to_thread(_get, url))[0]
    except urllib.error.HTTPError as failure:
        failure.close()
        return failure.code


async def download(url: str) -> Image.Image:
    _, body = await asyncio.to_thread(_get, url)
    return Image.open(io.BytesIO(body))


async def assert_shows(url: str, expected: Image.Image) -> None:
    """A download is this picture, pixel by pixel."""
    found = (await download(url)).convert("RGB")
    assert found.size == expected.size
    assert ImageChops.difference(found, expected).getbbox() is None


def _get(url: str) -> tuple[int, bytes]:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.status, answer.read()
