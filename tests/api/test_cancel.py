"""Cancel: by taskCancel on a socket or over HTTP, by DELETE, and by the predictions API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import UUID, uuid4

import pytest

from tests.api.predictions import checked, data, refusal, run, submit
from tests.client import Client, Reply, new_task, request
from tests.harness import KEY, OTHER_KEY, Installation, wait_for

ENDED = "The task was cancelled."
Start = Callable[..., Awaitable[dict[str, Any]]]


async def cancelled(client: Client, *targets: str) -> list[dict[str, str]]:
    """What taskCancel says of its targets."""
    return (await client.run("taskCancel", targets=list(targets)))["results"]


async def delete(where: Installation, uuid: str, key: str | None = KEY) -> Reply:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return await request("DELETE", f"{where.url}/v1/tasks/{uuid}", **headers)


def told(frame: dict[str, Any]) -> list[tuple[str, str]]:
    """The codes and sentences of a frame's errors."""
    return [(error["code"], error["message"]) for error in frame["errors"]]


@pytest.fixture
def start(client: Client, tmp_path: Path) -> Start:
    """`await start()` is a task that runs now, for longer than any test."""

    async def started(**members: Any) -> dict[str, Any]:
        marker = tmp_path / uuid4().hex
        task = new_task("sleeps", seconds=8, marker=str(marker), **members)
        await client.send([task])
        await asyncio.to_thread(wait_for, marker.exists)
        return task

    return started


async def test_running(client: Client, start: Start) -> None:
    """A running task ends at once with taskCancelled, under its own UUID; what comes after it is done."""
    task = await start()
    assert await cancelled(client, task["taskUUID"]) == [{"taskUUID": task["taskUUID"], "status": "cancelled"}]
    (frame,) = await client.answers(task, within=2)
    assert told(frame) == [("taskCancelled", ENDED)]
    assert frame["errors"][0].items() >= {"taskType": "sleeps", "taskUUID": task["taskUUID"]}.items()
    polled = await client.fail("getResponse", taskUUID=task["taskUUID"])
    assert (polled["code"], polled["status"]) == ("taskCancelled", "error")
    assert (await client.run("nothing", within=5))["text"] == "done"


async def test_waiting(client: Client, tmp_path: Path) -> None:
    """Tasks that have not started end without being started, however many there are."""
    marker = tmp_path / "runs"
    tasks = [new_task("sleeps", seconds=8, marker=str(marker)) for _ in range(40)]
    await client.send(tasks)
    await asyncio.to_thread(wait_for, marker.exists)
    results = await cancelled(client, *(task["taskUUID"] for task in tasks))
    assert results == [{"taskUUID": task["taskUUID"], "status": "cancelled"} for task in tasks]
    for frame in await client.answers(*tasks, within=2):
        assert told(frame) == [("taskCancelled", ENDED)]
    assert (await client.run("nothing", within=5))["text"] == "done"
    assert len(marker.read_text().splitlines()) <= 2


async def test_each_target(client: Client, other: Client, installation: Installation, start: Start) -> None:
    """Each target is told in the order and the spelling in which it was named; another key's task is not known."""
    done, foreign = new_task("nothing"), new_task("sleeps", seconds=0.5)
    await client.ask(done)
    await other.send([foreign])
    task = await start()
    expected = {
        task["taskUUID"].upper(): "cancelled",
        done["taskUUID"]: "alreadyFinished",
        str(uuid4()): "notFound",
        foreign["taskUUID"]: "notFound",
        done["taskUUID"].upper(): "alreadyFinished",
        task["taskUUID"]: "cancelled",
    }
    async with installation.client() as another:
        results = await cancelled(another, *expected)
        again = await cancelled(another, task["taskUUID"])
    assert [(result["taskUUID"], result["status"]) for result in results] == list(expected.items())
    assert again == [{"taskUUID": task["taskUUID"], "status": "alreadyFinished"}]
    assert "data" in (await other.answers(foreign))[0]


async def test_children(client: Client, start: Start) -> None:
    """A task that waits for another one can be cancelled alone; with the other one it is cancelled too."""
    parent = await start()
    alone, child = (new_task("nothing", dependsOn=[parent["taskUUID"]]) for _ in range(2))
    await client.send([alone, child])
    await client.ping()
    await cancelled(client, alone["taskUUID"])
    assert told((await client.answers(alone, within=2))[0]) == [("taskCancelled", ENDED)]
    assert await cancelled(client, parent["taskUUID"], child["taskUUID"]) == [
        {"taskUUID": parent["taskUUID"], "status": "cancelled"},
        {"taskUUID": child["taskUUID"], "status": "alreadyFinished"},
    ]
    for frame in await client.answers(parent, child, within=2):
        assert told(frame) == [("taskCancelled", ENDED)]


