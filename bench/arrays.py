"""Arrays of tasks from many sockets at once: how long each waits for its first result."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import uvloop

from bench.client import Message, Socket, array, uuids
from bench.load import Tally

_SILENT_SECONDS = 300


class _Sender:
    """A socket that sends an array, waits for all of it, and sends the next until a time."""

    def __init__(self, socket: Socket, message: Message, fresh: Iterator[bytes], end: float) -> None:
        self.socket, self.message, self.fresh, self.end = socket, message, fresh, end
        self.first = list[float]()
        self.answered = self._out = 0
        self.done = asyncio.get_running_loop().create_future()
        socket.heard = self._heard
        self._send()

    def _send(self) -> None:
        self._sent = time.monotonic()
        self._out = self.message.tasks
        self.socket.send(self.message.frame(self.fresh))

    def _heard(self, body: bytes) -> None:
        if body.startswith(b'{"errors"') and not self.done.done():
            self.done.set_exception(RuntimeError(f"the server refused a task: {body[:500].decode(errors='replace')}"))
            return
        if self._out == self.message.tasks:
            self.first.append(time.monotonic() - self._sent)
        self.answered += 1
        self._out -= 1
        if not self._out and time.monotonic() < self.end:
            self._send()
        elif not self._out:
            self.done.set_result(None)


async def _arrays(url: str, keys: list[str], tasks: int, seconds: float) -> tuple[Tally, list[float]]:
    message, fresh = Message(array(tasks, "nothing")), uuids()
    opened = [await Socket.connect(url, key) for key in keys]
    start = time.monotonic()
    senders = [_Sender(socket, message, fresh, start + seconds) for socket in opened]
    await asyncio.wait_for(asyncio.gather(*(sender.done for sender in senders)), seconds + _SILENT_SECONDS)
    tally = Tally(sum(sender.answered for sender in senders), time.monotonic() - start)
    for socket in opened:
        socket.close()
    return tally, [wait for sender in senders for wait in sender.first]


def arrays(url: str, keys: list[str], tasks: int, seconds: float) -> tuple[Tally, list[float]]:
    """Arrays of no-ops from a socket of each key: the rate, and the seconds from each array to its first result."""
    return uvloop.run(_arrays(url, keys, tasks, seconds))
