"""Turns: how long one key's single task waits while another key has thousands waiting, in mean task times."""

from __future__ import annotations

import asyncio
import time
from uuid import uuid4

import orjson
import uvloop

from bench.client import Message, Socket, array, uuids

_BATCH, _ARRAY, _SECONDS = 5000, 1000, 0.02
_SILENT_SECONDS = 60
_DETAILS = b'{"data":[{"taskType":"getTaskDetails"'


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


async def _delays(url: str, keys: tuple[str, str], workers: int, seconds: float) -> list[float]:
    batch, single = [_Ear(await Socket.connect(url, key)) for key in keys]
    names, fresh = list[bytes](), uuids()
    message = Message(array(_ARRAY, "sleeps", seconds=_SECONDS))
    for _ in range(_BATCH // _ARRAY):
        names += (part := [next(fresh) for _ in range(_ARRAY)])
        batch.socket.send(message.frame(iter(part)))
    await _accepted(batch, names[-1])
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


async def _accepted(batch: _Ear, last: bytes) -> None:
    """Wait until the last task of the batch is known: messages are worked on in their order."""
    asked = Message(orjson.dumps([{"taskType": "getTaskDetails", "taskUUID": last.decode()}]))
    heard, told = batch.socket.heard, asyncio.Event()
    batch.socket.heard = lambda body: told.set() if body.startswith(_DETAILS) else heard(body)
    batch.socket.send(asked.frame(iter(())))
    await asyncio.wait_for(told.wait(), _SILENT_SECONDS)
    batch.socket.heard = heard


async def _cancel(batch: _Ear, names: list[bytes]) -> None:
    """End what is left of the batch."""
    for place in range(0, len(names), _ARRAY):
        targets = [name.decode() for name in names[place : place + _ARRAY]]
        asked = {"taskType": "taskCancel", "taskUUID": str(uuid4()), "targets": targets}
        batch.socket.send(Message(orjson.dumps([asked])).frame(iter(())))
    while batch.answered < _BATCH + _BATCH // _ARRAY:
        await batch.next()


def delays(url: str, keys: tuple[str, str], workers: int, seconds: float) -> list[float]:
    """What each single task of the second key waited besides its own time, in mean task times."""
    return uvloop.run(_delays(url, keys, workers, seconds))
