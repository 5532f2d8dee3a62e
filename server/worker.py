"""A worker: claims jobs, keeps their leases, and hands each to `handling`.

It claims when its task process is free, and ahead of that only while inputs are on their way from slow URLs, so a
job never waits behind another one here while some other worker is idle.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import deque
from contextlib import suppress
from uuid import uuid4

from redis.exceptions import ResponseError

from server import presence
from server.blobs import Blobs
from server.catalog import Catalog
from server.config import Config
from server.doing import Doing
from server.errors import ApiError
from server.fetch import Fetcher
from server.handling import Handling
from server.images import Images
from server.inputs import Inputs
from server.jobs import Claim
from server.log import log
from server.nodes import FAILURES
from server.piece import Phase
from server.queue import Queue
from server.runner import Runner
from server.statistics import Statistics
from server.store import Store

_AHEAD = 8
_RETRY_SECONDS = 0.5
_AT_ONCE_SECONDS = 0.001
"""A job that a worker had to wait for no longer than this was there before it."""
_REMEMBERED = 256


def worker_name() -> str:
    """A name that no other worker has or had: a lease is a name's."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"


class Worker:
    """One worker process: this, and its task process."""

    def __init__(self, config: Config, *, name: str = "", inherit: str = "") -> None:
        self.config = config
        self.name = name or worker_name()
        self.store = Store(config)
        self.queue = Queue(self.store)
        self.runner = Runner(config)
        blobs = Blobs(config.blob_url, min_free=config.min_free_disk)
        fetcher = Fetcher(config.fetch_allow, config.fetch_max_bytes, config.fetch_timeout)
        catalog = Catalog.discover(config.tasks)
        images = Images(self.store, config.image_ttl)
        self.inputs = Inputs(config, self.queue, images, blobs, fetcher, catalog)
        doing = Doing(config, self.queue, blobs, catalog, self.inputs, self.runner)
        self.handling = Handling(config, self.queue, blobs, catalog, doing)
        self.statistics = Statistics(self.store)
        self._inherit = inherit
        self._reclaim_at = 0.0
        self._turn = 0
        self._pressed = True
        self._changed = asyncio.Event()
        self._ready = asyncio.Event()
        self._draining = False
        self._claiming: asyncio.Task[None] | None = None
        self._claims: dict[Claim, asyncio.Task[None]] = {}
        self._phases: dict[Claim, Phase] = {}
        self._stopped = deque[str](maxlen=_REMEMBERED)
        """Claims that were ended: word of it may be here before the claim is."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop, then let what runs finish for the drain time and hand back the rest."""
        working, stopping = asyncio.create_task(self._work()), asyncio.create_task(stop.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await self._drain()
        working.cancel()
        await presence.leave(self.store, "workers", self.name)
        with suppress(ApiError):
            await self.statistics.report()
        await self.runner.end()
        await self.inputs.close()
        await self.store.close()
        with suppress(asyncio.CancelledError):
            await working  # what ended it unasked ends this process too: whoever started it starts it again

    async def _work(self) -> None:
        await self._prepare()
        await self.runner.warm()
        log.info("worker_started", worker=self.name)
        async with asyncio.TaskGroup() as services:
            for service in (self._heartbeat, self._renew, self._listen):
                services.create_task(service())
            self._claiming = services.create_task(self._claim_all())

    async def _drain(self) -> None:
        self._draining = True
        self._changed.set()
        end = time.monotonic() + self.config.drain_timeout
        while (left := self._unfinished()) and time.monotonic() < end:
            await asyncio.wait(left, timeout=end - time.monotonic())
        for claim, task in list(self._claims.items()):
            task.cancel()
            with suppress(ApiError):
                await self.queue.release(claim)

    def _unfinished(self) -> list[asyncio.Task[None]]:
        claiming = [self._claiming] if self._claiming and not self._claiming.done() else []
        return [*self._claims.values(), *claiming]

    async def _prepare(self) -> None:
        while True:
            try:
                return await self.queue.prepare()
            except FAILURES:
                await asyncio.sleep(_RETRY_SECONDS)

    async def _claim_all(self) -> None:
        """Claim until it drains. A read that waits is never broken off: the job it brings would be nobody's."""
        while not self._draining:
            self._changed.clear()
            if len(self._claims) >= _AHEAD or "running" in self._phases.values():
                await self._changed.wait()
                continue
            try:
                claim = await self._next()
                if claim and self._draining:
                    await self.queue.release(claim)
                elif claim and claim.name not in self._stopped:
                    self._take(claim)
            except ResponseError as failure:
                log.warning("stream_missing", reason=str(failure))
                await asyncio.sleep(_RETRY_SECONDS)
                await self._prepare()
            except (ApiError, *FAILURES) as failure:
                log.warning("redis_unreachable", reason=str(failure))
                await asyncio.sleep(_RETRY_SECONDS)

    async def _next(self) -> Claim | None:
        """The next job: one left by a dead predecessor, else a stale one, else a fresh one."""
        self._turn += 1
        turn = self._turn % len(self.store.bases)
        bases = self.store.bases[turn:] + self.store.bases[:turn]
        for base in bases if self._inherit else ():
            if claim := await self.queue.inherited(base, self.name, self._inherit):
                return claim
        self._inherit = ""
        if time.monotonic() >= self._reclaim_at:
            self._reclaim_at = time.monotonic() + self.config.lease / 3
            for base in bases:
                if claim := await self.queue.stale(base, self.name):
                    self._reclaim_at = 0.0  # there may be more
                    return claim
        return await self._fresh(bases, min(1.0, self.config.lease / 3))

    async def _fresh(self, bases: list[str], wait: float) -> Claim | None:
        self._ready.clear()
        for base in bases if self._pressed else ():
            if claim := await self.queue.take(base, self.name):
                return claim
        if len(bases) == 1:
            # What comes next lies on the stream already. Only where jobs come faster than they are done it is better
            # to take one and have the next one laid there in one step; and after a silence, lest that was forgotten.
            began = time.monotonic()
            claim = await self.queue.wait(bases[0], self.name, wait)
            self._pressed = claim is None or time.monotonic() - began < _AT_ONCE_SECONDS
            return claim
        # One blocking read serves one slot of a Cluster: wait for word of any.
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ready.wait(), wait)
        return None

    def _take(self, claim: Claim) -> None:
        self._phases[claim] = "running"

        def entered(phase: Phase) -> None:
            self._phases[claim] = phase
            self._changed.set()

        def done(ended: asyncio.Task[None]) -> None:
            del self._claims[claim], self._phases[claim]
            self._changed.set()
            if not ended.cancelled() and (failure := ended.exception()):
                log.error("job_handling_failed", task_uuid=claim.job.uuid, exc_info=failure, hide=claim.job.params)

        self._claims[claim] = asyncio.create_task(self.handling.handle(claim, entered))
        self._claims[claim].add_done_callback(done)

    async def _renew(self) -> None:
        """Keep the leases; let go of what another worker has taken over meanwhile."""
        while True:
            await asyncio.sleep(self.config.lease / 3)
            for claim in list(self._claims):
                with suppress(ApiError):
                    if not await self.queue.renew(claim) and self._phases.get(claim, "finishing") != "finishing":
                        log.warning("claim_lost", task_uuid=claim.job.uuid, worker=self.name)
                        self._claims[claim].cancel()

    async def _heartbeat(self) -> None:
        """Say that this worker lives, and what it does: readiness and the board go by it."""
        while True:
            jobs = [claim.job for claim in self._claims]
            about = {
                "memory": presence.resident(os.getpid()),
                "taskMemory": presence.resident(self.runner.pid),
                "tasks": [{"taskUUID": job.uuid, "taskType": job.task_type} for job in jobs],
            }
            await presence.report(self.store, "workers", self.name, **about)
            with suppress(ApiError):
                await self.statistics.report()
            await asyncio.sleep(presence.PAUSE_SECONDS)

    async def _listen(self) -> None:
        channels = [f"{base}:{channel}" for base in self.store.bases for channel in ("ready", "stop")]
        async for message in self.store.listen(*channels):
            if message and b"|" in message:
                self._stopped.append(message.decode())
                self._let_go(message.decode())
            elif message == b"stale":
                self._reclaim_at = 0.0
            self._ready.set()

    def _let_go(self, name: str) -> None:
        """The job of a claim was ended: if it is done here, stop that. Its handler may stop by itself."""
        for claim in [claim for claim in self._claims if claim.name == name]:
            log.info("task_stopped", task_uuid=claim.job.uuid, worker=self.name)
            if not self.runner.stop(name) and self._phases.get(claim) != "finishing":
                self._claims[claim].cancel()
