"""Test mode: what a task does to the socket on which it came, so that clients can be tried against it."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError

from tests.api.conftest import Beside
from tests.client import Client, new_task


@pytest.fixture
async def client(beside: Beside):
    async with beside(TEST_MODE="1").client() as found:
        yield found


def asking(after: str, **members: Any) -> dict[str, Any]:
    return new_task("nothing", simulate={"dropSocketAfter": after}, **members)


async def dropped(client: Client, task: dict[str, Any]) -> list[dict[str, Any]]:
    """What comes on the socket about a task before it ends without a close frame."""
    frames = list[dict[str, Any]]()
    await client.send([task])
    with pytest.raises(ConnectionClosedError) as ended:
        while True:
            frames.append(await client.next())
    assert ended.value.rcvd is None
    return frames


@pytest.mark.parametrize("method", ["sync", "async"])
@pytest.mark.parametrize("after", ["ack", "result"])
async def test_dropped(client: Client, after: str, method: str):
    """The socket drops once, without a word; who comes back, with the session or by sending the task again, gets the
    answer."""
    task = asking(after, deliveryMethod=method)
    frames = await dropped(client, task)
    assert len(frames) <= 1
    assert after == "ack" or frames[0]["data"][0]["text"] == "done"
    async with Client(client.url, client.key) as other:
        (frame,) = await other.ask(task)
        assert frame["data"][0]["text"] == "done"
        await other.ping()


async def test_resumed(client: Client):
    """A session that a task has dropped is resumed with the task's answer."""
    task = new_task("sleeps", seconds=1, simulate={"dropSocketAfter": "ack"})
    assert await dropped(client, task) == []
    again = await Client(client.url, client.key).connect(client.session)
    assert (await again.answer(task["taskUUID"]))["data"][0]["text"] == "slept 1.0"
    await again.close()


@pytest.mark.parametrize("method", ["sync", "async"])
async def test_twice(client: Client, method: str):
    """An answer that is to come twice does."""
    task = new_task("nothing", simulate={"duplicateResult": True}, deliveryMethod=method)
    await client.send([task])
    first, second = await client.next(), await client.next()
    assert first == second
    assert first["data"][0]["text"] == "done"
    await client.ping()


async def test_binary_twice(client: Client):
    """An answer with binary frames comes twice with all of them."""
    task = new_task("paints", outputType="binary", deliveryMethod="async", simulate={"duplicateResult": True})
    async with Client(f"{client.url}?features=binary", client.key) as first:
        await first.send([task])
        while (await client.run("getResponse", taskUUID=task["taskUUID"]))["status"] == "processing":
            pass
    async with Client(f"{client.url}?features=binary", client.key) as again:
        await again.send([task])
        for _ in range(2):
            (item,) = (await again.next())["data"]
            for _ in range(item["binary"]["frames"]):
                assert isinstance(await again.socket.recv(), bytes)
        await again.ping()
