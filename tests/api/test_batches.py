"""Batches: tasks with one batchUUID, one answer about all of them, one cancel for all."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.client import Client, new_task, request
from tests.harness import KEY, OTHER_KEY, Installation


def members(batch: str) -> list[dict[str, Any]]:
    """Three tasks of a batch: one that takes a moment, one that fails, one that does not."""
    return [
        new_task("sleeps", seconds=0.3, batchUUID=batch),
        new_task("refuses", failure="ModelNotFound", batchUUID=batch),
        new_task("nothing", batchUUID=batch.upper()),
    ]


@pytest.mark.parametrize("place", [0, 3])
async def test_told(client: Client, place: int) -> None:
    """The answer about a batch comes when all of its tasks have ended, wherever it stands in the array, and says how
    each did."""
    batch = str(uuid4())
    tasks, about = members(batch), new_task("batch", of=batch)
    frames = await client.ask(*tasks[:place], about, *tasks[place:])
    (item,) = frames[place]["data"]
    assert {name: item[name] for name in ("total", "succeeded", "failed", "cancelled")} == {
        "total": 3, "succeeded": 2, "failed": 1, "cancelled": 0,
    }  # fmt: skip
    assert {(one["taskUUID"], one["taskType"], one["status"], one.get("code")) for one in item["tasks"]} == {
        (tasks[0]["taskUUID"], "sleeps", "succeeded", None),
        (tasks[1]["taskUUID"], "refuses", "failed", "modelNotFound"),
        (tasks[2]["taskUUID"], "nothing", "succeeded", None),
    }


@pytest.mark.parametrize(("policy", "fails"), [("all", True), ("any", False), ("best-effort", False)])
async def test_policy(client: Client, policy: str, fails: bool) -> None:
    """A batch of which one task failed is a failure only where all were to succeed; its error names the first."""
    batch = str(uuid4())
    tasks = members(batch)
    await client.ask(*tasks)
    (frame,) = await client.ask(new_task("batch", of=batch, policy=policy))
    assert ("errors" in frame) == fails
    if fails:
        (error,) = frame["errors"]
        assert (error["code"], error["failed"], error["total"]) == ("dependencyFailed", 1, 3)
        assert error["cause"] == {"taskUUID": tasks[1]["taskUUID"], "code": "modelNotFound"}


async def test_none_succeeded(client: Client) -> None:
    """Where any task was to succeed and none did, the batch is a failure."""
    batch = str(uuid4())
    failing = new_task("refuses", failure="ModelNotFound", batchUUID=batch)
    _, frame = await client.ask(failing, new_task("batch", of=batch, policy="any"))
    assert frame["errors"][0]["cause"]["taskUUID"] == failing["taskUUID"]


async def test_cancelled(client: Client) -> None:
    """taskCancel with a batchUUID ends all tasks of the batch; the answer about it counts them as cancelled."""
    batch = str(uuid4())
    tasks, about = [new_task("sleeps", seconds=5, batchUUID=batch) for _ in range(5)], new_task("batch", of=batch)
    await client.send([*tasks, about])
    await asyncio.sleep(0.2)
    item = await client.run("taskCancel", batchUUID=batch)
    assert item["results"] == [{"taskUUID": task["taskUUID"], "status": "cancelled"} for task in tasks]
    assert {frame["errors"][0]["code"] for frame in await client.answers(*tasks)} == {"taskCancelled"}
    (told,) = (await client.answer(about["taskUUID"]))["data"]
    assert (told["total"], told["cancelled"]) == (5, 5)


async def test_unknown(client: Client, installation: Installation) -> None:
    """A batch that no task of this key belongs to is refused, another key's like none at all."""
    batch = str(uuid4())
    await client.ask(new_task("nothing", batchUUID=batch))
    async with installation.client(key=OTHER_KEY) as other:
        for uuid in (batch, str(uuid4())):
            (frame,) = await other.ask(new_task("batch", of=uuid))
            assert (frame["errors"][0]["code"], frame["errors"][0]["parameter"]) == ("invalidTaskReference", "of")
            assert (await other.run("taskCancel", batchUUID=uuid))["results"] == []


async def test_circle(client: Client) -> None:
    """A task of a batch that waits for the answer about it is refused, and so is that one."""
    batch = str(uuid4())
    about = new_task("batch", of=batch)
    frames = await client.ask(about, new_task("nothing", batchUUID=batch, dependsOn=[about["taskUUID"]]))
    assert {frame["errors"][0]["code"] for frame in frames} == {"invalidTaskReference"}


async def test_large(installation: Installation) -> None:
    """A batch may be larger than a graph; over HTTP its answer stands at its place in the array."""
    batch = str(uuid4())
    tasks = [new_task("nothing", batchUUID=batch) for _ in range(150)]
    reply = await request(
        "POST", f"{installation.url}/v1", [new_task("batch", of=batch), *tasks], authorization=f"Bearer {KEY}"
    )
    first, *others = reply.json["data"]
    assert (first["taskType"], first["total"], first["succeeded"], len(others)) == ("batch", 150, 150, 150)


async def test_later_ones(client: Client):
    """Tasks that come to a batch after the task about it are not told of: they may not have ended."""
    batch = str(uuid4())
    first, about = new_task("sleeps", seconds=0.3, batchUUID=batch), new_task("batch", of=batch, policy="any")
    await client.send([first, about])
    await client.send([later := new_task("sleeps", seconds=2, batchUUID=batch)])
    (frame,) = await client.answers(about)
    assert [told["taskUUID"] for told in frame["data"][0]["tasks"]] == [first["taskUUID"]]
    await client.run("taskCancel", targets=[later["taskUUID"]])
