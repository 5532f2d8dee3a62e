"""Jobs in the hands of workers: claimed by lease, renewed, handed back, and finished once by whoever owns them."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict

import pytest

from server.images import Images
from server.jobs import Outcome
from server.queue import Queue
from tests.server.jobs import DONE, TENANT, claim, claimed, new_image, new_job, submit


async def stale(queue: Queue, worker: str):
    return await queue.stale(queue.store.bases[0], worker)


async def until_stale(queue: Queue, worker: str):
    async with asyncio.timeout(10):
        while not (found := await stale(queue, worker)):
            await asyncio.sleep(0.02)
    return found


async def test_order(queue):
    """Jobs are claimed in the order of their submission, each by one worker."""
    jobs = [new_job() for _ in range(3)]
    for job in jobs:
        await submit(queue, job)
    assert [(await claim(queue, f"w{place}")).job.uuid for place in range(3)] == [job.uuid for job in jobs]
    assert await queue.take(queue.store.bases[0], "w9") is None


async def test_newer_gateway(queue, redis):
    """A job with members that this version does not know is read without them."""
    job = asdict(new_job()) | {"priority": "high"}
    await redis.xadd(f"{queue.store.bases[0]}:jobs", {"job": json.dumps(job)})
    assert (await claim(queue)).job.uuid == job["uuid"]


async def test_waiting(queue):
    """A worker that waits gets a job the moment it comes, and nothing when none comes."""
    base = queue.store.bases[0]
    assert await queue.wait(base, "w1", 0.05) is None
    waiting = asyncio.create_task(queue.wait(base, "w1", 10))
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await submit(queue, new_job())
    assert await waiting
    assert time.monotonic() - began < 5


@pytest.mark.settings(LEASE="400ms")
async def test_lease(queue):
    """A job whose worker is silent for the lease is taken over by another, and not before."""
    first, began = await claimed(queue, "w1"), time.monotonic()
    assert await stale(queue, "w2") is None
    second = await until_stale(queue, "w2")
    assert time.monotonic() - began >= 0.4
    assert (second.job.uuid, second.worker, second.attempt) == (first.job.uuid, "w2", 2)


@pytest.mark.settings(LEASE="400ms")
async def test_renewal(queue):
    """A renewed job is not taken over, and its attempts do not grow."""
    first, began = await claimed(queue, "w1"), time.monotonic()
    while time.monotonic() - began < 0.8:
        assert await queue.renew(first)
        assert await stale(queue, "w2") is None
        await asyncio.sleep(0.05)
    assert (await until_stale(queue, "w2")).attempt == 2


@pytest.mark.settings(LEASE="1ms")
async def test_loser(queue):
    """A worker that lost its job may neither start, renew nor release it."""
    first = await claimed(queue, "w1")
    assert await queue.start(first)
    await until_stale(queue, "w2")
    assert not await queue.renew(first)
    assert not await queue.start(first)
    await queue.release(first)
    assert not await queue.renew(first)


@pytest.mark.settings(LEASE="1ms")
async def test_late_finish(queue, sessions, store):
    """A late worker's outcome is refused: the answer, the images and the outbox are the owner's."""
    session = await sessions.open(TENANT)
    first = await claimed(queue, "w1", session=session)
    second = await until_stale(queue, "w2")
    early, late = new_image(), new_image()
    assert not await queue.finish(first, Outcome(items=[{"text": "late"}], images=[late]), 0.1)
    assert (await queue.known(TENANT, first.job.uuid)).outcome is None
    assert await queue.finish(second, Outcome(items=[{"text": "owner"}], images=[early]), 0.1)
    assert not await queue.finish(first, Outcome(items=[{"text": "late"}], images=[late]), 0.1)
    (entry,) = await sessions.read(TENANT, session, 0)
    assert entry.outcome == {"items": [{"text": "owner"}]}
    images = Images(store, 60)
    assert await images.use(TENANT, early["uuid"])
    assert await images.use(TENANT, late["uuid"]) is None


async def test_finish_said_twice(queue, sessions):
    """The owner's finish may be said again, as after a lost reply: it is true and changes nothing."""
    session = await sessions.open(TENANT)
    owned = await claimed(queue, session=session)
    assert await queue.finish(owned, DONE, 0.1)
    assert await queue.finish(owned, Outcome(items=[{"text": "other"}]), 0.1)
    (entry,) = await sessions.read(TENANT, session, 0)
    assert entry.outcome == {"items": DONE.items}


async def test_release(queue):
    """A job that its owner hands back is another worker's at once, and the attempt does not count."""
    first = await claimed(queue, "w1")
    await queue.release(first)
    second = await stale(queue, "w2")
    assert (second.job.uuid, second.attempt) == (first.job.uuid, 1)
    assert not await queue.renew(first)


async def test_inherited(queue):
    """The successor of a dead worker gets its jobs at once; nobody else's, and the attempt counts."""
    base = queue.store.bases[0]
    left, others = await claimed(queue, "dead"), await claimed(queue, "alive")
    second = await queue.inherited(base, "w2", "dead")
    assert (second.job.uuid, second.attempt) == (left.job.uuid, 2)
    assert await queue.inherited(base, "w2", "dead") is None
    assert await queue.renew(others)


@pytest.mark.settings(LEASE="1ms")
async def test_attempts(queue):
    """Every delivery of a job counts as an attempt."""
    await claimed(queue, "w1")
    assert [(await until_stale(queue, f"w{number}")).attempt for number in (2, 3, 4)] == [2, 3, 4]


async def test_running(queue):
    """A started job shows as running, with its progress until it ends."""
    owned = await claimed(queue)
    await queue.start(owned)
    await queue.progress(owned, 0.25, "resizing")
    known = await queue.known(TENANT, owned.job.uuid)
    assert (known.state, known.progress, known.stage) == ("running", 0.25, "resizing")
    await queue.finish(owned, Outcome(failure={"code": "taskTimeout", "message": "Too long."}), 0.1)
    known = await queue.known(TENANT, owned.job.uuid)
    assert (known.state, known.progress, known.stage) == ("failed", None, "")
    assert known.outcome == {"failure": {"code": "taskTimeout", "message": "Too long."}}


async def test_late_note(queue, redis):
    """A note of progress that comes after the end does not keep the task beyond its term."""
    owned = await claimed(queue)
    await queue.finish(owned, DONE, 0.1)
    await queue.progress(owned, 0.5, "late")
    base = queue.store.home(TENANT)
    assert 0 < await redis.ttl(f"{base}:task:{TENANT}:{owned.job.uuid}") <= 86400


@pytest.mark.settings(LEASE="1s")
async def test_behind_many(queue):
    """The job of a dead worker is found behind any number of jobs whose workers live."""
    lively = [await claimed(queue, f"v{number}") for number in range(40)]
    dead = await claimed(queue, "dead")
    for _ in range(2):
        await asyncio.sleep(0.6)
        assert all(await asyncio.gather(*map(queue.renew, lively)))
    found = await stale(queue, "w2")
    assert found and found.job.uuid == dead.job.uuid


async def test_strange_end(queue, redis):
    """The end of a job that was never submitted gives its key no room that others do not have."""
    await submit(queue, new_job())
    await redis.xadd(f"{queue.store.bases[0]}:jobs", {"job": json.dumps(asdict(new_job()))})
    first, strange = await claim(queue), await claim(queue)
    assert await queue.finish(strange, Outcome(items=[{}]), 0.1)
    assert await redis.hget(f"{queue.store.bases[0]}:shares", first.job.tenant) == b"1"
