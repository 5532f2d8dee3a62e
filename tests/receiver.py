"""A web server that takes what is sent to it: webhooks and images. It answers as told and keeps all that came."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from tests.outside import answer

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]
WELL = answer(b"thanks")


async def hang(writer: asyncio.StreamWriter) -> None:
    """The answer that never comes."""
    await asyncio.sleep(60)


@dataclass(frozen=True)
class Arrival:
    """One request, as it came; names of headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


class Receiver:
    """`answers` are given one after the other, and the last of them ever after."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = answers or (WELL,)
        self.arrivals: list[Arrival] = []
        self.connects = 0
        self.now = self.most = 0
        """Requests that wait for their answer: at present, and at most at one time."""
        self.port = 0
        self._tasks = set[asyncio.Task[None]]()

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def got(self, count: int, seconds: float = 15) -> Sequence[Arrival]:
        """The first arrivals, waited for."""
        async with asyncio.timeout(seconds):
            while len(self.arrivals) < count:
                await asyncio.sleep(0.01)
        return self.arrivals[:count]

    async def quiet(self, count: int, seconds: float = 0.5) -> Sequence[Arrival]:
        """All arrivals: exactly so many, and no more for a while."""
        await self.got(count)
        await asyncio.sleep(seconds)
        assert len(self.arrivals) == count, self.arrivals
        return self.arrivals

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connects += 1
        self._tasks.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            try:
                while True:
                    await self._take(reader)
                    given = self.answers[min(len(self.arrivals), len(self.answers)) - 1]
                    if callable(given):
                        await given(writer)
                        return
                    writer.write(given)
                    await writer.drain()
                    self.now -= 1
            finally:
                writer.close()
                with suppress(ConnectionError):
                    await writer.wait_closed()

    async def _take(self, reader: asyncio.StreamReader) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = head[0].split()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.now += 1
        self.most = max(self.most, self.now)
        self.arrivals.append(Arrival(method, path, headers, body, time.time()))
