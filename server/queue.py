"""Jobs: submitted by the gateway, claimed and finished by workers, on one Redis stream a shard.

From `submit` on, a job ends in exactly one outcome. A claim is a lease: whoever stops renewing it loses it to the
next worker, and a late answer is refused. The outcome, the registered images, the outbox entries, the
deliveries and the acknowledgement are one step (`finish` in scripts.lua).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from server.store import Store

GROUP = "workers"
TERMINAL = ("succeeded", "failed")
Submitted = Literal["accepted", "attached", "replayed", "conflict"]


@dataclass(frozen=True, eq=False)
class Job:
    """A task as it waits in the queue. Small: image bytes are named, never carried."""

    tenant: str
    uuid: str
    task_type: str
    params: dict[str, Any]
    uuids: list[str]
    """The UUIDs of its results, given out before it runs."""
    base_url: str
    staged: list[str] = field(default_factory=list[str])
    """Blobs that came with the task and go when it is finished."""
    spelling: dict[str, str] = field(default_factory=dict[str, str])
    """Parameters that the client wrote in another place or form, by our name."""
    limits: dict[str, int] = field(default_factory=dict[str, int])
    """Limits of its own, in place of the server's (see `task.Limits`)."""
    include_cost: bool = False
    submitted: float = field(default_factory=time.time)
    face: str = "v1"
    """The dialect in which the task came, and in which its receiver is told of it."""
    webhook: str = ""
    """Where the answer is posted; empty: nowhere."""
    upload: str = ""
    """Where the bytes of each image are put."""


_MEMBERS = tuple(Job.__dataclass_fields__)
"""What a job is read by: one that a newer gateway has queued may have more."""


@dataclass(frozen=True, eq=False)
class Claim:
    """A job in a worker's hands: `message` is its place in the stream, `attempt` counts deliveries from 1."""

    job: Job
    base: str
    message: str
    worker: str
    attempt: int


