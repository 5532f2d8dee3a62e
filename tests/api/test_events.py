"""Side frames: a socket that asked for events is told how its tasks stand; no other one ever is."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from uuid import uuid4

from tests.api.conftest import Arrive, Beside
from tests.client import Client, new_task
from tests.harness import Installation

EVENTS = "?features=events"
HELD = "waiting for other tasks"


class Listener:
    """A client with events. `events` are those that came before a frame that was waited for, by their tasks."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.events: dict[str, list[dict[str, Any]]] = {}

    async def frame(self, seconds: float = 20) -> dict[str, Any]:
        """The next frame that is no event."""
        while "events" in (frame := await self.client.next(seconds)):
            assert frame.keys() == {"events"}
            for event in frame["events"]:
                self.events.setdefault(event["taskUUID"], []).append(event)
        return frame

    async def frames(self, count: int) -> list[dict[str, Any]]:
        return [await self.frame() for _ in range(count)]

    async def heard(self, *tasks: dict[str, Any]) -> list[list[dict[str, Any]]]:
        """All that was told of tasks until now."""
        await self.client.send([{"taskType": "ping"}])
        assert "pong" in str(await self.frame())
        return [self.events.get(task["taskUUID"], []) for task in tasks]


async def listener(arrive: Arrive, where: Installation, session: str = "") -> Listener:
    return Listener(await (await arrive(where, EVENTS)).authenticate(session))


def states(events: list[dict[str, Any]]) -> list[str]:
    """The states that were told, each once in a row."""
    told = [event["state"] for event in events]
    return [state for place, state in enumerate(told) if place == 0 or told[place - 1] != state]


def grow(values: list[int]) -> bool:
    return values == sorted(values)


async def test_running(arrive: Arrive, installation: Installation) -> None:
    """A task is told of as accepted and as running, with progress that only grows, at most four times a second."""
    here, task = await listener(arrive, installation), new_task("sleeps", seconds=1.6)
    task["taskUUID"] = task["taskUUID"].upper()
    began = time.monotonic()
    await here.client.send([task])
    assert "data" in await here.frame()
    seconds = time.monotonic() - began
    (events,) = await here.heard(task)
    assert all(event.items() >= {"type": "task", "taskUUID": task["taskUUID"]}.items() for event in events)
    assert states(events) == ["queued", "running"]
    assert events[0] == {"type": "task", "taskUUID": task["taskUUID"], "state": "queued", "queuePosition": 0}
    progress = [event["progress"] for event in events if "progress" in event]
    assert grow(progress)
    assert len(set(progress)) > 2
    assert progress[-1] <= 99
    assert events[-1].items() >= {"state": "running", "stage": "sleeping", "queuePosition": 0}.items()
    assert 4 <= len(events) <= 4 * seconds + 2
    await here.client.quiet()


async def test_only_who_asked(arrive: Arrive, installation: Installation) -> None:
    """A socket that did not ask gets nothing but answers, even where another one waits for the same task."""
    here, plain = await listener(arrive, installation), await (await arrive()).authenticate()
    task = new_task("sleeps", seconds=0.8)
    await plain.send([task])
    await here.client.send([task])
    assert await plain.next() == await here.frame()
    assert states((await here.heard(task))[0])[-1] == "running"
    await plain.ping()
    back = await (await arrive()).authenticate(here.client.session)
    await back.ask(new_task("sleeps", seconds=0.4))


async def test_held(arrive: Arrive, installation: Installation) -> None:
    """A task that waits for others says so and has no place in the queue; when they are done it is queued and runs."""
    here, parent = await listener(arrive, installation), new_task("sleeps", seconds=1.4)
    child = new_task("sleeps", seconds=0.5, dependsOn=[parent["taskUUID"]])
    await here.client.send([parent, child])
    await here.frames(2)
    (events,) = await here.heard(child)
    assert events[0] == {"type": "task", "taskUUID": child["taskUUID"], "state": "waiting", "stage": HELD}
    assert states(events) in (["waiting", "queued", "running"], ["waiting", "running"])


async def test_queue_position(arrive: Arrive, installation: Installation) -> None:
    """How many are before a queued task is told anew about every second, and only becomes less."""
    here, tasks = await listener(arrive, installation), [new_task("sleeps", seconds=0.7) for _ in range(8)]
    await here.client.send(tasks)
    await here.frames(8)
    told = await here.heard(*tasks)
    positions = [[event["queuePosition"] for event in events if event["state"] == "queued"] for events in told]
    assert all(place == sorted(place, reverse=True) for place in positions)
    assert max(place[0] for place in positions if place) >= 4
    assert max(len(place) for place in positions) >= 2
    # The first may run before anybody has looked how they stand.
    assert all(states(events) in (["queued", "running"], ["running"]) for events in told[:2])
    assert all(states(events) == ["queued", "running"] for events in told[2:])


