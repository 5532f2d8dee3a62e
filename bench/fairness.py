"""Turns: how long one key's single task waits while another key has thousands waiting, in mean task times."""

from __future__ import annotations

import asyncio
import os
import time
from uuid import uuid4

import orjson
import uvloop

from bench.client import Message, Socket, array, uuids
from bench.subjects import KEY

OTHER_KEY = "bench-other-0123456789"
SETTINGS = {"TASKARRAY_API_KEYS": f"bench:{KEY},other:{OTHER_KEY}"}
"""What a server needs for this: two keys."""
_BATCH, _ARRAY, _SECONDS = 5000, 1000, 0.02
_SILENT_SECONDS = 60


def bound() -> int:
    """The mean task times that a single task may wait: the workers, and one."""
    return (os.cpu_count() or 1) + 1


class _Ear:
    """What comes on a socket: how many tasks were answered, and when the next one is."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.answered = 0
        self._news = asyncio.Event()
        socket.heard = self._heard

    def _heard(self, body: bytes) -> None:
        if body.startswith(b'{"errors"') and b"taskCancelled" not in body:
            raise RuntimeError(f"the server refused a task: {body[:500].decode(errors='replace')}")
        self.answered += 1
        self._news.set()

    async def next(self) -> None:
        self._news.clear()
        await asyncio.wait_for(self._news.wait(), _SILENT_SECONDS)


async def _delays(url: str, workers: int, seconds: float) -> list[float]:
    batch, single = _Ear(await Socket.connect(url, KEY)), _Ear(await Socket.connect(url, OTHER_KEY))
    names, fresh = list[bytes](), uuids()
    message = Message(array(_ARRAY, "sleeps", seconds=_SECONDS))
    for _ in range(_BATCH // _ARRAY):
        names += (part := [next(fresh) for _ in range(_ARRAY)])
        batch.socket.send(message.frame(iter(part)))
    await batch.next()
    one, trips = Message(array(1, "sleeps", seconds=_SECONDS)), list[float]()
    before, start = batch.answered, time.perf_counter()
    while time.perf_counter() - start < seconds:
        begun = time.perf_counter()
        single.socket.send(one.frame(fresh))
        await single.next()
        trips.append(time.perf_counter() - begun)
    tasks = batch.answered - before + single.answered
    mean = workers * (time.perf_counter() - start) / tasks
    if batch.answered >= _BATCH:
        raise RuntimeError("the batch was over before the single tasks were; make the window shorter")
    await _cancel(batch, names)
    for ear in (batch, single):
        ear.socket.close()
    return [trip / mean - 1 for trip in trips]


async def _cancel(batch: _Ear, names: list[bytes]) -> None:
    """End what is left of the batch."""
    for place in range(0, len(names), _ARRAY):
        targets = [name.decode() for name in names[place : place + _ARRAY]]
        asked = {"taskType": "taskCancel", "taskUUID": str(uuid4()), "targets": targets}
        batch.socket.send(Message(orjson.dumps([asked])).frame(iter(())))
    while batch.answered < _BATCH + _BATCH // _ARRAY:
        await batch.next()


def delays(url: str, workers: int, seconds: float) -> list[float]:
    """What each single task waited besides its own time, in mean task times."""
    return uvloop.run(_delays(url, workers, seconds))
