"""Somebody who looks at the board: its feed, and what is asked beside it."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import urlsplit

from tests.client import Reply, request
from tests.harness import DASH_KEY


async def ask(url: str, path: str, method: str = "GET", key: str | None = DASH_KEY) -> Reply:
    """One request at an address of the board."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return await request(method, f"{url}/board/{path}", **headers)


class Feed:
    """The feed of a gateway, read from the moment it is entered. `raw` is every byte that came."""

    def __init__(self, url: str, key: str = DASH_KEY) -> None:
        self.raw = b""
        self.events: list[dict[str, Any]] = []
        """Those about tasks, so far."""
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=15)
        self._headers = {"authorization": f"Bearer {key}"}

    async def __aenter__(self) -> Self:
        self._connection.request("GET", "/board/feed", headers=self._headers)
        self._answer = await asyncio.to_thread(self._connection.getresponse)
        assert self._answer.headers["content-type"].startswith("text/event-stream")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._answer.close()
        self._connection.close()

    async def state(self) -> dict[str, Any]:
        """The next state."""
        return await asyncio.to_thread(self._state)

    async def until(self, holds: Callable[[dict[str, Any]], Any], seconds: float = 15) -> dict[str, Any]:
        """The first state that is as it should be."""
        end = time.monotonic() + seconds
        while not holds(state := await self.state()):
            assert time.monotonic() < end, state
        return state

    async def ended(self, uuid: str) -> dict[str, Any]:
        """A task among those that have ended."""
        state = await self.until(lambda state: of(state["ended"], uuid))
        return of(state["ended"], uuid)[0]

    def _state(self) -> dict[str, Any]:
        name = ""
        while line := self._answer.readline():
            self.raw += line
            word, _, rest = line.decode().strip().partition(": ")
            if word == "event":
                name = rest
            elif word == "data" and name == "state":
                return json.loads(rest)
            elif word == "data" and name == "tasks":
                self.events += json.loads(rest)
        raise AssertionError(f"the feed has ended: {self.raw[-500:]!r}")


def of(tasks: list[dict[str, Any]], uuid: str) -> list[dict[str, Any]]:
    """Those with this UUID."""
    return [task for task in tasks if task["taskUUID"] == uuid]


def code(answer: Reply) -> str:
    """What was refused, by its code."""
    return answer.json["error"]["code"]
