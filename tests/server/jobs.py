"""Jobs as a gateway submits them and a worker claims them, without either."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from server.images import record
from server.jobs import Claim, Job, Outcome
from server.queue import Queue

TENANT = "t1"
DONE = Outcome(items=[{"text": "done"}])


def new_job(tenant: str = TENANT, uuid: str = "", **members: Any) -> Job:
    """A job with one result."""
    return Job(tenant, uuid or str(uuid4()), "nothing", {}, [str(uuid4())], "http://here", **members)


def again(job: Job) -> Job:
    """The same task as its client sends it once more: the UUIDs of its results are other ones."""
    return new_job(job.tenant, job.uuid)


async def submit(
    queue: Queue, job: Job, session: str = "session", fingerprint: str = "same", delivery: str = "sync", **options: Any
) -> str:
    """Submit as a face does. `options` are `references` and `failing`."""
    sent = {"taskType": job.task_type, "taskUUID": job.uuid}
    return await queue.submit(job, session=session, sent=sent, delivery=delivery, fingerprint=fingerprint, **options)


async def claim(queue: Queue, worker: str = "w1") -> Claim:
    """The next fresh job of the first shard."""
    found = await queue.take(queue.store.bases[0], worker)
    assert found, "nothing to claim"
    return found


async def claimed(queue: Queue, worker: str = "w1", **options: Any) -> Claim:
    """A new job in a worker's hands."""
    await submit(queue, new_job(), **options)
    return await claim(queue, worker)


async def uploaded(queue: Queue, uuid: str = "", tenant: str = TENANT) -> dict[str, Any]:
    """An image that a finished job has registered: its record."""
    kept = new_image(uuid, tenant)
    await submit(queue, new_job(tenant))
    assert await queue.finish(await claim(queue), Outcome(items=[{}], images=[kept]), 0.1)
    return kept


def new_image(uuid: str = "", tenant: str = TENANT) -> dict[str, Any]:
    """An image's record, not registered."""
    uuid = uuid or str(uuid4())
    blob = f"images/{tenant}/{uuid[:2]}/{uuid}.{uuid4().hex[:8]}"
    return record(uuid, blob, format="PNG", mime="image/png", width=2, height=2, bytes=70)
