"""returnOutput: false: nothing is said of a task's success."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.api.conftest import Arrive, Beside
from tests.api.test_http import done, post
from tests.client import Client, new_task
from tests.harness import Installation


def silent(task_type: str = "nothing", **members: Any) -> dict[str, Any]:
    return new_task(task_type, returnOutput=False, **members)


async def test_socket(client: Client) -> None:
    """The next frame is about the task that builds on the silent one; getResponse still tells the result."""
    step = silent("paints", width=8)
    after = new_task("paints", width=8, inputImage=step["taskUUID"])
    await client.send([step, after])
    frame = await client.next()
    made = await client.run("getResponse", taskUUID=step["taskUUID"])
    assert (made["status"], made["taskUUID"]) == ("success", step["taskUUID"])
    assert (frame["data"][0]["taskUUID"], frame["data"][0]["inputImageUUID"]) == (after["taskUUID"], made["imageUUID"])
    await client.send([step])
    await client.run("nothing")
    assert client.frames == []


async def test_failures_are_told(client: Client) -> None:
    """What fails is told, and so is what is refused."""
    failed, refused = await client.ask(silent("exits", how="raise"), silent("paints", width=0))
    assert failed["errors"][0]["code"] == "internalServerError"
    assert refused["errors"][0]["code"] == "invalidWidth"


async def test_acknowledged(beside: Beside) -> None:
    """An async task is acknowledged, and no result comes in place of that; a failure does."""
    async with beside(EAGER_ACK="3s").client() as client:
        for task in (silent(deliveryMethod="async"), silent("sleeps", seconds=0.3, deliveryMethod="async")):
            ack = {"taskType": task["taskType"], "taskUUID": task["taskUUID"]}
            assert await client.ask(task) == [{"data": [ack]}]
        assert await client.fail("exits", how="raise", deliveryMethod="async", returnOutput=False)
        await client.ping()


@pytest.mark.parametrize("where", ["settings", "inputs"])
async def test_only_at_the_top(client: Client, where: str) -> None:
    """The member is the task's own; among its parameters it is nothing."""
    (frame,) = await client.ask(new_task("nothing", **{where: {"returnOutput": False}}))
    assert frame["data"][0]["text"] == "done"


async def test_http(installation: Installation) -> None:
    """Over HTTP a silent success has no item; when nothing is left the answer is an empty list."""
    shown = new_task("nothing")
    soon = silent(deliveryMethod="async")
    ack = {"taskType": "nothing", "taskUUID": soon["taskUUID"]}
    for tasks, items in (([silent()], []), ([silent(), shown, silent()], [done(shown)]), ([silent(), soon], [ack])):
        answer = await post(installation, tasks)
        assert (answer.status, answer.json) == (200, {"data": items})
    answer = await post(installation, [silent(), silent("exits", how="raise")])
    assert (answer.status, len(answer.json["errors"]), "data" in answer.json) == (500, 1, False)


async def test_resumed(client: Client, arrive: Arrive) -> None:
    """Nor is it told to who comes back."""
    step, shown = silent("sleeps", seconds=0.3), new_task("sleeps", seconds=0.3)
    await client.send([step, shown])
    await client.ping()
    await client.drop()
    await asyncio.sleep(0.8)
    back = await (await arrive()).authenticate(client.session)
    assert (await back.next())["data"][0]["taskUUID"] == shown["taskUUID"]
    await back.ping()
