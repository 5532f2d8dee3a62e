"""Bounds: of a message, of an array, of a rate, of a silence."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from tests.api.conftest import Beside
from tests.client import Client, new_task
from tests.harness import OTHER_KEY, Installation

SMALL = {"MAX_MESSAGE": "64KiB", "MAX_TASKS_PER_ARRAY": "3", "IDLE_TIMEOUT": "2s"}


def sized(task: dict[str, Any], size: int) -> str:
    """A message of exactly so many bytes with one task."""
    text = json.dumps([task | {"note": ""}])
    return json.dumps([task | {"note": "x" * (size - len(text))}])


async def test_long_array(client: Client) -> None:
    """Of an array that is too long the first 1,000 are taken, and each of the rest is refused by itself."""
    tasks = [new_task("nothing") for _ in range(10_000)]
    await client.send(tasks)
    frames = [await client.next() for _ in tasks]
    done = {item["taskUUID"] for frame in frames for item in frame.get("data", ())}
    refused = {error["taskUUID"]: error for frame in frames for error in frame.get("errors", ())}
    assert done == {task["taskUUID"] for task in tasks[:1000]}
    assert refused.keys() == {task["taskUUID"] for task in tasks[1000:]}
    assert {(error["code"], error["max"]) for error in refused.values()} == {("maxRequestSizeExceeded", 1000)}
    await client.ping()


async def test_length_of_an_array(beside: Beside) -> None:
    """How long an array may be is a setting; pings within it are tasks as others are."""
    tasks = [new_task("ping"), new_task("nothing"), new_task("getResponse"), new_task("nothing")]
    async with beside(**SMALL).client() as client:
        answers = await client.ask(*tasks)
    codes = [answer["errors"][0]["code"] for answer in answers if "errors" in answer]
    assert codes == ["taskNotFound", "maxRequestSizeExceeded"]


async def test_size_of_a_message(beside: Beside) -> None:
    """A message of the allowed size passes; one more byte gets an error under its task, then close 1009."""
    async with beside(**SMALL).client() as client:
        task = new_task("nothing")
        await client.send(sized(task, 2**16))
        assert (await client.answer(task["taskUUID"]))["data"][0]["text"] == "done"
        task = new_task("nothing")
        await client.send(sized(task, 2**16 + 1))
        assert await client.closed() == (1009, client.socket.close_reason)
    ((error,),) = [frame["errors"] for frame in client.frames]
    assert (error["code"], error["max"]) == ("maxRequestSizeExceeded", 2**16)
    assert {name: error[name] for name in task} == task


async def test_fragments_too_large(beside: Beside) -> None:
    """The parts of a message count together, however small each is."""
    async with beside(**SMALL).client() as client:
        text = sized(new_task("nothing"), 2**17)
        await client.send_parts(text[at : at + 4096] for at in range(0, len(text), 4096))
        assert (await client.closed())[0] == 1009
    assert client.frames[-1]["errors"][0]["code"] == "maxRequestSizeExceeded"


async def test_enormous(installation: Installation) -> None:
    """The error about a message far over the limit reaches a client that is still sending it."""
    async with installation.client() as client:
        task = new_task("imageUpload", image="A" * (64 * 2**20))
        await client.send([task])
        assert (await client.closed())[0] == 1009
    ((error,),) = [frame["errors"] for frame in client.frames]
    assert (error["code"], error["taskUUID"]) == ("maxRequestSizeExceeded", task["taskUUID"])


async def test_rate(beside: Beside) -> None:
    """What a key sends beyond its rate is refused with the time to wait, and taken after it; other keys are free."""
    gateway = beside(RATE_LIMIT="5/s")
    async with gateway.client() as client, gateway.client() as same, gateway.client(key=OTHER_KEY) as other:
        tasks = [new_task("nothing") for _ in range(12)]
        answers = await asyncio.gather(client.ask(*tasks[:6]), same.ask(*tasks[6:]))
        refused = [frame["errors"][0] for frames in answers for frame in frames if "errors" in frame]
        assert 1 <= len(refused) <= 7
        assert {error["code"] for error in refused} == {"rateLimitExceeded"}
        assert all(0 < error["retryAfter"] < 3 for error in refused)
        await other.run("nothing")
        await client.ping()
        await asyncio.sleep(refused[0]["retryAfter"])
        (again,) = [task for task in tasks if task["taskUUID"] == refused[0]["taskUUID"]]
        assert (await client.ask(again))[0]["data"][0]["text"] == "done"


async def test_no_rate(client: Client) -> None:
    """Nobody is limited until the operator says so."""
    answers = await client.ask(*[new_task("nothing") for _ in range(300)])
    assert all("data" in answer for answer in answers)


async def test_idle(beside: Beside) -> None:
    """A socket that says nothing for the idle time is closed; each message begins the time again."""
    async with beside(**SMALL).client() as client:
        for _ in range(4):
            await asyncio.sleep(0.6)
            await client.ping()
        started = time.monotonic()
        code, reason = await client.closed()
        assert 1.5 < time.monotonic() - started < 8
        assert code not in (1000, 1001)
        assert "nothing heard" in reason


async def test_not_idle(beside: Beside) -> None:
    """While a task of its own runs, a silent socket is kept; the time begins after it."""
    async with beside(**SMALL).client() as client:
        tasks = [new_task("sleeps", seconds=3.5), new_task("sleeps", seconds=3.5, deliveryMethod="async")]
        for frame in await client.ask(*tasks):
            assert "data" in frame
        await client.ping()
