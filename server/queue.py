"""Jobs: submitted by the gateway, claimed and finished by workers, through one Redis stream a shard.

From `submit` on, a job ends in exactly one outcome. The stream holds what is given out next; all else waits for its
turn, or for the tasks it builds on. A claim is a lease: whoever stops renewing it loses it to the next worker, and a
late answer is refused. Each verb is one step (`scripts/queue.lua`): together or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

import orjson
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from server.admission import MOST_MEMBERS, refused
from server.jobs import Claim, Job, Outcome, Reference, read_job
from server.records import Records

GROUP = "workers"
_AT_ONCE = 250
"""Tasks that are ended in one step: others wait for Redis meanwhile."""
Submitted = Literal["accepted", "attached", "replayed", "conflict", "right"]
Cancelled = Literal["cancelled", "alreadyFinished", "notFound"]


class Queue(Records):
    """The verbs over the queues of all shards."""

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
        self,
        job: Job,
        *,
        session: str,
        sent: dict[str, Any],
        delivery: str,
        fingerprint: str,
        references: Sequence[Reference] = (),
        failing: Sequence[dict[str, Any]] = (),
        dry: bool = False,
    ) -> Submitted:
        """Queue a job for a session, or attach the session to the same task if it is known already.

        `references` are other tasks that must have succeeded first; `failing` are the deliveries that a failure books
        where no worker comes to it. Raises InvalidTaskReference, InvalidParameter, DependencyFailed,
        RateLimitExceeded and ServiceUnavailable; then nothing is queued. With `dry` nothing ever is: the job is at
        most right.
        """
        config = self.config
        word, *about = await self.store.run(
            "submit", self.store.home(job.tenant), job.tenant, job.uuid, fingerprint, session,
            config.duplicate_task, sent["taskType"], delivery, orjson.dumps(sent), orjson.dumps(job.uuids),
            orjson.dumps(job), job.task_type, job.priority, orjson.dumps([asdict(named) for named in references]),
            job.start_within, job.end_within, orjson.dumps(failing), config.max_queued_per_key, config.max_queued,
            int(dry), job.batch, job.of, self._result_ttl, MOST_MEMBERS, job.face,
        )  # fmt: skip
        if refusal := refused(config, references, word.decode(), *about):
            raise refusal
        return word.decode()

    async def take(self, base: str, worker: str) -> Claim | None:
        """The next job of a shard, if there is one now."""
        return self._fresh(base, worker, await self.store.run("take", base, worker))

    async def wait(self, base: str, worker: str, seconds: float) -> Claim | None:
        """The same, waiting for one up to so many seconds (4: the most that the store bears)."""
        found = await self.store.wait(
            base, "XREADGROUP", "GROUP", GROUP, worker, "COUNT", 1, "BLOCK", round(seconds * 1000),
            "STREAMS", f"{base}:jobs", ">",
        )  # fmt: skip
        claim = self._fresh(base, worker, found)
        if claim:
            self.store.hint("feed", base)
        return claim

    async def stale(self, base: str, worker: str) -> Claim | None:
        """A job whose worker has been silent for the lease, if there is one."""
        lease = round(self.config.lease * 1000)
        async with self.store.node(base) as redis:
            start: Any = "0-0"
            while True:  # one call looks at a few claims only
                found = await redis.xautoclaim(f"{base}:jobs", GROUP, worker, lease, start, count=1)
                start, entries = found[:2]
                if entries or start == b"0-0":
                    return await self._taken(redis, base, worker, entries)

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
        return bool(await self._step("start", claim, *_names(claim)))

    async def renew(self, claim: Claim) -> bool:
        """Keep the claim for another lease. False when it is no longer this worker's."""
        return bool(await self._step("renew", claim, claim.message, claim.worker))

    async def release(self, claim: Claim) -> None:
        """Hand the job back as it was, for another worker to take at once."""
        idle = round(self.config.lease * 1000) + 1
        await self._step("release", claim, claim.message, claim.worker, idle)

    async def finish(self, claim: Claim, outcome: Outcome, seconds: float) -> bool:
        """End the job. False when it is no longer this worker's: then nothing has changed."""
        return bool(
            await self._step(
                "finish", claim, *_names(claim), outcome.state, orjson.dumps(outcome.kept), self._result_ttl,
                round(self.config.image_ttl), orjson.dumps(outcome.images), orjson.dumps(outcome.forget),
                f"{seconds:.6f}", orjson.dumps(outcome.deliveries),
            )
        )  # fmt: skip

    async def progress(self, claim: Claim, fraction: float, stage: str) -> None:
        """Note how far a job is, for whoever asks or waits."""
        await self._step("progress", claim, *_names(claim), f"{fraction:.4f}", stage)

    async def lead(
        self, claim: Claim, work: str, seconds: float, passed: str = ""
    ) -> tuple[str, str, dict[str, Any]] | str:
        """The same work is done once: by the job that leads it, which is remembered for so many seconds.

        `lead`: this one is to do it. `follow`: another one does, and this claim is over; the job comes back when that
        one has ended. `lost`: the claim is another worker's. Else what the leader's tenant, its UUID and outcome are;
        with these as `passed` (`tenant:uuid`) it is asked again by whoever can make nothing of that outcome.
        """
        word, *done = await self._step(
            "lead",
            claim,
            *_names(claim),
            work,
            max(1, round(seconds)),
            orjson.dumps(claim.job),
            claim.job.cache,
            passed,
        )
        if word != b"done":
            return word.decode()
        owner, leader, outcome = done
        return owner.decode(), leader.decode(), orjson.loads(outcome)

    async def cancel(self, tenant: str, uuids: Sequence[str]) -> list[Cancelled]:
        """End tasks that have not ended; what became of each."""
        lowered, home, found = [uuid.lower() for uuid in uuids], self.store.home(tenant), list[Cancelled]()
        for at in range(0, len(lowered), _AT_ONCE):
            part = lowered[at : at + _AT_ONCE]
            words = await self.store.run("cancel", home, tenant, self._result_ttl, *part)
            found += [word.decode() for word in words]
        return found

    async def overdue(self) -> int:
        """End the tasks whose time is over; how many there were."""
        found = [await self.store.run("overdue", base, self._result_ttl, 100) for base in self.store.bases]
        return sum(found)

    async def ended(self, base: str, most: int) -> list[dict[str, str]]:
        """Tasks of a shard that Redis itself has ended and of which nobody has heard yet: their tenant, uuid, kind and
        the code of their failure. Each is told once."""
        return [orjson.loads(told) for told in await self.store.run("ended", base, most)]

    @property
    def _result_ttl(self) -> int:
        return round(self.config.result_ttl)

    async def _step(self, script: str, claim: Claim, *arguments: Any) -> Any:
        return await self.store.run(script, claim.base, *arguments)

    async def _taken(self, redis: Redis, base: str, worker: str, entries: Any) -> Claim | None:
        entries = _rows(entries)
        if not entries:
            return None
        message = entries[0][0]
        pending = await redis.xpending_range(f"{base}:jobs", GROUP, message, message, 1)
        return self._claim(base, worker, entries[0], int(pending[0]["times_delivered"]) if pending else 1)

    def _fresh(self, base: str, worker: str, found: Any) -> Claim | None:
        """The claim in an XREADGROUP answer about one stream."""
        entries = _rows(found[0][1]) if found else []
        return self._claim(base, worker, entries[0], 1) if entries else None

    def _claim(self, base: str, worker: str, entry: Any, attempt: int) -> Claim:
        message, fields = entry
        return Claim(read_job(fields[b"job"]), base, message.decode(), worker, attempt)


def _names(claim: Claim) -> tuple[str, str, str, str]:
    """What a step knows a claim by."""
    return claim.job.tenant, claim.job.uuid, claim.message, claim.worker


def _rows(entries: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    rows = list[tuple[bytes, dict[bytes, bytes]]]()
    for message, fields in entries or ():
        pairs = fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))
        rows.append((message, pairs))
    return rows
