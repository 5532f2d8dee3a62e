"""The load generators, which run in a process of their own: many tasks in flight, or one after another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import uvloop

from bench.client import Message, Socket, uuids

_SILENT_SECONDS = 120


@dataclass(frozen=True)
class Tally:
    """What a window of load came to: tasks answered, and the time from the first message to the last answer."""

    tasks: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.tasks / self.seconds


def _refuse_errors(body: bytes) -> None:
    if body.startswith(b'{"errors"'):
        raise RuntimeError(f"the server refused a task: {body[:500].decode(errors='replace')}")


class _Loop:
    """A socket that keeps `in_flight` tasks open until a time, then waits for what is still out."""

    def __init__(self, socket: Socket, message: Message, in_flight: int, fresh: Iterator[bytes], end: float) -> None:
        self.socket, self.message, self.in_flight, self.fresh, self.end = socket, message, in_flight, fresh, end
        self.answered = self.out = 0
        self.done = asyncio.get_running_loop().create_future()
        socket.heard = self._heard
        socket.ended.add_done_callback(lambda ended: self.done.done() or self.done.set_exception(ended.exception()))
        self._fill()

    def _heard(self, body: bytes) -> None:
        try:
            _refuse_errors(body)
        except RuntimeError as refused:
            if not self.done.done():
                self.done.set_exception(refused)
            return
        self.answered += 1
        self.out -= 1
        self._fill()

    def _fill(self) -> None:
        if time.monotonic() < self.end:
            while self.out + self.message.tasks <= self.in_flight:
                self.socket.send(self.message.frame(self.fresh))
                self.out += self.message.tasks
        elif not self.out and not self.done.done():
            self.done.set_result(None)


async def _keep_busy(url: str, key: str, payload: bytes, sockets: int, in_flight: int, seconds: float) -> Tally:
    message, fresh = Message(payload), uuids()
    opened = [await Socket.connect(url, key) for _ in range(sockets)]
    start = time.monotonic()
    loops = [_Loop(socket, message, in_flight, fresh, start + seconds) for socket in opened]
    await asyncio.wait_for(asyncio.gather(*(loop.done for loop in loops)), seconds + _SILENT_SECONDS)
    tally = Tally(sum(loop.answered for loop in loops), time.monotonic() - start)
    for socket in opened:
        socket.close()
    return tally


def keep_busy(url: str, key: str, payload: bytes, sockets: int, in_flight: int, seconds: float) -> Tally:
    """Keep so many tasks in flight on each of so many sockets for a while."""
    return uvloop.run(_keep_busy(url, key, payload, sockets, in_flight, seconds))


async def _round_trips(url: str, key: str, payload: bytes, seconds: float, at_most: int) -> list[float]:
    message, fresh, found = Message(payload), uuids(), list[float]()
    socket = await Socket.connect(url, key)
    answered = asyncio.Event()
    answers = list[bytes]()

    def heard(body: bytes) -> None:
        answers.append(body)
        answered.set()

    socket.heard = heard
    end = time.monotonic() + seconds
    for _ in count() if not at_most else range(at_most):
        answered.clear()
        start = time.perf_counter()
        socket.send(message.frame(fresh))
        await asyncio.wait_for(answered.wait(), _SILENT_SECONDS)
        found.append(time.perf_counter() - start)
        _refuse_errors(answers.pop())
        if time.monotonic() > end:
            break
    socket.close()
    return found


def round_trips(url: str, key: str, payload: bytes, seconds: float, at_most: int = 0) -> list[float]:
    """Seconds of each round trip, one task at a time on one socket."""
    return uvloop.run(_round_trips(url, key, payload, seconds, at_most))
