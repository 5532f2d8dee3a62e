"""What one gateway process has: its services, and the conversations that it wakes when a task of theirs ends."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import deque
from contextlib import suppress
from typing import Any, Protocol
from uuid import uuid4

import orjson

from server import presence
from server.blobs import Blobs
from server.catalog import Catalog
from server.config import Config
from server.dispatch import Dispatch
from server.errors import ApiError
from server.images import Images
from server.log import log
from server.metrics import Metrics
from server.nodes import FAILURES
from server.predictions import Predictions
from server.queue import Queue
from server.sessions import Sessions
from server.statistics import Statistics
from server.store import Store
from server.tenants import Tenant, Tenants
from server.uploads import Uploads

_SAFETY_SECONDS = 3.0
"""A wake-up may be lost; whoever still waits looks for itself this often."""
_REMEMBERED = 100


class Conversation(Protocol):
    """Somebody who waits for results of a session."""

    session: str

    def wake(self) -> None:
        """There may be something new in the outbox."""
        ...

    def heard(self, event: dict[str, Any]) -> None:
        """How a task stands that the session waits for (`announce` in `scripts/common.lua`)."""
        ...

    def taken(self) -> None:
        """The session goes on elsewhere."""
        ...

    async def tend(self, now: float) -> None:
        """Called every few seconds: close what is idle, and renew the session well before its term is over."""
        ...

    @property
    def waiting(self) -> bool:
        """Whether results are still to come."""
        ...

    async def dismiss(self) -> None:
        """The gateway stops: say so and close."""
        ...


class Gateway:
    """The services of a gateway, built once and handed to every face."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.id = uuid4().hex[:12]
        self.store = Store(config)
        self.catalog = Catalog.discover(config.tasks)
        self.queue = Queue(self.store)
        self.sessions = Sessions(self.store, self.id)
        self.images = Images(self.store, config.image_ttl)
        self.tenants = Tenants(self.store, config)
        self.predictions = Predictions(self.store)
        self.blobs = Blobs(config.blob_url, min_free=config.min_free_disk)
        self.uploads = Uploads(self.store, self.blobs)
        self.metrics = Metrics()
        self.statistics = Statistics(self.store)
        self.dispatch = Dispatch(self.catalog, self.queue, self.tenants, self.blobs)
        self.conversations: dict[str, Conversation] = {}
        self.unauthenticated: dict[str, int] = {}
        self.sockets: dict[str, int] = {}
        self.sent = deque[tuple[str, float]](maxlen=_REMEMBERED)
        """Which answers went out last, and when (seconds since 1970), for the board."""
        self.stopping = False
        self._services: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to listen for wake-ups. A Redis that is away is waited for, not failed on."""
        with suppress(*FAILURES):
            await self.queue.prepare()
        services = (self._listen, self._tend, self._report, self.metrics.watch)
        self._services = [asyncio.create_task(service()) for service in services]

    async def stop(self) -> None:
        """Let go of everything."""
        for service in self._services:
            service.cancel()
        await presence.leave(self.store, "gateways", self.id)
        with suppress(ApiError):
            await self.statistics.report()
        await self.store.close()

    async def drain(self) -> None:
        """Refuse new tasks, wait for running ones, then close every socket so that its client comes back."""
        self.stopping = True
        end = time.monotonic() + self.config.drain_timeout
        # One look at all of thousands of conversations, instead of an event that each of them would have to set.
        while time.monotonic() < end and any(held.waiting for held in self.conversations.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        left = list(self.conversations.values())
        # In slices: thousands of clients that come back at one moment would stampede.
        size = max(1, len(left) // 20 + 1)
        for start in range(0, len(left), size):
            await asyncio.gather(*(held.dismiss() for held in left[start : start + size]))
            if start + size < len(left):
                await asyncio.sleep(min(0.25, len(left) / 4000))

    async def _listen(self) -> None:
        async for message in self.store.listen(*self.sessions.channels):
            if message is None:
                for held in list(self.conversations.values()):
                    held.wake()
            elif message.startswith(b"taken:"):
                _, session, gateway = message.decode().split(":")
                held = self.conversations.get(session)
                if held and gateway != self.id:
                    held.taken()
            elif message.startswith(b"event:"):
                _, session, event = message.decode().split(":", 2)
                if held := self.conversations.get(session):
                    held.heard(orjson.loads(event))
            elif held := self.conversations.get(message.decode()):
                held.wake()

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(min(_SAFETY_SECONDS, self.config.session_ttl / 3, self.config.idle_timeout / 4))
            for held in list(self.conversations.values()):
                if held.waiting:
                    held.wake()
            now = time.monotonic()
            await asyncio.gather(*(held.tend(now) for held in self.conversations.values()), return_exceptions=True)

    async def _report(self) -> None:
        """Say that this gateway lives, and who is here."""
        while True:
            about = {
                "host": socket.gethostname(),
                "memory": presence.resident(os.getpid()),
                "sockets": self.sockets,
                "sessions": len(self.conversations),
                "draining": self.stopping,
                "sent": list(self.sent),
            }
            await presence.report(self.store, "gateways", self.id, **about)
            with suppress(ApiError):
                await self.statistics.report()
            await asyncio.sleep(presence.PAUSE_SECONDS)

    def count(self, tenant: Tenant, change: int) -> None:
        """A socket of a tenant was opened (1) or closed (-1)."""
        left = self.sockets.get(tenant.id, 0) + change
        if left:
            self.sockets[tenant.id] = left
        else:
            self.sockets.pop(tenant.id, None)

    async def readiness(self) -> dict[str, str]:
        """Every part that a task needs, and what is wrong with it; empty where it is well."""
        found = {"redis": "", "workers": "", "disk": "", "draining": ""}
        try:
            async with asyncio.timeout(2):
                alive = await self.workers()
                if not alive:
                    found["workers"] = "No worker has reported in the last 10 s. Start one with `taskarray worker`."
        except (*FAILURES, ApiError) as failure:
            log.warning("readiness_redis", reason=str(failure))
            found["redis"] = found["workers"] = "Redis does not answer. Check REDIS_URL."
        free = await asyncio.to_thread(self.blobs.free)
        if free is not None and free <= 0:
            found["disk"] = "Less than TASKARRAY_MIN_FREE_DISK is free where the images lie."
        if self.stopping:
            found["draining"] = "The gateway is stopping."
        return found

    async def workers(self) -> dict[str, dict[str, Any]]:
        """The workers that have reported lately, by name."""
        return await presence.present(self.store, "workers")
