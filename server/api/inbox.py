"""The messages of one socket that wait to be worked on, one after the other and in their order.

They are worked on by one task, which lives while there are any.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

_MESSAGES = 256


class Inbox:
    """Holds messages within a bound. `work` is done with each."""

    def __init__(self, work: Callable[[str | bytes], Awaitable[None]]) -> None:
        self._work = work
        self._messages: list[str | bytes] = []
        self._bytes = 0
        self._taker: asyncio.Task[None] | None = None
        self._room = asyncio.Event()

    @property
    def busy(self) -> bool:
        """Whether a message is being worked on."""
        return self._taker is not None

    async def put(self, message: str | bytes, most: int) -> None:
        """Queue a message. Waits only when far more has come than is worked off: over `most` bytes."""
        self._messages.append(message)
        self._bytes += len(message)
        if self._taker is None:
            self._taker = asyncio.create_task(self._take_all())
        while self._bytes > most or len(self._messages) > _MESSAGES:
            self._room.clear()
            await self._room.wait()

    def stop(self) -> None:
        """Nothing more is to be worked on."""
        if self._taker:
            self._taker.cancel()

    async def _take_all(self) -> None:
        try:
            while self._messages:
                message = self._messages.pop(0)
                try:
                    await self._work(message)
                finally:
                    self._bytes -= len(message)
                    self._room.set()
        finally:
            self._taker = None
