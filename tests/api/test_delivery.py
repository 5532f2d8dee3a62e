"""How an answer comes: at once, as an ack and by asking, with progress, and again later."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.api.conftest import Beside
from tests.client import Client, new_task
from tests.harness import Installation

PATIENT = {"POLL_HOLD": "2s", "EAGER_ACK": "0"}
PROMPT = {"POLL_HOLD": "0", "EAGER_ACK": "0"}


def about(task: dict[str, Any]) -> dict[str, Any]:
    """What every item about a task begins with."""
    return {"taskType": task["taskType"], "taskUUID": task["taskUUID"]}


def asks(task: dict[str, Any], task_type: str = "getResponse") -> dict[str, Any]:
    return new_task(task_type, taskUUID=task["taskUUID"])


async def succeeded(client: Client, task: dict[str, Any], seconds: float = 20) -> dict[str, Any]:
    """Poll until the task has ended; the frame."""
    async with asyncio.timeout(seconds):
        while (await client.ask(asks(task)))[0]["data"][0]["status"] == "processing":
            await asyncio.sleep(0.05)
    return (await client.ask(asks(task)))[0]


async def test_sync(client: Client) -> None:
    """A sync task gets one frame, the final one, and can be asked for again."""
    task = new_task("sleeps", seconds=0.3, deliveryMethod="sync")
    frame = (await client.ask(task))[0]
    assert frame == {"data": [about(task) | {"text": "slept 0.3"}]}
    assert await client.ask(asks(task)) == [{"data": [about(task) | {"status": "success", "text": "slept 0.3"}]}]
    await client.ping()


async def test_async(beside: Beside) -> None:
    """An async task gets an ack, then nothing until it is asked for; the answer carries its own taskType."""
    async with beside(**PROMPT).client() as client:
        task = new_task("sleeps", seconds=0.6, deliveryMethod="async")
        assert await client.ask(task) == [{"data": [about(task)]}]
        (item,) = (await client.ask(asks(task)))[0]["data"]
        assert item.items() >= (about(task) | {"status": "processing"}).items()
        assert await succeeded(client, task) == {"data": [about(task) | {"status": "success", "text": "slept 0.6"}]}
        await client.ping()


async def test_async_failure(beside: Beside) -> None:
    """An async task that fails is told in an errors frame with its status, as often as it is asked for."""
    async with beside(**PATIENT).client() as client:
        task = new_task("exits", how="raise", deliveryMethod="async")
        assert await client.ask(task) == [{"data": [about(task)]}]
        answers = await client.ask(asks(task)) + await client.ask(asks(task))
        assert answers[0] == answers[1]
        (error,) = answers[0]["errors"]
        assert error.items() >= (about(task) | {"status": "error", "code": "internalServerError"}).items()


async def test_progress(beside: Beside) -> None:
    """While a task runs, getResponse tells how far it is, in percent that only grow."""
    async with beside(**PROMPT).client() as client:
        task, seen = new_task("sleeps", seconds=1.5, deliveryMethod="async"), list[int]()
        await client.ask(task)
        async with asyncio.timeout(20):
            while (item := (await client.ask(asks(task)))[0]["data"][0])["status"] == "processing":
                assert item.keys() <= {"taskType", "taskUUID", "status", "progress", "stage", "queuePosition"}
                seen.append(item.get("progress", 0))
                await asyncio.sleep(0.02)
        assert all(isinstance(value, int) and 0 <= value <= 100 for value in seen)
        assert seen == sorted(seen)
        assert len(set(seen)) > 3
        assert "progress" not in item


async def test_uuids_given_before(beside: Beside) -> None:
    """Results have their UUIDs while they are still to come, all in one frame, and keep them."""
    async with beside(**PROMPT).client() as client:
        task = new_task("audioInference", duration=0.5, numberResults=3, deliveryMethod="async")
        await client.ask(task)
        early = (await client.ask(asks(task)))[0]["data"]
        assert [item["status"] for item in early] == ["processing"] * 3
        items = (await succeeded(client, task))["data"]
        assert [item["audioUUID"] for item in items] == [item["audioUUID"] for item in early]
        assert len({UUID(item["audioUUID"], version=4) for item in items}) == 3
        assert {(item["taskUUID"], item["status"]) for item in items} == {(task["taskUUID"], "success")}
        assert [item["resultIndex"] for item in items] == [0, 1, 2]


async def test_eager_ack(beside: Beside) -> None:
    """A quick async task has its result in place of its ack; a slow one its ack when that time is over."""
    async with beside(EAGER_ACK="10s").client() as client:
        task = new_task("nothing", deliveryMethod="async")
        assert await client.ask(task) == [{"data": [about(task) | {"status": "success", "text": "done"}]}]
        failing = new_task("exits", how="raise", deliveryMethod="async")
        (error,) = (await client.ask(failing))[0]["errors"]
        assert error.items() >= about(failing).items()
        await client.ping()
    async with beside(EAGER_ACK="500ms").client() as client:
        started, task = time.monotonic(), new_task("sleeps", seconds=3.5, deliveryMethod="async")
        assert await client.ask(task) == [{"data": [about(task)]}]
        assert 0.4 < time.monotonic() - started < 3.4


async def test_held(beside: Beside) -> None:
    """getResponse waits for a task that still runs, within its bound, and every one that is open is answered."""
    async with beside(**PATIENT).client() as client:
        task = new_task("lingers", seconds=1, deliveryMethod="async")
        await client.ask(task)
        started = time.monotonic()
        await client.send([asks(task)])
        await client.send([asks(task), asks(task)])
        await client.ping()
        items = [item for _ in range(3) for item in (await client.next())["data"]]
        assert [(item["taskUUID"], item["status"]) for item in items] == [(task["taskUUID"], "success")] * 3
        assert time.monotonic() - started > 0.5
        long = new_task("lingers", seconds=5, deliveryMethod="async")
        await client.ask(long)
        started = time.monotonic()
        assert (await client.ask(asks(long)))[0]["data"][0]["status"] == "processing"
        assert 1.5 < time.monotonic() - started < 4.9


@pytest.mark.parametrize("uuid", [str(uuid4()), "x", "", None, 7, ["x"], str(uuid4()).upper(), "*", "a:b"])
@pytest.mark.parametrize("task_type", ["getResponse", "getTaskDetails"])
async def test_unknown(client: Client, task_type: str, uuid: object) -> None:
    """A taskUUID that this key has not used is taskNotFound, under the type that asks."""
    await client.send([{"taskType": task_type, "taskUUID": uuid}])
    (error,) = (await client.next())["errors"]
    assert (error["code"], error["parameter"], error["taskType"]) == ("taskNotFound", "taskUUID", task_type)
    assert error.get("taskUUID") == (uuid if isinstance(uuid, str) else None)


async def test_refused_is_not_kept(client: Client) -> None:
    """A task that was refused is unknown, and its taskUUID still free."""
    task = new_task("sleeps")
    assert "errors" in (await client.ask(task))[0]
    assert (await client.fail("getResponse", taskUUID=task["taskUUID"]))["code"] == "taskNotFound"
    assert (await client.ask(task | {"seconds": 0}))[0]["data"][0]["text"] == "slept 0.0"


async def test_details(client: Client) -> None:
    """getTaskDetails gives the request as it was sent, without pixels, and the answer to it."""
    task = new_task("sleeps", settings={"seconds": 0, "x": None}, prompt="many words " * 40, note="A" * 5000)
    frame = (await client.ask(task))[0]
    (item,) = (await client.ask(asks(task, "getTaskDetails")))[0]["data"]
    assert item["request"] == [task | {"note": "A" * 40 + "… (5000 characters)"}]
    assert (item["taskType"], item["response"]) == ("getTaskDetails", frame)
    failing = new_task("exits", how="raise")
    frame = (await client.ask(failing))[0]
    (item,) = (await client.ask(asks(failing, "getTaskDetails")))[0]["data"]
    assert (item["request"], item["response"]) == ([failing], frame)


async def test_details_while_it_runs(client: Client) -> None:
    """getTaskDetails does not wait for a task that still runs."""
    task = new_task("audioInference", duration=1, numberResults=2)
    await client.send([task])
    await asyncio.sleep(0.2)
    (item,) = (await client.ask(asks(task, "getTaskDetails")))[0]["data"]
    assert [result["status"] for result in item["response"]["data"]] == ["processing"] * 2
    await client.answers(task)


async def test_any_case(installation: Installation) -> None:
    """A taskUUID names its task in any case, and is answered in the one it was sent in."""
    async with installation.client() as client:
        task = new_task("nothing")
        task["taskUUID"] = task["taskUUID"].upper()
        await client.ask(task)
        await client.send([{"taskType": "getResponse", "taskUUID": task["taskUUID"].lower()}])
        assert (await client.next())["data"][0]["taskUUID"] == task["taskUUID"]
