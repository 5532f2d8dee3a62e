"""Uploads of the predictions API: by ticket and PUT, by form, and the oldest way."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image

from tests.api.conftest import Beside
from tests.api.predictions import ask, data, refusal, run, told
from tests.client import request
from tests.harness import Installation
from tests.pictures.files import encoded

PNG = encoded(Image.new("RGB", (20, 10), "green"), "PNG")
FORM = "multipart/form-data; boundary=cut"


def form(content: bytes, name: str = "file", head: str = "", filename: str = "a.png") -> bytes:
    """A form of one file."""
    part = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\n{head}\r\n'
    return b"--cut\r\n" + part.encode() + content + b"\r\n--cut--\r\n"


async def ticket(where: Installation, **members: Any) -> dict[str, Any]:
    return await data(where, "POST", "/media/uploads", {"filename": "a.png", "size": len(PNG)} | members)


@pytest.mark.parametrize("prefix", ["/api/v3", "/api/v2"])
async def test_ticket(installation: Installation, prefix: str) -> None:
    """A ticket tells where to PUT the file, without a key, and the URL that it will have."""
    asked = {"filename": "ä b/c.jpg", "size": len(PNG), "content_type": "image/jpeg"}
    found = await data(installation, "POST", f"{prefix}/media/uploads", asked)
    upload = found["upload"]
    assert (found["type"], found["filename"], found["size"]) == ("image", "ä b/c.jpg", len(PNG))
    assert (upload["method"], upload["headers"]) == ("PUT", {"Content-Type": "image/jpeg"})
    left = datetime.fromisoformat(upload["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)
    assert (await request("GET", found["download_url"])).status == 404
    put = await request("PUT", upload["url"], PNG, content_type="text/plain")
    assert (put.status, put.json["data"]["size"]) == (200, len(PNG))
    for url in (found["download_url"], put.json["data"]["download_url"]):
        assert (await request("GET", url)).body == PNG
    shown = await run(installation, "wavespeed-ai/real-esrgan", image=found["download_url"], scale=2)
    assert shown["status"] == "completed"


async def test_ticket_again(installation: Installation) -> None:
    """A PUT may be repeated, one after the other or at once; another file under the ticket is refused."""
    found = await ticket(installation)
    url = found["upload"]["url"]
    replies = await asyncio.gather(*(request("PUT", url, PNG) for _ in range(4)))
    assert [reply.status for reply in [*replies, await request("PUT", url, PNG)]] == [200] * 5
    other = encoded(Image.new("RGB", (20, 10), "blue"), "PNG")
    refused = told(await request("PUT", url, other))
    assert refused == (400, 400, "This address has taken another file already. Ask for a new one.")
    assert (await request("GET", found["download_url"])).body == PNG


async def test_chunks(installation: Installation) -> None:
    """A file may come without its length, in chunks; one that is empty is refused."""
    found = await ticket(installation)
    assert (await request("PUT", found["upload"]["url"], iter([PNG[:30], PNG[30:]]))).status == 200
    assert (await request("GET", found["download_url"])).body == PNG
    assert told(await request("PUT", (await ticket(installation))["upload"]["url"], iter([])))[:2] == (400, 1401)


async def test_wrong_ticket(installation: Installation) -> None:
    """An address with another token, or another tenant's with this token, takes nothing."""
    url = (await ticket(installation))["upload"]["url"]
    *start, tenant, token, name = url.split("/")
    for words in ([tenant, token[:-1] + "~", name], ["0" * 12, token, name], [tenant, "x", name]):
        assert told(await request("PUT", "/".join([*start, *words]), PNG))[:2] == (403, 403)


async def test_no_image(installation: Installation) -> None:
    """What is no image is refused when it comes."""
    url = (await ticket(installation, filename="a.txt", content_type=None))["upload"]["url"]
    assert told(await request("PUT", url, b"just text"))[:2] == (400, 1401)
    reply = await ask(installation, "POST", "/media/upload/binary", form(b"just text"), content_type=FORM)
    assert told(reply)[:2] == (400, 1401)


async def test_refused_tickets(beside: Beside) -> None:
    """A file that would be too large is refused before it is sent, and when it comes all the same."""
    gateway = beside(MAX_MESSAGE="64KiB")
    assert (await refusal(gateway, "POST", "/media/uploads", {"filename": "a", "size": 2**16 + 1}))[:2] == (413, 413)
    for body in ({"size": "1"}, {"size": -1}, {"size": True}, {"filename": 7}):
        assert (await refusal(gateway, "POST", "/media/uploads", body))[:2] == (400, 1401)
    url = (await ticket(gateway))["upload"]["url"]
    assert told(await request("PUT", url, b"x" * (2**16 + 1)))[:2] == (413, 413)
    reply = await ask(gateway, "POST", "/media/upload/binary", form(b"x" * 2**16), content_type=FORM)
    assert told(reply)[:2] == (413, 413)


@pytest.mark.parametrize("path", ["/media/upload/binary", "/upload", "/api/v2/media/upload/binary"])
@pytest.mark.parametrize("head", ["", "Content-Type: application/octet-stream\r\n"])
async def test_form(installation: Installation, path: str, head: str) -> None:
    """A file in a form is an image, whatever the form calls its type; the answer has its URL under both names."""
    reply = await ask(installation, "POST", path, form(PNG, head=head), content_type=FORM)
    assert (reply.status, reply.json["code"]) == (200, 200)
    found = reply.json["data"]
    assert (found["type"], found["filename"], found["size"]) == ("image", "a.png", len(PNG))
    assert found["url"] == found["download_url"]
    assert (await request("GET", found["url"])).body == PNG


async def test_broken_forms(installation: Installation) -> None:
    """A form that cannot be read, or has no file, is refused; a key is needed first."""
    path = "/media/upload/binary"
    bodies = {FORM: [b"", b"--cut", b"nonsense", form(PNG)[:40], b"--cut--\r\n"], "image/png": [PNG]}
    bodies["multipart/form-data"] = [form(PNG)]
    for kind, contents in bodies.items():
        for content in contents:
            assert told(await ask(installation, "POST", path, content, content_type=kind))[0] == 400, (kind, content)
    assert told(await ask(installation, "POST", path, form(b""), content_type=FORM))[:2] == (400, 1401)
    assert told(await ask(installation, "POST", path, form(PNG), "wrong", content_type=FORM))[0] == 401
    reply = await ask(installation, "POST", path, form(PNG, name="image"), content_type=FORM)
    assert reply.status == 200
    reply = await ask(installation, "POST", path, form(PNG), content_type=f"{FORM}; charset=undefined")
    assert reply.status == 200
