"""How a task that has not ended stands, as getResponse tells it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.api.conftest import Beside
from tests.client import Client, new_task

PROMPT = {"POLL_HOLD": "0", "EAGER_ACK": "0"}


async def stands(client: Client, task: dict[str, Any]) -> dict[str, Any]:
    """The first item of the answer to getResponse, without the members that every item has."""
    frame = (await client.ask(new_task("getResponse", taskUUID=task["taskUUID"])))[0]
    return {name: value for name, value in frame["data"][0].items() if name not in ("taskType", "taskUUID")}


async def test_members(beside: Beside) -> None:
    """A queued task says how many are before it, one that waits for others that it does, a running one how far it is,
    never all the way."""
    async with beside(**PROMPT).client() as client:
        running, last = new_task("sleeps", seconds=1.2), new_task("sleeps", seconds=0.1)
        child = new_task("nothing", dependsOn=[last["taskUUID"]])
        between = [new_task("sleeps", seconds=0.5) for _ in range(5)]
        await client.send([running | {"deliveryMethod": "async"}])
        await client.send([task | {"deliveryMethod": "async"} for task in (*between, last, child)])
        seen, waits, places = list[dict[str, Any]](), list[dict[str, Any]](), list[int]()
        for task in (running, *between, last, child):
            await client.answer(task["taskUUID"])  # the ack
        while (item := await stands(client, child))["status"] == "processing":
            waits.append(item)
            seen.append(await stands(client, running))
            places.append((await stands(client, last)).get("queuePosition", 0))
        assert {"status": "processing", "stage": "waiting for other tasks"} in waits
        assert places == sorted(places, reverse=True)
        assert places[0] >= 4
        told = [item["progress"] for item in seen if "progress" in item]
        assert told == sorted(told)
        assert (max(told) <= 99, len(set(told)) > 3) == (True, True)
        assert all(item["queuePosition"] == 0 for item in seen if item["status"] == "processing")
        assert {item["stage"] for item in seen if "stage" in item} == {"sleeping"}


async def test_news_end_the_wait(beside: Beside) -> None:
    """getResponse waits no longer than until the task stands otherwise: a new stage, or another state."""
    async with beside(POLL_HOLD="9s", EAGER_ACK="0").client() as client:
        parent = new_task("lingers", seconds=0.8, deliveryMethod="async")
        child = new_task("sleeps", seconds=1.5, deliveryMethod="async", dependsOn=[parent["taskUUID"]])
        await client.ask(parent, child)
        started = time.monotonic()
        assert (await stands(client, child)).get("stage") in (None, "sleeping")
        assert 0.1 < time.monotonic() - started < 8
        item = await stands(client, child)
        assert (item["status"], item["stage"], item["queuePosition"]) == ("processing", "sleeping", 0)
        assert time.monotonic() - started < 8
        while (await stands(client, child))["status"] == "processing":
            await asyncio.sleep(0)


async def test_details(beside: Beside) -> None:
    """getTaskDetails tells the same of a task that runs."""
    async with beside(**PROMPT).client() as client:
        task = new_task("sleeps", seconds=0.8, deliveryMethod="async")
        await client.ask(task)
        asked, items = new_task("getTaskDetails", taskUUID=task["taskUUID"]), list[dict[str, Any]]()
        async with asyncio.timeout(10):
            while "text" not in (item := (await client.ask(asked))[0]["data"][0]["response"]["data"][0]):
                items.append(item)
        assert items[0]["queuePosition"] == 0
        assert "sleeping" in [item.get("stage") for item in items]
