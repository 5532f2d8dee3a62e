"""The timers: tasks whose time is over, expired images, forgotten blobs, workers that are no more; and the courier.

Any number of sweepers may run: every step checks again, in Redis, that it is still due.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from server import presence
from server.blobs import Blobs
from server.config import Config
from server.courier import Courier
from server.errors import ApiError
from server.images import Images
from server.log import log
from server.nodes import FAILURES
from server.queue import GROUP, Queue
from server.statistics import Statistics
from server.store import Store

_SWEEP_SECONDS = 1.0
_WATCH_SECONDS = 0.25
_HEAL_SECONDS = 3600.0
_GRACE_SECONDS = 3600.0
"""A blob without a record may belong to a task that is just finishing; after this long it does not."""
_DEAD_SECONDS = 60.0
_LINES = 500


class Sweeper:
    """One sweeping process."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.store = Store(config)
        self.queue = Queue(self.store)
        self.images = Images(self.store, config.image_ttl)
        self.blobs = Blobs(config.blob_url)
        self.courier = Courier(config, self.store)
        self.statistics = Statistics(self.store)

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep and deliver until told to stop."""
        async with asyncio.TaskGroup() as services:
            services.create_task(self.courier.run(stop))
            services.create_task(self._sweep(stop))
            services.create_task(self._watch(stop))
        with suppress(ApiError):
            await self.statistics.report()
        await self.store.close()

    async def _sweep(self, stop: asyncio.Event) -> None:
        heal_at = time.monotonic() + _SWEEP_SECONDS
        while not stop.is_set():
            try:
                await self.statistics.report()
                await self.expire()
                if time.monotonic() >= heal_at:
                    await self.heal()
                    await self.bury()
                    await self.weigh()
                    heal_at = time.monotonic() + _HEAL_SECONDS
            except (ApiError, OSError, *FAILURES) as failure:
                log.warning("sweep_failed", reason=str(failure))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _SWEEP_SECONDS)

    async def _watch(self, stop: asyncio.Event) -> None:
        """End the tasks whose time is over, a moment after it is."""
        while not stop.is_set():
            try:
                overdue = await self.queue.overdue()
                await self.tell_ends()
                if overdue:
                    continue
            except (ApiError, *FAILURES) as failure:
                log.warning("watch_failed", reason=str(failure))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _WATCH_SECONDS)

    async def tell_ends(self) -> None:
        """The lines of the tasks that Redis has ended: no worker came to their ends."""
        for base in self.store.bases:
            for ended in await self.queue.ended(base, _LINES):
                log.info(
                    "task_finished", task_uuid=ended["uuid"], task_type=ended["kind"], tenant=ended["tenant"],
                    code=ended["code"],
                )  # fmt: skip

    async def weigh(self) -> None:
        """Note how many bytes the blobs of each class have."""
        for kind in ("images", "staged"):
            await self.statistics.note(f"storage|{kind}", await self.blobs.size(kind))

    async def expire(self) -> int:
        """Delete the blobs of images whose term is over; how many. The record went first, by its own TTL."""
        count = 0
        async for base, blob in self.images.due():
            await self.blobs.delete(blob)
            await self.images.gone(base, blob)
            count += 1
        if count:
            log.info("images_expired", count=count)
        return count

    async def heal(self, grace: float = _GRACE_SECONDS) -> int:
        """Delete blobs that no record knows, and staged bytes and scratch files whose task is long over."""
        count, now = 0, time.time()
        async for blob in self.blobs.listed("images", now - grace):
            # images/<tenant>/<two>/<name> is ours; what somebody else has put there is not.
            if blob.count("/") == 3 and not await self.images.holds(blob):
                await self.blobs.delete(blob)
                count += 1
        for prefix in ("staged", "scratch"):
            async for blob in self.blobs.listed(prefix, now - self.config.result_ttl - grace):
                await self.blobs.delete(blob)
                count += 1
        self.blobs.prune("scratch", now - self.config.result_ttl - grace)
        if count:
            log.info("blobs_without_record_deleted", count=count)
        return count

    async def bury(self) -> None:
        """Take processes that have been silent for long off the lists, once nothing of theirs is left to do."""
        await self.queue.prepare()
        await presence.bury(self.store, "gateways", _DEAD_SECONDS)
        known = await presence.bury(self.store, "workers", _DEAD_SECONDS)
        for base in self.store.bases:
            async with self.store.node(base) as redis:
                for consumer in await redis.xinfo_consumers(f"{base}:jobs", GROUP):
                    long = consumer["idle"] > _DEAD_SECONDS * 1000
                    if long and consumer["pending"] == 0 and consumer["name"].decode() not in known:
                        await redis.xgroup_delconsumer(f"{base}:jobs", GROUP, consumer["name"])
