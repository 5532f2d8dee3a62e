"""What is fetched from a server over HTTP: its schemas, and the pictures of results."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpcore2
import orjson

from server.client.failures import Failed, Lost
from server.client.place import Place

_PATIENCE_SECONDS = 120.0
_PAUSE_SECONDS = 0.5
_ANSWER_SECONDS = 60.0
_MOST_CONNECTIONS = 16
_WRITE_BYTES = 2**20
_GONE = (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException)
_IMAGES = "/im/"


class _Broken(Exception):
    """The server could not answer for now."""


class Downloads:
    """A few connections, used again and again."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._pool = httpcore2.AsyncConnectionPool(max_connections=_MOST_CONNECTIONS, keepalive_expiry=30)

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.__aexit__(kind, value, trace)

    async def schemas(self) -> dict[str, Any]:
        """What the tasks of the server take and give. Raises Lost."""
        try:
            async with self._get("/schemas.json") as answer:
                return orjson.loads(await answer.aread())
        except _GONE as failure:
            raise Lost(f"No server answers at {self.place.url}: {failure or type(failure).__name__}.") from failure
        except (Failed, _Broken, ValueError) as failure:
            raise Lost(f"What answers at {self.place.url} is no taskarray server, or not of this version.") from failure

    async def save(self, url: str, path: Path) -> None:
        """Write an image to a file, which is whole as soon as it is there. Raises Failed and Lost."""
        end = time.monotonic() + _PATIENCE_SECONDS
        # Under its address at this server: the public one may be meant for others, and not be reached from here.
        address = _IMAGES + url.partition(_IMAGES)[2]
        partial = path.with_name(f".{path.name}.part")
        while True:
            try:
                await self._saved(address, partial)
                partial.replace(path)
                return
            except (_Broken, *_GONE) as failure:
                if time.monotonic() > end:
                    raise Lost(f"{self.place.url} does not answer any more: {failure}") from failure
                await asyncio.sleep(_PAUSE_SECONDS)
            except OSError as failure:
                raise Failed(f"{path} cannot be written: {failure.strerror}.") from failure
            finally:
                partial.unlink(missing_ok=True)

    async def _saved(self, address: str, path: Path) -> None:
        async with self._get(address) as answer:
            with path.open("wb", buffering=_WRITE_BYTES) as file:
                async for part in answer.aiter_stream():
                    file.write(part)

    @asynccontextmanager
    async def _get(self, path: str) -> AsyncGenerator[httpcore2.Response]:
        limits = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), _ANSWER_SECONDS)}
        async with self._pool.stream("GET", self.place.url + path, extensions=limits) as answer:
            if answer.status >= 500:
                raise _Broken(f"HTTP {answer.status}")
            if answer.status != 200:
                raise Failed("The server does not have the image any more.", "mediaNotFound")
            yield answer
