"""How much a socket may send before this server knows its key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.conftest import Arrive
from tests.client import new_task
from tests.harness import KEY

BIG = "word " * 200_000


async def refused(client: Any) -> dict[str, Any]:
    """The last error before the close with 1009."""
    assert (await client.closed())[0] == 1009
    (error,) = client.frames[-1]["errors"]
    return error


async def test_small(arrive: Arrive) -> None:
    """A first message that does not authenticate may have 4 KiB."""
    client, task = await arrive(), new_task("nothing", note="")
    task["note"] = "x" * (4096 - len(json.dumps([task])))
    assert len(json.dumps([task])) == 4096
    await client.send([task])
    assert (await client.next())["errors"][0]["taskUUID"] == task["taskUUID"]
    await client.send([new_task("nothing")])
    assert (await client.next())["errors"][0]["code"] == "invalidApiKey"


@pytest.mark.parametrize("size", [4097, 6000, 70_000, 10_000_000])
async def test_large(arrive: Arrive, size: int) -> None:
    """One that is larger is refused under its taskUUID, and the socket is closed with 1009."""
    client, task = await arrive(), new_task("nothing")
    await client.send([task | {"note": "x" * (size - len(json.dumps([task | {"note": ""}])))}])
    assert (await refused(client))["code"] == "maxRequestSizeExceeded"
    assert any(task["taskUUID"] == frame["errors"][0].get("taskUUID") for frame in client.frames)


async def test_large_with_good_key(arrive: Arrive) -> None:
    """A large message that begins with a good key is let in whole."""
    client, tasks = await arrive(), [new_task("nothing", note=BIG), new_task("nothing", note=BIG)]
    await client.send([{"taskType": "authentication", "apiKey": KEY}, *tasks])
    assert "data" in await client.next()
    for task in tasks:
        assert (await client.answer(task["taskUUID"]))["data"][0]["text"] == "done"


@pytest.mark.parametrize("key", ["wrong", "", 7, None])
async def test_large_with_bad_key(arrive: Arrive, key: object) -> None:
    """A large message that begins with a key that is not accepted is refused, unread."""
    client = await arrive()
    await client.send([{"taskType": "authentication", "apiKey": key}, new_task("nothing", note=BIG)])
    assert (await refused(client))["code"] == "maxRequestSizeExceeded"


async def test_key_further_behind(arrive: Arrive) -> None:
    """A key somewhere behind a large first object lets nobody in."""
    client = await arrive()
    await client.send([new_task("nothing", note=BIG), {"taskType": "authentication", "apiKey": KEY}])
    await refused(client)


async def test_many_small_parts(arrive: Arrive) -> None:
    """The fragments of a message count together."""
    client = await arrive()
    text = json.dumps([new_task("nothing", note="x" * 10_000)])
    await client.send_parts(text[at : at + 1000] for at in range(0, len(text), 1000))
    assert (await refused(client))["code"] == "maxRequestSizeExceeded"


async def test_fragments(arrive: Arrive) -> None:
    """A small authentication may come in fragments."""
    client = await arrive()
    await client.send_parts(json.dumps([{"taskType": "authentication", "apiKey": KEY}]))
    assert "connectionSessionUUID" in (await client.next())["data"][0]
    await client.ping()
