"""What others build on is kept until the last of them has ended, with all of its images, and then no longer."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from server.batches import members
from server.jobs import Job, Outcome
from server.predictions import Predictions
from server.queue import Queue
from server.webhooks import Webhooks, record
from tests.server.jobs import DONE, TENANT, claim, new_image, new_job, submit
from tests.server.test_held import after, held, parent


async def ends(queue: Queue, job: Job, **more: Any) -> list[str]:
    """The next task, which is this one, has made an image and registered an input: the keys of both."""
    images = [new_image(job.uuids[0]), new_image()]
    owned = await claim(queue)
    assert owned.job.uuid == job.uuid
    assert await queue.finish(owned, Outcome(items=[{}], images=images, **more), 0.1)
    return [f"{queue.store.bases[0]}:image:{TENANT}:{image['uuid']}" for image in images]


@pytest.mark.parametrize("earlier", [True, False])
async def test_every_image(queue, redis, earlier):
    """Whatever a task has registered is pinned with it and let go with it, its inputs too."""
    job = await parent(queue)
    keys = await ends(queue, job) if earlier else []
    child = await held(queue, job)
    keys = keys or await ends(queue, job)
    assert [await redis.ttl(key) for key in keys] == [-1, -1]
    await queue.finish(await claim(queue), DONE, 0.1)
    assert await redis.hget(f"{queue.store.bases[0]}:task:{TENANT}:{child.uuid}", "state") == b"succeeded"
    assert all([await redis.ttl(key) > 86400 for key in keys])


async def test_erased(queue, redis, store):
    """Of a task that is erased while others build on it no image stays for ever, and a later one under its UUID has no
    pins less."""
    job = await parent(queue)
    result, taken = await ends(queue, job)
    child = await held(queue, job)
    assert await Predictions(store).erase(TENANT, job.uuid)
    assert (await redis.ttl(result), await redis.ttl(taken) > 0) == (-2, True)
    second = new_job(uuid=job.uuid)
    await submit(queue, second, fingerprint="other")
    assert (await claim(queue)).job.uuid == child.uuid
    await queue.cancel(TENANT, [child.uuid])
    await held(queue, second)
    assert await redis.hget(f"{store.bases[0]}:task:{TENANT}:{job.uuid}", "pins") == b"1"


@pytest.mark.settings(RESULT_TTL="1h", WEBHOOK_TTL="3h")
async def test_owed(queue, redis, store):
    """A failed delivery sets no end to a task that others build on; after them it is kept for a replay."""
    job, webhooks = await parent(queue), Webhooks(store)
    about = {"tenant": TENANT, "task": job.uuid, "base_url": "http://here", "kind": "item"}
    await ends(queue, job, deliveries=[record("http://there/", **about)])
    await held(queue, job)
    (delivery,) = await webhooks.collect(store.bases[0], 9, 9, {})
    await webhooks.undelivered(delivery, "for a test", None)
    key = f"{store.bases[0]}:task:{TENANT}:{job.uuid}"
    assert await redis.ttl(key) == -1
    await queue.finish(await claim(queue), DONE, 0.1)
    assert 3600 < await redis.ttl(key) <= 3 * 3600


async def batched(queue: Queue, batch: str, **members: Any) -> Job:
    job = new_job(**members, batch=batch)
    await submit(queue, job)
    return job


async def reported(queue: Queue, about: Job) -> list[str]:
    """The tasks that a task about a batch, which is the next, has to tell of."""
    assert (await claim(queue)).job.uuid == about.uuid
    return [uuid for uuid, *_ in await members(queue.store, TENANT, about.uuid)]


async def test_members(queue):
    """A task about a batch tells of the tasks that it has waited for, each once, also where it builds on one: not of
    itself, nor of those that came to the batch later and may not have ended."""
    batch = str(uuid4())
    first, second = [await batched(queue, batch) for _ in range(2)]
    about = new_job(of=batch, batch=batch)
    await submit(queue, about, references=after(first))
    for _ in range(2):
        await queue.finish(await claim(queue), DONE, 0.1)
    await batched(queue, batch, priority=-1)
    assert await reported(queue, about) == [first.uuid, second.uuid]


async def test_forgotten_batch(queue, redis):
    """A task about a batch tells of every task that it has waited for, however long that was."""
    batch = str(uuid4())
    only, about = await batched(queue, batch), new_job(of=batch)
    await submit(queue, about)
    await redis.delete(f"{queue.store.bases[0]}:batch:{TENANT}:{batch}")
    await queue.finish(await claim(queue), DONE, 0.1)
    assert await reported(queue, about) == [only.uuid]
    assert await redis.hget(f"{queue.store.bases[0]}:task:{TENANT}:{only.uuid}", "pins") == b"1"
    await queue.cancel(TENANT, [about.uuid])
    assert await redis.hget(f"{queue.store.bases[0]}:task:{TENANT}:{only.uuid}", "pins") == b"0"
    assert await redis.ttl(f"{queue.store.bases[0]}:task:{TENANT}:{only.uuid}") > 0
