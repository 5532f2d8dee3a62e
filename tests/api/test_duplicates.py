"""The same task again: it never runs twice, and everybody who sent it is answered."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.api.conftest import Beside
from tests.client import Client, new_task, request
from tests.harness import KEY, Installation


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """Where `sleeps` and `lingers` note each of their runs."""
    return tmp_path / "runs"


def runs(marker: Path) -> int:
    return len(marker.read_text().splitlines()) if marker.exists() else 0


async def test_replay(client: Client, other: Client, installation: Installation, marker: Path) -> None:
    """A finished task that is sent again gets the same bytes, on any socket of its key, and does not run again."""
    task = new_task("lingers", seconds=0, marker=str(marker))
    raw = set[str | bytes]()
    async with installation.client() as another:
        for sender in (client, client, another):
            await sender.send([task])
            raw.add(await sender.socket.recv())
    assert len(raw) == 1
    assert runs(marker) == 1
    assert "data" in (await other.ask(task))[0]
    assert runs(marker) == 2


async def test_attach(client: Client, installation: Installation, marker: Path) -> None:
    """A task that is sent again while it runs is answered on both sockets when it ends."""
    task = new_task("lingers", seconds=0.6, marker=str(marker))
    await client.send([task])
    async with installation.client() as another:
        await asyncio.sleep(0.2)
        assert await another.ask(task) == await client.answers(task)
    assert runs(marker) == 1


async def test_attach_async(beside: Beside, marker: Path) -> None:
    """An async task that is sent again while it runs is acknowledged again."""
    task = new_task("lingers", seconds=1, marker=str(marker), deliveryMethod="async")
    ack = {"data": [{"taskType": "lingers", "taskUUID": task["taskUUID"]}]}
    async with beside(EAGER_ACK="50ms").client() as client:
        assert await client.ask(task) == [ack]
        assert await client.ask(task) == [ack]
        asked = new_task("getResponse", taskUUID=task["taskUUID"])
        async with asyncio.timeout(20):
            while (await client.ask(asked))[0]["data"][0]["status"] == "processing":
                await asyncio.sleep(0.05)
        (again,) = await client.ask(task)
        assert again == (await client.ask(asked))[0]
    assert runs(marker) == 1


async def test_failure_again(client: Client) -> None:
    """A task that has failed fails again in the same words, with the same incident."""
    task = new_task("exits", how="raise")
    assert await client.ask(task) == await client.ask(task)


@pytest.mark.parametrize(
    "change",
    [
        {"seconds": 0.1}, {"marker": "elsewhere"}, {"taskType": "nothing"}, {"deliveryMethod": "async"},
        {"unheardOf": 1}, {"includeCost": True},
    ],
)  # fmt: skip
async def test_conflict(client: Client, change: dict[str, Any]) -> None:
    """Another task under a used taskUUID is conflictTaskUUID, and leaves the first as it was."""
    task = new_task("sleeps", seconds=0)
    (answer,) = await client.ask(task)
    (frame,) = await client.ask(task | change)
    (error,) = frame["errors"]
    assert (error["code"], error["parameter"]) == ("conflictTaskUUID", "taskUUID")
    assert error["taskType"] == (task | change)["taskType"]
    assert await client.ask(task) == [answer]


async def test_same_in_other_words(client: Client) -> None:
    """The order of members, nulls and nesting, and the case of the taskUUID do not make another task."""
    task = new_task("sleeps", seconds=0)
    (answer,) = await client.ask(task)
    for same in (
        dict(reversed(task.items())),
        task | {"marker": None},
        {"taskType": "sleeps", "taskUUID": task["taskUUID"], "settings": {"seconds": 0, "x": None}},
        task | {"taskUUID": task["taskUUID"].upper()},
    ):
        await client.send([same])
        assert await client.next() == answer


async def test_conflict_always(beside: Beside, marker: Path) -> None:
    """With DUPLICATE_TASK=conflict the same task again is a conflict, running or done; its result stays."""
    async with beside(DUPLICATE_TASK="conflict").client() as client:
        task = new_task("lingers", seconds=0.5, marker=str(marker))
        await client.send([task])
        await asyncio.sleep(0.1)
        (running,) = await client.ask(task)
        (answer,) = await client.answers(task)
        (done,) = await client.ask(task)
        assert running == done
        assert running["errors"][0]["code"] == "conflictTaskUUID"
        polled = await client.run("getResponse", taskUUID=task["taskUUID"])
        assert polled == answer["data"][0] | {"status": "success"}
    assert runs(marker) == 1


async def test_twins_in_one_array(client: Client, marker: Path) -> None:
    """The same object twice in an array runs once."""
    task = new_task("lingers", seconds=0.2, marker=str(marker))
    await client.send([task, task])
    assert "data" in (await client.answers(task))[0]
    await client.run("nothing")
    assert runs(marker) == 1


@pytest.mark.parametrize("delivery", ["sync", "async"])
async def test_rivals_in_one_array(beside: Beside, delivery: str) -> None:
    """Of two tasks under one taskUUID in an array one is carried out and one is a conflict; both are answered."""
    async with beside(EAGER_ACK="3s").client() as client:
        for _ in range(5):
            uuid = str(uuid4())
            rivals = [new_task("sleeps", seconds=s, taskUUID=uuid, deliveryMethod=delivery) for s in (0.1, 0.2)]
            await client.send(rivals)
            frames = [await client.next() for _ in rivals]
            assert sorted(next(iter(frame)) for frame in frames) == ["data", "errors"]
            (conflict,) = [frame["errors"][0] for frame in frames if "errors" in frame]
            assert (conflict["code"], conflict["taskUUID"]) == ("conflictTaskUUID", uuid)


async def test_rivals_in_one_request(installation: Installation) -> None:
    """The same over HTTP: the one that is carried out is answered when it ends."""
    uuid = str(uuid4())
    rivals = [new_task("sleeps", seconds=seconds, taskUUID=uuid) for seconds in (0.3, 0.4)]
    async with asyncio.timeout(10):
        told = await request("POST", f"{installation.url}/v1", rivals, authorization=f"Bearer {KEY}")
    assert [item["taskUUID"] for item in told.json["data"]] == [uuid]
    assert [error["code"] for error in told.json["errors"]] == ["conflictTaskUUID"]


async def test_rival_of_a_running_task(beside: Beside) -> None:
    """A conflict takes nothing from the task that runs: its socket is not idle, and its answer comes."""
    async with beside(IDLE_TIMEOUT="800ms").client() as client:
        task = new_task("sleeps", seconds=2.5)
        await client.send([task, task | {"seconds": 4}])
        assert (await client.next())["errors"][0]["code"] == "conflictTaskUUID"
        assert (await client.answers(task))[0]["data"][0]["text"] == "slept 2.5"


async def test_fifty_at_once(installation: Installation, marker: Path) -> None:
    """One task on fifty sockets at once runs once, and all fifty get the same answer."""
    task = new_task("lingers", seconds=0.3, marker=str(marker))
    clients = await asyncio.gather(*(installation.client().connect() for _ in range(50)))
    answers = await asyncio.gather(*(client.ask(task) for client in clients))
    await asyncio.gather(*(client.ping() for client in clients))
    await asyncio.gather(*(client.close() for client in clients))
    assert all(answer == answers[0] for answer in answers)
    assert "data" in answers[0][0]
    assert runs(marker) == 1