async def test_silent(arrive: Arrive, installation: Installation) -> None:
    """Of a task without output the last word is that it has finished; one that fails has its error and no such word."""
    here = await listener(arrive, installation)
    good = [new_task("nothing", returnOutput=False, deliveryMethod=method) for method in ("sync", "async")]
    bad = new_task("exits", how="raise", returnOutput=False)
    await here.client.send([*good, bad])
    frames = await here.frames(2)
    assert {"data": [{"taskType": "nothing", "taskUUID": good[1]["taskUUID"]}]} in frames
    async with asyncio.timeout(5):
        while "finished" not in str(told := await here.heard(*good)) or not all(told):
            await asyncio.sleep(0.05)
    for task, events in zip(good, told, strict=True):
        last = {"type": "task", "taskUUID": task["taskUUID"], "state": "finished", "result": "succeeded"}
        assert (events[-1], states(events).count("finished")) == (last, 1)
    assert "finished" not in states((await here.heard(bad))[0])


async def test_nothing_after_the_answer(arrive: Arrive, beside: Beside) -> None:
    """Nothing is told of a task after its answer, however it came."""
    gateway = beside(EAGER_ACK="0")
    here, task = await listener(arrive, gateway), new_task("sleeps", seconds=0.9, deliveryMethod="async")
    asks = new_task("getResponse", taskUUID=task["taskUUID"])
    await here.client.send([task])
    assert (await here.frame())["data"][0].keys() == {"taskType", "taskUUID"}
    item = {"status": "processing"}
    while item["status"] == "processing":
        await here.client.send([asks])
        (item,) = (await here.frame())["data"]
    assert states((await here.heard(task))[0]) == ["queued", "running"]
    await here.client.send([task])
    assert (await here.frame())["data"][0]["taskUUID"] == task["taskUUID"]
    await here.client.quiet(1.3)


async def test_slow_reader(arrive: Arrive, installation: Installation) -> None:
    """While a socket takes nothing no news pile up for it: of each task it gets the newest when it reads again."""
    notes = {f"note {place}": "many words " * 800 for place in range(20)}
    async with installation.client() as client:
        known = new_task("nothing", **notes)
        await client.ask(known)
    deaf = Listener(await (await arrive(installation, EVENTS, max_queue=1)).authenticate())
    task = new_task("sleeps", seconds=3)
    await deaf.client.send([task])
    for _ in range(4):
        await deaf.client.send([new_task("getTaskDetails", taskUUID=known["taskUUID"]) for _ in range(25)])
    await asyncio.sleep(2.2)
    frames = await deaf.frames(101)
    assert sum(frame["data"][0]["taskUUID"] == task["taskUUID"] for frame in frames) == 1
    (events,) = await deaf.heard(task)
    assert 1 < len(events) < 9, "eleven were told while nothing was read"
    assert grow([event.get("progress", 0) for event in events])
    assert events[-1]["progress"] > 70


async def test_returned(arrive: Arrive, installation: Installation, beside: Beside) -> None:
    """Who names its session is told right after its authentication whether it goes on; so do the news of its tasks."""
    elsewhere, task = beside(EAGER_ACK="0"), new_task("sleeps", seconds=1.5)
    here = await listener(arrive, installation)
    await here.client.send([task])
    await here.heard(task)
    await here.client.drop()
    for gateway in (elsewhere, installation):
        back = await listener(arrive, gateway, here.client.session)
        resumed = {"type": "session", "state": "resumed", "recovered": True, "from": 0}
        assert await back.client.next() == {"events": [resumed]}
    assert (await back.frame())["data"][0]["text"] == "slept 1.5"
    (events,) = await back.heard(task)
    assert states(events)[-1] == "running"
    lost = await listener(arrive, installation, str(uuid4()))
    assert await lost.client.next() == {"events": [{"type": "session", "state": "new", "recovered": False, "from": 0}]}
    await lost.client.ping()
    fresh = await listener(arrive, installation)
    await fresh.client.ping()


async def test_asked_in_the_authentication(arrive: Arrive, installation: Installation) -> None:
    """Events are asked for in the authentication as well as in the address, and confirmed there."""
    client = await arrive(installation)
    await client.send([{"taskType": "authentication", "apiKey": client.key, "features": ["events", "unknown"]}])
    assert (await client.next())["data"][0]["features"] == ["events"]
    task = new_task("sleeps", seconds=0.4)
    await client.send(json.dumps(task))
    assert (await client.next())["events"][0]["state"] == "queued"
    while "data" not in await client.next():
        pass
