"""The outside world: web servers on loopback ports that answer as told, and count who connects."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Self

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes = b"", status: int = 200, **headers: object) -> bytes:
    """An HTTP answer as bytes. Header names are written with underscores; without a length the real one is told."""
    told = {"content_length": len(body)} | headers
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in told.items() if value is not None]
    return f"HTTP/1.1 {status} Told\r\n".encode() + "\r\n".join([*lines, "", ""]).encode() + body


def redirect(location: str, status: int = 302) -> bytes:
    """An answer that leads elsewhere."""
    return answer(status=status, location=location, set_cookie="seen=1")


class Website:
    """A web server: `pages` gives the answer for each path; any other path is 404."""

    def __init__(self, pages: Mapping[str, Answer]) -> None:
        self.pages = dict(pages)
        self.connects = 0
        self.requests: list[bytes] = []
        self.port = 0
        self._tasks = set[asyncio.Task[None]]()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

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
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            try:
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    self.requests.append(head)
                    page = self.pages.get(head.split()[1].decode(), answer(status=404))
                    if callable(page):
                        await page(writer)
                        break
                    writer.write(page)
                    await writer.drain()
                    if b"content-length" not in page.lower():
                        break
            finally:
                writer.close()
                with suppress(ConnectionError):
                    await writer.wait_closed()
