"""The faults of a socket that a task in test mode asks for: it drops, or an answer comes twice.

Each task drops one socket, once: a client that comes back gets its answer.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from server.api.wire import Wire
from server.api.writer import Writer
from server.gateway import Gateway
from server.prepare import Caller

_PAUSE_SECONDS = 0.01


class Faults:
    """What tasks do to one socket. Only tasks that a server in test mode has accepted can carry a fault."""

    def __init__(self, gateway: Gateway, wire: Wire, caller: Caller, writer: Writer) -> None:
        self.gateway = gateway
        self.wire = wire
        self.caller = caller
        self.writer = writer

    def twice(self, sent: dict[str, Any]) -> bool:
        """Whether the answer is to be sent twice."""
        return _asked(sent).get("duplicateResult") is True

    async def drops(self, sent: dict[str, Any], after: Literal["ack", "result"]) -> bool:
        """Whether the socket is to drop now, for the first time for this task."""
        return _asked(sent).get("dropSocketAfter") == after and await self.gateway.queue.first_drop(
            self.caller.tenant.id, sent["taskUUID"]
        )

    async def suffer(self, sent: dict[str, Any], after: Literal["ack", "result"]) -> None:
        """Drop the socket, if the task asks for it, once what there is to send has gone."""
        if await self.drops(sent, after):
            while self.writer.busy:  # noqa: ASYNC110  in test mode only, and for a moment
                await asyncio.sleep(_PAUSE_SECONDS)
            self.wire.drop()


def _asked(sent: dict[str, Any]) -> dict[str, Any]:
    asked = sent.get("simulate")
    return asked if isinstance(asked, dict) else {}
