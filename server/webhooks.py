"""What is owed to receivers: booked by the step that finishes a task, lent to a sender, delivered or given up.

A delivery is small and never holds its body, which is made of the task's outcome when it is sent. It keeps its id
over all attempts. A sender has it on a lease: one that dies leaves it to the next, so delivery is at least once.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

import orjson

from server.addresses import read_url
from server.jobs import Job, Outcome
from server.store import Store

Kind = Literal["item", "errors", "prediction", "image"]
"""One result of a task; its failure; both in the dialect of predictions; the bytes of an image."""


@dataclass(frozen=True)
class Delivery:
    """Something owed to a receiver. `host` is where it goes, with the port; `attempt` counts from 1."""

    id: str
    tenant: str
    task: str
    kind: Kind
    url: str
    host: str
    base_url: str
    booked: float
    index: int = 0
    image: str = ""
    attempt: int = 0


_MEMBERS = tuple(Delivery.__dataclass_fields__)
"""What a delivery is read by: one that a newer worker has booked may have more."""


@dataclass(frozen=True)
class Standing:
    """How a delivery stands: due at a time, or given up at one (seconds since 1970); why the last attempt failed."""

    delivery: Delivery
    dead: bool
    at: float
    reason: str


def record(url: str, **about: Any) -> dict[str, Any]:
    """A new delivery's record, as `queue.finish` books it."""
    return {"id": f"msg_{uuid4().hex}", "url": url, "host": read_url(url).host, "booked": round(time.time(), 3)} | about


def owed(job: Job, outcome: Outcome, uuid_member: str = "") -> list[dict[str, Any]]:
    """What an outcome owes to its task's receivers: each result alone, as clients of the task array expect it; one
    prediction for all; the image of each result, whose UUID is in its `uuid_member`."""
    found, about = list[dict[str, Any]](), {"tenant": job.tenant, "task": job.uuid, "base_url": job.base_url}
    if job.webhook and job.face == "v3":
        found.append(record(job.webhook, kind="prediction", **about))
    elif job.webhook and outcome.failure is not None:
        found.append(record(job.webhook, kind="errors", **about))
    elif job.webhook:
        places = range(len(outcome.items))
        found += [record(job.webhook, kind="item", index=place, **about) for place in places]
    if job.upload and outcome.images:
        made = {image["uuid"] for image in outcome.images}
        images = [item[uuid_member] for item in outcome.items if item.get(uuid_member) in made]
        found += [record(job.upload, kind="image", image=uuid, **about) for uuid in images]
    return found


class Webhooks:
    """The deliveries, as one sender sees them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.sender = uuid4().hex
        self.lease = store.config.lease

    @property
    def channels(self) -> list[str]:
        """Where senders are told that something is due; the message is the shard's first word of keys."""
        return [f"{base}:deliver" for base in self.store.bases]

    async def collect(self, base: str, most: int, share: int, busy: Mapping[str, int]) -> list[Delivery]:
        """Take at most so many deliveries that are due, and of one host no more than its share less what is busy."""
        now = time.time()
        found = await self.store.run(
            "collect", base, self.sender, now, now + self.lease, most, share, orjson.dumps(busy)
        )
        return [_read(about, attempt) for about, attempt in found]

    async def keep(self, deliveries: Collection[Delivery]) -> None:
        """Go on having deliveries for another lease."""
        until, held = time.time() + self.lease, dict[str, list[str]]()
        for delivery in deliveries:
            held.setdefault(self.store.home(delivery.tenant), []).append(delivery.id)
        for base, ids in held.items():
            await self.store.run("lend", base, self.sender, until, *ids)

    async def delivered(self, delivery: Delivery) -> None:
        """It has arrived: nothing is left of it."""
        await self.store.run("delivered", self.store.home(delivery.tenant), delivery.id)

    async def undelivered(self, delivery: Delivery, reason: str, pause: float | None) -> None:
        """The attempt failed. It is due again after a pause (seconds), or given up (None) and kept for a replay."""
        now = time.time()
        await self.store.run(
            "undelivered", self.store.home(delivery.tenant), self.sender, delivery.id, delivery.tenant, delivery.task,
            reason, now, 0 if pause is None else now + pause, round(self.store.config.webhook_ttl),
        )  # fmt: skip

    async def listed(self) -> AsyncIterator[Standing]:
        """Everything that is owed, and what was given up."""
        for base in self.store.bases:
            for host in await self.store.guarded("ZRANGE", f"{base}:hosts", 0, -1):
                async for standing in self._standing(base, f"{base}:owed:{host.decode()}", dead=False):
                    yield standing
            async for standing in self._standing(base, f"{base}:dead", dead=True):
                yield standing

    async def replay(self, delivery: str) -> bool:
        """Have a delivery sent again that was given up. False when there is none of that id."""
        for base in self.store.bases:
            if await self.store.run("replay", base, delivery, time.time()):
                return True
        return False

    async def _standing(self, base: str, key: str, *, dead: bool) -> AsyncIterator[Standing]:
        listed = await self.store.guarded("ZRANGE", key, 0, -1, "WITHSCORES")
        for id_, at in zip(listed[::2], listed[1::2], strict=True):
            names = ("about", "attempts", "reason")
            about, attempts, reason = await self.store.guarded("HMGET", f"{base}:delivery:{id_.decode()}", *names)
            if about:  # the record of a dead one may be gone already
                yield Standing(_read(about, int(attempts)), dead, float(at), reason.decode() if reason else "")


def _read(about: bytes, attempt: int) -> Delivery:
    told = orjson.loads(about)
    return Delivery(**{name: told[name] for name in _MEMBERS if name in told}, attempt=attempt)
