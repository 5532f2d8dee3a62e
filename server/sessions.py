"""Sessions: an outbox of finished tasks that outlives its connection and its gateway.

Offsets are dense. The outbox is the truth and the wake-up over pub/sub only a hint, so a lost one costs a moment,
not a result. Clients of this protocol send no offset: the server keeps `confirmed` itself, moved by what arrives
from the client some seconds after a delivery, so delivery is at least once and `taskUUID` tells doubles.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson

from server.store import Store


@dataclass(frozen=True)
class Entry:
    """One finished task in an outbox: the request as sent, and its outcome; None when it is no longer kept."""

    offset: int
    uuid: str
    request: dict[str, Any] | None
    outcome: dict[str, Any] | None
    delivery: str
    oversized: int = 0
    """How often a client hung up on it for its size."""


@dataclass(frozen=True)
class Resumed:
    """Where a returning client stands: reading starts after `confirmed`, errors up to `sent` are not repeated,
    `waiting` are the async requests that still run, `silent` the sync ones."""

    confirmed: int
    sent: int
    waiting: list[dict[str, Any]]
    silent: list[dict[str, Any]]


class Sessions:
    """The outboxes, as one gateway sees them."""

    def __init__(self, store: Store, gateway: str) -> None:
        self.store = store
        self.gateway = gateway
        self.ttl = max(1, round(store.config.session_ttl))

    @property
    def channels(self) -> list[str]:
        """Where this gateway is woken, one channel a shard."""
        return [f"{base}:wake:{self.gateway}" for base in self.store.bases]

    async def open(self, tenant: str, *, events: bool = False) -> str:
        """A new session. With `events` it is told how its tasks stand while they wait and run."""
        session = str(uuid4())
        await self.store.run("open", self.store.home(tenant), session, tenant, self.gateway, self.ttl, int(events))
        return session

    async def resume(self, tenant: str, session: str, *, events: bool = False) -> Resumed | None:
        """Take an earlier session over; None when this tenant has none of that name any more."""
        found = await self.store.run(
            "resume", self.store.home(tenant), session.lower(), tenant, self.gateway, self.ttl, int(events)
        )
        if not found:
            return None
        confirmed, sent, requests = found
        waiting, silent = list[dict[str, Any]](), list[dict[str, Any]]()
        for request, delivery in requests:
            (waiting if delivery == b"async" else silent).append(orjson.loads(request))
        return Resumed(int(confirmed), int(sent), waiting, silent)

    async def read(self, tenant: str, session: str, after: int, count: int = 64) -> list[Entry]:
        """What lies in the outbox after an offset."""
        found = await self.store.run("read", self.store.home(tenant), session, tenant, after, count)
        return [
            Entry(
                offset, uuid.decode(), orjson.loads(request) if request else None,
                orjson.loads(outcome) if outcome else None, delivery.decode() if delivery else "sync",
                int(oversized or 0),
            )
            for offset, uuid, request, outcome, delivery, oversized in found
        ]  # fmt: skip

    async def oversized(self, tenant: str, uuid: str) -> None:
        """A client has hung up on the answer of a task for its size."""
        await self.store.run("oversized", self.store.home(tenant), tenant, uuid.lower())

    async def waits(self, tenant: str, session: str) -> int:
        """How many tasks the session still waits for."""
        return await self.store.guarded("SCARD", f"{self.store.home(tenant)}:open:{session}")

    async def touch(self, tenant: str, session: str, confirmed: int, sent: int) -> bool:
        """Keep the session for another term. False when it moved to another gateway or is gone."""
        return bool(
            await self.store.run("touch", self.store.home(tenant), session, self.gateway, self.ttl, confirmed, sent)
        )

    async def restore(
        self, tenant: str, session: str, sent: int, waits: Iterable[str], *, events: bool = False
    ) -> list[str] | None:
        """Make a session again that Redis has lost, and have it wait for tasks; those that are lost too are returned.

        None when the session is there and another gateway's.
        """
        found = await self.store.run(
            "restore", self.store.home(tenant), session, tenant, self.gateway, self.ttl, sent, int(events), *waits
        )
        return [uuid.decode() for uuid in found] if found is not None else None

    async def close(self, tenant: str, session: str) -> None:
        """End a session that nobody will resume."""
        await self.store.run("close", self.store.home(tenant), session)
