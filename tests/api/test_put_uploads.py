"""PUT /v1/uploads/{taskUUID}: a file as the body of a request, whole or in pieces."""

from __future__ import annotations

import asyncio
import base64
import random
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from blake3 import blake3
from PIL import Image

from tests.api.conftest import Beside
from tests.client import Client, Reply, new_task, request
from tests.harness import KEY, OTHER_KEY, Installation
from tests.pictures.files import encoded

PICTURE = Image.frombytes("RGB", (900, 600), random.Random(8).randbytes(900 * 600 * 3))
PNG = encoded(PICTURE, "PNG")
HASH = f"blake3:{blake3(PNG).hexdigest()}"
BEARER = f"Bearer {KEY}"


async def put(where: Installation, uuid: str, body: Any = PNG, gateway: int = 0, **headers: str) -> Reply:
    """One request of an upload."""
    url = f"http://127.0.0.1:{where.ports[gateway]}/v1/uploads/{uuid}"
    return await request("PUT", url, body, **{"authorization": BEARER} | headers)


def piece(first: int, last: int, size: int = len(PNG)) -> dict[str, Any]:
    """The body and the header of a piece, with its last byte."""
    return {"body": PNG[first : last + 1], "content_range": f"bytes {first}-{last}/{size}"}


def item_of(reply: Reply) -> dict[str, Any]:
    """The one item of an answer."""
    assert reply.status == 200, reply.body
    (item,) = reply.json["data"]
    return item


def failure(reply: Reply) -> tuple[int, str]:
    """The status and the code of a refusal, which has the shape of POST /v1."""
    assert reply.json["error"] == reply.json["errors"][0]
    return reply.status, reply.json["error"]["code"]


async def downloaded(item: dict[str, Any]) -> bytes:
    return (await request("GET", item["imageURL"])).body


@pytest.mark.parametrize("chunked", [False, True])
async def test_whole(installation: Installation, chunked: bool) -> None:
    """A whole file in one request is an imageUpload, answered as any other; sent again, with the same answer."""

    def body() -> Any:
        return iter((PNG[:1000], PNG[1000:])) if chunked else PNG

    uuid = str(uuid4())
    item = item_of(await put(installation, uuid.upper(), body(), x_content_hash=HASH))
    assert item.keys() == {"taskType", "taskUUID", "imageUUID", "imageURL"}
    assert (item["taskType"], item["taskUUID"]) == ("imageUpload", uuid.upper())
    assert await downloaded(item) == PNG
    again = item_of(await put(installation, uuid, body()))
    assert again == item | {"taskUUID": uuid}


async def test_same_task(installation: Installation, client: Client) -> None:
    """It is the same task as an upload of the same bytes in base64; other bytes are a conflict."""
    uuid = str(uuid4())
    item = item_of(await put(installation, uuid))
    task = {"taskType": "imageUpload", "taskUUID": uuid, "image": base64.b64encode(PNG).decode()}
    assert (await client.ask(task))[0]["data"] == [item]
    assert failure(await put(installation, uuid, PNG + b"more")) == (400, "conflictTaskUUID")
    task = new_task("imageUpload", image=base64.b64encode(PNG).decode())
    (frame,) = await client.ask(task)
    assert item_of(await put(installation, task["taskUUID"])) == frame["data"][0]


async def test_pieces(installation: Installation, beside: Beside) -> None:
    """A file may come in pieces, at whatever gateway: until the last byte is there, the answer says what has come."""
    elsewhere, uuid, size = beside(IDLE_TIMEOUT="90s"), str(uuid4()), len(PNG)
    asked: dict[str, Any] = {"body": b"", "content_range": f"bytes */{size}"}
    reply = await put(installation, uuid, **asked)
    assert (reply.status, reply.headers.get("range"), reply.body) == (308, None, b"")
    for where, (first, last) in ((installation, (0, 99_999)), (elsewhere, (100_000, 1_400_000))):
        reply = await put(where, uuid, **piece(first, last))
        assert (reply.status, reply.headers["range"]) == (308, f"bytes=0-{last}")
    reply = await put(installation, uuid, **asked)
    assert (reply.status, reply.headers["range"]) == (308, "bytes=0-1400000")
    end = piece(1_400_001, size - 1)
    item = item_of(await put(elsewhere, uuid, **end, x_content_hash=HASH))
    assert await downloaded(item) == PNG
    for again in (end, asked, piece(0, 99_999)):
        assert item_of(await put(installation, uuid, **again)) == item


async def test_out_of_place(installation: Installation) -> None:
    """A piece that does not begin where the last one ended is refused with 416, which says where to go on."""
    uuid = str(uuid4())
    reply = await put(installation, uuid, **piece(10, 99))
    assert failure(reply) == (416, "invalidContentRange")
    assert "range" not in reply.headers
    assert (await put(installation, uuid, **piece(0, 99))).status == 308
    for first in (0, 99, 101):
        reply = await put(installation, uuid, **piece(first, 200))
        assert (*failure(reply), reply.headers["range"]) == (416, "invalidContentRange", "bytes=0-99")
    assert item_of(await put(installation, uuid, **piece(100, len(PNG) - 1)))