@dataclass(frozen=True)
class Outcome:
    """How a job ended: items for the client, or one failure (`ApiError.as_dict`)."""

    items: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    failure: dict[str, Any] | None = None
    images: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Records to register (`images.record`)."""
    forget: list[str] = field(default_factory=list[str])
    """UUIDs of images to take out of the registry."""
    deliveries: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """What is to be sent to receivers (`webhooks.record`)."""

    @property
    def state(self) -> str:
        return "failed" if self.failure else "succeeded"


@dataclass(frozen=True)
class Known:
    """What is kept of a task: its request as sent, its state, and its outcome once there is one."""

    request: dict[str, Any]
    state: str
    delivery: str
    uuids: list[str]
    progress: float | None
    stage: str
    outcome: dict[str, Any] | None
    created: float = 0.0
    """When it was taken, in seconds since 1970."""
    seconds: float = 0.0
    """How long it ran, from claim to outcome."""


class Queue:
    """The six verbs over the streams of all shards."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.config = store.config

    async def prepare(self) -> None:
        """Make the consumer groups; once they are there this does nothing."""
        for base in self.store.bases:
            async with self.store.node(base) as redis:
                try:
                    await redis.xgroup_create(f"{base}:jobs", GROUP, id="0", mkstream=True)
                except ResponseError as there:
                    if "BUSYGROUP" not in str(there):
                        raise

    async def submit(
        self, job: Job, *, session: str, sent: dict[str, Any], delivery: str, fingerprint: str
    ) -> Submitted:
        """Queue a job for a session, or attach the session to the same task if it is known already."""
        answer = await self.store.run(
            "submit", self.store.home(job.tenant), job.tenant, job.uuid, fingerprint, session,
            self.config.duplicate_task, round(self.config.result_ttl), sent["taskType"], delivery,
            orjson.dumps(sent), orjson.dumps(job.uuids), orjson.dumps(job), job.task_type,
            int(self.config.shards > 1),
        )  # fmt: skip
        return answer.decode()

    async def fresh(self, base: str, worker: str, wait: float) -> Claim | None:
        """The next job of a shard, waiting up to `wait` seconds (0: not at all, 4: the most that the store bears)."""
        options = ("BLOCK", round(wait * 1000)) if wait else ()
        found = await self.store.wait(
            base, "XREADGROUP", "GROUP", GROUP, worker, "COUNT", 1, *options, "STREAMS", f"{base}:jobs", ">"
        )
        entries = _entries(found)
        return self._claim(base, worker, entries[0], 1) if entries else None

    async def stale(self, base: str, worker: str) -> Claim | None:
        """A job whose worker has been silent for the lease, if there is one."""
        lease = round(self.config.lease * 1000)
        async with self.store.node(base) as redis:
            found = await redis.xautoclaim(f"{base}:jobs", GROUP, worker, lease, count=1)
            return await self._taken(redis, base, worker, found[1])

    async def inherited(self, base: str, worker: str, dead: str) -> Claim | None:
        """A job of a worker that is known to be dead, if it left one."""
        jobs = f"{base}:jobs"
        async with self.store.node(base) as redis:
            left = await redis.xpending_range(jobs, GROUP, "-", "+", 1, dead)
            if not left:
                return None
            taken = await redis.xclaim(jobs, GROUP, worker, 0, [left[0]["message_id"]])
            return await self._taken(redis, base, worker, taken)

    async def start(self, claim: Claim) -> bool:
        """Say that the job begins to run. False when it is no longer this worker's."""
        return bool(await self._step("start", claim, claim.job.tenant, claim.job.uuid, claim.message, claim.worker))

    async def renew(self, claim: Claim) -> bool:
        """Keep the claim for another lease. False when it is no longer this worker's."""
        return bool(await self._step("renew", claim, claim.message, claim.worker))

    async def release(self, claim: Claim) -> None:
        """Hand the job back as it was, for another worker to take at once."""
        idle = round(self.config.lease * 1000) + 1
        await self._step("release", claim, claim.message, claim.worker, idle)

    async def finish(self, claim: Claim, outcome: Outcome, seconds: float) -> bool:
        """End the job. False when it is no longer this worker's: then nothing has changed."""
        job = claim.job
        kept = {"items": outcome.items} if not outcome.failure else {"failure": outcome.failure}
        return bool(
            await self._step(
                "finish", claim, job.tenant, job.uuid, claim.message, claim.worker, outcome.state,
                orjson.dumps(kept), round(self.config.result_ttl), round(self.config.image_ttl),
                orjson.dumps(outcome.images), orjson.dumps(outcome.forget), job.task_type,
                outcome.failure["code"] if outcome.failure else "", f"{seconds:.6f}", int(time.time()),
                orjson.dumps(outcome.deliveries),
            )
        )  # fmt: skip

    async def progress(self, job: Job, fraction: float, stage: str) -> None:
        """Note how far a job is, for whoever asks."""
        key = f"{self.store.home(job.tenant)}:task:{job.tenant}:{job.uuid}"
        await self.store.guarded("HSET", key, "progress", f"{fraction:.4f}", "stage", stage)

    async def known(self, tenant: str, uuid: str) -> Known | None:
        """What is kept of a task of this tenant; None when there is nothing."""
        names = ("request", "state", "delivery", "uuids", "progress", "stage", "outcome", "message", "seconds")
        key = f"{self.store.home(tenant)}:task:{tenant}:{uuid.lower()}"
        found = await self.store.guarded("HMGET", key, *names)
        request, state, delivery, uuids, progress, stage, outcome, message, seconds = found
        if request is None:
            return None
        return Known(
            orjson.loads(request), state.decode(), delivery.decode(), orjson.loads(uuids),
            float(progress) if progress else None, stage.decode() if stage else "",
            orjson.loads(outcome) if outcome else None, told_at(message), float(seconds or 0),
        )  # fmt: skip

    async def depth(self) -> tuple[int, float]:
        """How many jobs wait or run, and the age of the oldest in seconds."""
        depth, oldest = 0, (now := time.time())
        for base in self.store.bases:
            depth += await self.store.guarded("XLEN", f"{base}:jobs")
            first = _rows(await self.store.guarded("XRANGE", f"{base}:jobs", "-", "+", "COUNT", 1))
            if first:
                oldest = min(oldest, told_at(first[0][0]))
        return depth, now - oldest

    async def _step(self, script: str, claim: Claim, *arguments: Any) -> Any:
        return await self.store.run(script, claim.base, *arguments)

    async def _taken(self, redis: Redis, base: str, worker: str, entries: Any) -> Claim | None:
        entries = _rows(entries)
        if not entries:
            return None
        message = entries[0][0]
        pending = await redis.xpending_range(f"{base}:jobs", GROUP, message, message, 1)
        return self._claim(base, worker, entries[0], int(pending[0]["times_delivered"]) if pending else 1)

    def _claim(self, base: str, worker: str, entry: Any, attempt: int) -> Claim:
        message, fields = entry
        told = orjson.loads(fields[b"job"])
        job = Job(**{name: told[name] for name in _MEMBERS if name in told})
        return Claim(job, base, message.decode(), worker, attempt)


def told_at(message: bytes) -> float:
    """When an entry was put on a stream, which its id says."""
    return int(message.partition(b"-")[0]) / 1000


def _entries(found: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """The entries of the one stream in an XREADGROUP answer."""
    return _rows(found[0][1]) if found else []


def _rows(entries: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    rows = list[tuple[bytes, dict[bytes, bytes]]]()
    for message, fields in entries or ():
        pairs = fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))
        rows.append((message, pairs))
    return rows
