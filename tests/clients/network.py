"""What lies between the parts: a proxy whose connections can be cut, and a page that waits until it is let."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self


class Proxy:
    """Passes bytes on to a port of this machine, until it is told to cut."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.port = 0
        self.opened = 0
        self.away = False
        """While it is, whoever connects is cut off at once."""
        self._writers = set[asyncio.StreamWriter]()
        self._tasks = set[asyncio.Task[None]]()

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1"

    def cut(self) -> None:
        """End all connections without a word, as a lost network does."""
        for writer in self._writers:
            writer.transport.abort()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.away:
            writer.transport.abort()
            return
        self.opened += 1
        there = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers |= {writer, there[1]}
        for source, sink in ((reader, there[1]), (there[0], writer)):
            task = asyncio.create_task(self._pass_on(source, sink))
            self._tasks.add(task)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()
        self._writers.discard(sink)


class Held:
    """A page of a `Website` that comes when `let` is set. `asked` is set once somebody waits for it.

    Until then its head and a byte every second come, or the server would give it up.
    """

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked = asyncio.Event()
        self.let = asyncio.Event()
        self.times = 0
        self.url = ""

    async def __call__(self, writer: asyncio.StreamWriter) -> None:
        self.times += 1
        self.asked.set()
        head, end, body = self.answer.partition(b"\r\n\r\n")
        writer.write(head + end)
        while not self.let.is_set():
            writer.write(body[:1])
            body = body[1:]
            with suppress(TimeoutError):
                await asyncio.wait_for(self.let.wait(), 1)
        writer.write(body)
        await writer.drain()
