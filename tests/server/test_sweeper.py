"""The sweeper: expired images, blobs that nobody knows, workers that are no more."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from server import sweeper as module
from server.blobs import Blobs
from server.errors import UploadFailed
from server.images import Images
from server.jobs import Outcome
from server.queue import GROUP, Queue
from server.sweeper import Sweeper
from tests.server.jobs import DONE, TENANT, claim, claimed, new_image, new_job, submit


@pytest.fixture
async def sweeper(config) -> AsyncIterator[Sweeper]:
    found = Sweeper(config)
    yield found
    await found.store.close()


@pytest.fixture
def blobs(config) -> Blobs:
    return Blobs(config.blob_url)


async def stored(queue: Queue, blobs: Blobs) -> dict:
    """An image with its blob, as a task leaves it."""
    kept = new_image()
    await blobs.put(kept["blob"], b"pixels")
    await submit(queue, new_job())
    await queue.finish(await claim(queue), Outcome(items=[{}], images=[kept]), 0.1)
    return kept


def there(blobs: Blobs, name: str) -> bool:
    return blobs.path(name).exists()


def aged(blobs: Blobs, name: str, seconds: float) -> None:
    """Make a blob look as old as that."""
    os.utime(blobs.path(name), (time.time() - seconds,) * 2)


@pytest.mark.settings(IMAGE_TTL="1s")
async def test_expire(sweeper, queue, blobs, store, redis):
    """The blob of an image is deleted when its life is over, and nothing is left of it."""
    kept = await stored(queue, blobs)
    assert await sweeper.expire() == 0
    assert there(blobs, kept["blob"])
    async with asyncio.timeout(10):
        while not await sweeper.expire():
            await asyncio.sleep(0.05)
    assert not there(blobs, kept["blob"])
    assert await Images(store, 60).use(TENANT, kept["uuid"]) is None
    assert await redis.zcard(f"{store.bases[0]}:expiry") == 0
    assert await sweeper.expire() == 0


async def test_forgotten(sweeper, queue, blobs, store):
    """The blob of a deleted image goes with the next sweep; others stay."""
    gone, kept = await stored(queue, blobs), await stored(queue, blobs)
    await Images(store, 60).forget(TENANT, gone["uuid"])
    assert await sweeper.expire() == 1
    assert not there(blobs, gone["blob"])
    assert there(blobs, kept["blob"])


async def test_two_sweepers(sweeper, queue, blobs, store, config):
    """Two sweepers at once do no more harm than one."""
    other = Sweeper(config)
    images = [await stored(queue, blobs) for _ in range(20)]
    for image in images[:10]:
        await Images(store, 60).forget(TENANT, image["uuid"])
    await asyncio.gather(sweeper.expire(), other.expire())
    await other.store.close()
    assert [there(blobs, image["blob"]) for image in images] == [False] * 10 + [True] * 10


async def test_heal(sweeper, queue, blobs):
    """A blob that no record knows is deleted, once no task can be about to register it."""
    kept, orphan, fresh = await stored(queue, blobs), new_image()["blob"], new_image()["blob"]
    for name in (orphan, fresh):
        await blobs.put(name, b"pixels")
    for name in (orphan, kept["blob"]):
        aged(blobs, name, 100)
    assert await sweeper.heal(grace=50) == 1
    assert [there(blobs, name) for name in (orphan, fresh, kept["blob"])] == [False, True, True]


@pytest.mark.settings(RESULT_TTL="1m")
async def test_heal_staged(sweeper, blobs):
    """Staged bytes and scratch files go when no task can want them any more."""
    names = [f"{folder}/x-{age}" for folder in ("staged/t1", "scratch/task-1") for age in (100, 200)]
    for name in names:
        await blobs.put(name, b"pixels")
        aged(blobs, name, float(name.rpartition("-")[2]))
    assert await sweeper.heal(grace=90) == 2
    assert [there(blobs, name) for name in names] == [True, False, True, False]


async def test_bury(sweeper, queue, monkeypatch, redis):
    """Workers that are silent for long leave the lists; one that still owes a job keeps its name in the group."""
    monkeypatch.setattr(module, "_DEAD_SECONDS", 0.2)
    store = queue.store
    workers, jobs = f"{store.config.prefix}:workers", f"{store.bases[0]}:jobs"
    await claimed(queue, "owes")
    await queue.finish(await claimed(queue, "gone"), DONE, 0.1)
    await queue.finish(await claimed(queue, "alive"), DONE, 0.1)
    await asyncio.sleep(0.3)
    for name, age in (("gone", 10), ("owes", 10), ("alive", 0)):
        await redis.hset(workers, name, orjson.dumps({"at": time.time() - age}))
    await sweeper.bury()
    assert await redis.hkeys(workers) == [b"alive"]
    await sweeper.bury()
    left = {consumer["name"] for consumer in await redis.xinfo_consumers(jobs, GROUP)}
    assert left == {b"owes", b"alive"}


async def test_run(sweeper, queue, blobs, store):
    """A running sweeper sweeps within seconds and stops when it is told."""
    gone = await stored(queue, blobs)
    await Images(store, 60).forget(TENANT, gone["uuid"])
    stop = asyncio.Event()
    running = asyncio.create_task(sweeper.run(stop))
    async with asyncio.timeout(10):
        while there(blobs, gone["blob"]):
            await asyncio.sleep(0.02)
    stop.set()
    async with asyncio.timeout(2):
        await running


async def test_blobs_fail(sweeper, queue, blobs, store, config):
    """A blob that cannot be deleted is due again at the next sweep."""
    gone = await stored(queue, blobs)
    await Images(store, 60).forget(TENANT, gone["uuid"])
    path = Path(blobs.path(gone["blob"]))
    path.unlink()
    path.mkdir()
    with pytest.raises(UploadFailed):
        await sweeper.expire()
    path.rmdir()
    assert await sweeper.expire() == 1


async def test_cancelled(sweeper, queue, blobs, redis):
    """What came with a task that was cancelled goes soon after, not only when its result would."""
    job = new_job(staged=["staged/t1/x"])
    await blobs.put(job.staged[0], b"pixels")
    await submit(queue, job)
    await queue.cancel(TENANT, [job.uuid])
    assert await sweeper.expire() == 0
    await redis.zincrby(f"{queue.store.bases[0]}:expiry", -61, job.staged[0])
    assert await sweeper.expire() == 1
    assert not there(blobs, job.staged[0])
    assert await redis.zcard(f"{queue.store.bases[0]}:expiry") == 0