async def test_cut_off(installation: Installation) -> None:
    """Of a body that is cut off in the middle, what has come is kept, and the rest may follow."""
    uuid, parts = str(uuid4()), urlsplit(installation.url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(
        f"PUT /v1/uploads/{uuid} HTTP/1.1\r\nHost: here\r\nAuthorization: {BEARER}\r\n"
        f"Content-Length: {len(PNG)}\r\n\r\n".encode()
    )
    writer.write(PNG[:1_300_000])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    come = 0
    async with asyncio.timeout(10):
        while come < 1_300_000:
            reply = await put(installation, uuid, b"", content_range=f"bytes */{len(PNG)}")
            assert reply.status == 308
            come = int(reply.headers.get("range", "bytes=0--1").rpartition("-")[2]) + 1
    assert come == 1_300_000
    assert await downloaded(item_of(await put(installation, uuid, **piece(come, len(PNG) - 1)))) == PNG


async def test_whole_after_pieces(installation: Installation) -> None:
    """Who sends the whole file begins anew, whatever has come before."""
    uuid = str(uuid4())
    assert (await put(installation, uuid, b"wrong", content_range="bytes 0-4/100")).status == 308
    assert await downloaded(item_of(await put(installation, uuid))) == PNG


async def test_hash(installation: Installation) -> None:
    """X-Content-Hash is checked at the end; where it is not the file's, nothing is kept."""
    uuid = str(uuid4())
    reply = await put(installation, uuid, x_content_hash=f"blake3:{'0' * 64}")
    assert failure(reply) == (400, "invalidContentHash")
    assert reply.json["error"]["found"] == HASH
    reply = await put(installation, uuid, b"", content_range=f"bytes */{len(PNG)}")
    assert (reply.status, reply.headers.get("range")) == (308, None)
    assert failure(await put(installation, uuid, x_content_hash="md5:1")) == (400, "invalidContentHash")


async def test_refusals(installation: Installation, beside: Beside) -> None:
    """What is wrong is told as POST /v1 tells it."""
    uuid = str(uuid4())
    assert failure(await put(installation, uuid, authorization="Bearer wrong")) == (401, "invalidApiKey")
    assert failure(await put(installation, "1")) == (400, "invalidTaskUUID")
    assert failure(await put(installation, uuid, b"")) == (400, "missingImage")
    assert failure(await put(installation, uuid, b"no image")) == (400, "invalidImage")
    for told in ("bytes 5-4/9", "bytes 0-9/9", "bytes 0-3/*", "bytes */0", "items 0-1/2", "bytes */9"):
        reply = await put(installation, str(uuid4()), b"x" * 10, content_range=told)
        if told != "bytes */9":
            assert failure(reply) == (400, "invalidRequest"), told
    small = beside(MAX_MESSAGE="64KiB")
    assert failure(await put(small, uuid)) == (413, "maxRequestSizeExceeded")
    assert failure(await put(small, uuid, iter((PNG[:60_000], PNG[:60_000])))) == (413, "maxRequestSizeExceeded")
    assert failure(await put(small, uuid, **piece(0, 9))) == (413, "maxRequestSizeExceeded")
    uuid = str(uuid4())
    reply = await put(installation, uuid, PNG[:20], content_range="bytes 0-9/100")
    assert failure(reply) == (400, "invalidRequest")
    assert (await put(installation, uuid, PNG[:10], content_range="bytes 0-9/100")).status == 308
    assert failure(await put(installation, uuid, b"", content_range="bytes */99")) == (400, "conflictTaskUUID")


async def test_another_key(installation: Installation) -> None:
    """Another key's upload of the same taskUUID is another upload."""
    uuid = str(uuid4())
    assert (await put(installation, uuid, **piece(0, 99))).status == 308
    other = {"authorization": f"Bearer {OTHER_KEY}"}
    reply = await put(installation, uuid, b"", content_range=f"bytes */{len(PNG)}", **other)
    assert (reply.status, reply.headers.get("range")) == (308, None)
    theirs = item_of(await put(installation, uuid, **other))
    ours = item_of(await put(installation, uuid, **piece(100, len(PNG) - 1)))
    assert theirs["imageUUID"] != ours["imageUUID"]


async def test_begun_anew(installation: Installation) -> None:
    """Of two requests that bring a whole file under one taskUUID, the later one counts; the other is told so."""
    uuid, going = str(uuid4()), threading.Event()

    def slow() -> Iterator[bytes]:
        yield PNG[:1000]
        going.wait(20)
        yield bytes(2**20)

    first = asyncio.create_task(put(installation, uuid, slow()))
    await asyncio.sleep(0.3)
    item = item_of(await put(installation, uuid))
    going.set()
    assert failure(await first) == (400, "conflictTaskUUID")
    assert await downloaded(item) == PNG
