"""Those who look at the live board through this gateway. However many they are, one of us looks for all of them, and
nothing is read while there is nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import orjson

from server.board import Board
from server.errors import ApiError, RateLimitExceeded, wire
from server.gateway import Gateway
from server.log import incident

_LOOK_SECONDS = 1.0
_PAUSE_SECONDS = 0.25
_WATCHED_SECONDS = 5
"""How long events are published after the last word that somebody looks (`announce` in `scripts/common.lua`)."""
_QUIET_SECONDS = 10.0
_KEY_SECONDS = 5.0
"""How often it is asked whether a viewer's key is still good."""
_MOST = 100
_MOST_TASKS = 500
Event = dict[str, Any]


class _Viewer:
    """What one of them has still to be told: the newest state, and the newest event of each task."""

    def __init__(self) -> None:
        self.news = dict[str, bytes]()
        self.tasks = dict[str, Event]()
        self.rung = asyncio.Event()

    def tell(self, name: str, body: bytes) -> None:
        self.news[name] = body
        self.rung.set()

    def hear(self, event: Event) -> None:
        """A worker has said how far a task is. More than can be shown is left out: the next state has it."""
        if len(self.tasks) < _MOST_TASKS or event["taskUUID"] in self.tasks:
            self.tasks[event["taskUUID"]] = event
            self.rung.set()

    def take(self) -> bytes:
        """All of it, as server-sent events."""
        news, self.news = self.news, {}
        tasks, self.tasks = self.tasks, {}
        self.rung.clear()
        if tasks:
            news["tasks"] = orjson.dumps(list(tasks.values()))
        return b"".join(_event(name, body) for name, body in news.items()) or b":\n\n"


class Viewers:
    """All of them, and who looks for them."""

    def __init__(self, gateway: Gateway, board: Board) -> None:
        self.gateway = gateway
        self.board = board
        self._viewers = set[_Viewer]()
        self._watching: asyncio.Task[None] | None = None

    def admit(self) -> None:
        """Raise RateLimitExceeded where there are as many as there may be."""
        if len(self._viewers) >= _MOST:
            raise RateLimitExceeded(f"{_MOST} look at the board of this gateway already.", retryAfter=10)

    async def follow(self, may_look: Callable[[], Awaitable[bool]]) -> AsyncGenerator[bytes]:
        """The board as server-sent events, no more often than four times a second, for as long as this viewer may see
        it."""
        viewer, asked = _Viewer(), time.monotonic()
        self._viewers.add(viewer)
        try:
            yield b":\n\n"  # so that its headers are on their way
            while not self.gateway.stopping:
                self._keep_watch()
                with suppress(TimeoutError):
                    await asyncio.wait_for(viewer.rung.wait(), _QUIET_SECONDS)
                if time.monotonic() - asked >= _KEY_SECONDS:
                    if not await may_look():
                        return
                    asked = time.monotonic()
                yield viewer.take()
                await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            self._viewers.discard(viewer)
            if not self._viewers and self._watching:
                self._watching.cancel()
                self._watching = None

    def _keep_watch(self) -> None:
        """Somebody looks for all viewers; somebody else does should that one have failed."""
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        async with asyncio.TaskGroup() as watch:
            watch.create_task(self._look())
            watch.create_task(self._hear())

    async def _look(self) -> None:
        """Read the state every second. What goes wrong is told, and costs one look."""
        while True:
            try:
                for base in self.gateway.store.bases:
                    await self.gateway.store.guarded("SET", f"{base}:watched", 1, "EX", _WATCHED_SECONDS)
                name, body = "state", await self.board.state()
            except ApiError as away:
                name, body = "trouble", wire(away.as_dict())
            except Exception as bug:
                name, body = "trouble", wire(incident("board_failed", bug).as_dict())
            told = orjson.dumps(body)
            for viewer in self._viewers:
                viewer.tell(name, told)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _hear(self) -> None:
        async for message in self.gateway.store.listen(*(f"{base}:board" for base in self.gateway.store.bases)):
            if message is not None:
                event = orjson.loads(message)
                event["tenant"] = self.board.tenant(event["tenant"])
                if "progress" in event:
                    event["progress"] = round(event["progress"] * 100)
                for viewer in self._viewers:
                    viewer.hear(event)


def _event(name: str, body: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + body + b"\n\n"