@pytest.mark.parametrize(
    ("targets", "code", "parameter"),
    [
        (None, "missingTargets", "targets"), ([], "invalidTargets", "targets"), ("x", "invalidTargets", "targets"),
        (str(uuid4()), "invalidTargets", "targets"), ([1], "invalidTargets", "targets[0]"),
        ([str(uuid4()), "x"], "invalidTargets", "targets[1]"), ([""], "missingTargets", "targets[0]"),
        ([str(uuid4())] * 1001, "invalidTargets", "targets"),
    ],
)  # fmt: skip
async def test_refused(client: Client, targets: Any, code: str, parameter: str) -> None:
    """Targets are 1 to 1,000 UUIDs; what is wrong with them concerns no other object of the array."""
    wrong, right = new_task("taskCancel", targets=targets), new_task("taskCancel", targets=[str(uuid4())] * 1000)
    frames = await client.ask(wrong, right, new_task("nothing"))
    (error,) = frames[0]["errors"]
    assert (error["code"], error["parameter"], error["taskUUID"]) == (code, parameter, wrong["taskUUID"])
    assert len(frames[1]["data"][0]["results"]) == 1000
    assert frames[2]["data"][0]["text"] == "done"


async def test_request_that_waits(installation: Installation, start: Start) -> None:
    """Over HTTP it is the same, and a request that waits for the task is answered with its end."""
    task = await start()
    waiting = asyncio.create_task(
        request("POST", f"{installation.url}/v1", [task], authorization=f"Bearer {KEY}"),
    )
    await asyncio.sleep(0.1)
    cancel = new_task("taskCancel", targets=[task["taskUUID"]])
    answer = await request("POST", f"{installation.url}/v1", [cancel], authorization=f"Bearer {KEY}")
    results = [{"taskUUID": task["taskUUID"], "status": "cancelled"}]
    expected = {"taskType": "taskCancel", "taskUUID": cancel["taskUUID"], "results": results}
    assert (answer.status, answer.json) == (200, {"data": [expected]})
    ended = await asyncio.wait_for(waiting, 2)
    assert (ended.status, ended.json["error"]["code"]) == (409, "taskCancelled")


async def test_delete(installation: Installation, client: Client, other: Client, start: Start) -> None:
    """DELETE ends a task of the key, and says when it had ended; any other UUID is a task that is not found."""
    task, foreign = await start(), new_task("sleeps", seconds=0.3)
    await other.send([foreign])
    written = task["taskUUID"].upper()
    for status in ("cancelled", "alreadyFinished"):
        answer = await delete(installation, written)
        assert (answer.status, answer.json) == (200, {"data": [{"taskUUID": written, "status": status}]})
    assert told((await client.answers(task, within=2))[0]) == [("taskCancelled", ENDED)]
    for uuid in (str(uuid4()), foreign["taskUUID"], "x", "%00%ff"):
        answer = await delete(installation, uuid)
        error = answer.json["error"]
        assert (answer.status, error["code"], answer.json) == (404, "taskNotFound", {"errors": [error], "error": error})
        assert error["taskUUID"] == unquote(uuid, errors="replace")
    assert "data" in (await other.answers(foreign))[0]


@pytest.mark.parametrize("key", [None, "wrong"])
async def test_delete_without_a_key(installation: Installation, key: str | None) -> None:
    """Without a good key nothing is looked at."""
    answer = await delete(installation, str(uuid4()), key)
    assert (answer.status, answer.json["error"]["code"]) == (401, "invalidApiKey")


async def test_prediction(installation: Installation) -> None:
    """A cancelled prediction has failed, in our words; one that has ended stays as it is."""
    made = await submit(installation, "taskarray/sleeps", seconds=8)
    shown = checked(await data(installation, "POST", f"/predictions/{made['id']}/cancel"))
    assert (shown["status"], shown["error"], shown["code"], shown["outputs"]) == ("failed", ENDED, 1405, [])
    assert await data(installation, "POST", f"/predictions/{made['id']}/cancel") == shown
    assert await data(installation, "GET", f"/predictions/{made['id']}/result") == shown
    done = await run(installation, "taskarray/nothing")
    assert checked(await data(installation, "POST", f"/predictions/{done['id']}/cancel"))["status"] == "completed"


async def test_unknown_prediction(installation: Installation) -> None:
    """Another key's prediction, and what is no id, are not found."""
    made = await submit(installation, "taskarray/sleeps", seconds=0.3)
    found = [
        await refusal(installation, "POST", f"/predictions/{name}/cancel", key=OTHER_KEY)
        for name in (made["id"], uuid4().hex, "x")
    ]
    assert found == [(404, 404, "prediction not found")] * 3


async def test_waiting_prediction(installation: Installation, client: Client, start: Start) -> None:
    """A task that waits for another one is a prediction that has been created, in lists too."""
    parent = await start()
    child = new_task("nothing", dependsOn=[parent["taskUUID"]])
    await client.send([child])
    await client.ping()
    name = UUID(child["taskUUID"]).hex
    assert checked(await data(installation, "GET", f"/predictions/{name}"))["status"] == "created"
    shown = await data(installation, "POST", f"/predictions/{UUID(parent['taskUUID']).hex}/cancel")
    assert shown["status"] == "failed"
    assert (await data(installation, "GET", f"/predictions/{name}"))["error"] == ENDED
