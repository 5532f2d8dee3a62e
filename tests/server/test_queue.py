"""Jobs from submit to outcome: accepted once, claimed by lease, finished once by whoever owns them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from server.images import Images
from server.queue import Outcome, Queue
from server.sessions import Sessions
from server.store import Store
from tests.server.jobs import DONE, TENANT, again, claim, claimed, new_image, new_job, submit


@pytest.fixture
async def queue(store: Store) -> Queue:
    found = Queue(store)
    await found.prepare()
    return found


@pytest.fixture
async def sessions(store: Store) -> Sessions:
    return Sessions(store, "gateway")


async def stale(queue: Queue, worker: str):
    return await queue.stale(queue.store.bases[0], worker)


async def until_stale(queue: Queue, worker: str):
    async with asyncio.timeout(10):
        while not (found := await stale(queue, worker)):
            await asyncio.sleep(0.02)
    return found


async def test_accepted(queue):
    """A submitted task waits in the queue as it was given, and what is kept of it can be asked for."""
    job = new_job(staged=["staged/t1/x"], include_cost=True)
    assert await submit(queue, job, delivery="async") == "accepted"
    known = await queue.known(TENANT, job.uuid.upper())
    assert (known.request["taskUUID"], known.state, known.delivery) == (job.uuid, "queued", "async")
    assert (known.uuids, known.outcome, known.progress, known.stage) == (job.uuids, None, None, "")
    taken = (await claim(queue)).job
    assert {name: getattr(taken, name) for name in vars(job)} == vars(job)


async def test_unknown(queue):
    """Nothing is known of a task that was never submitted, nor of another tenant's."""
    job = new_job()
    await submit(queue, job)
    assert await queue.known("t2", job.uuid) is None
    assert await queue.known(TENANT, new_job().uuid) is None


async def test_attached(queue, sessions):
    """The same task again attaches to the one under way, and each session gets its end."""
    job = new_job()
    one, two = await sessions.open(TENANT), await sessions.open(TENANT)
    assert await submit(queue, job, one) == "accepted"
    assert await submit(queue, again(job), two) == "attached"
    assert (await queue.depth())[0] == 1
    assert await queue.finish(await claim(queue), DONE, 0.1)
    for session in (one, two):
        assert [entry.uuid for entry in await sessions.read(TENANT, session, 0)] == [job.uuid]


async def test_replayed(queue, sessions):
    """The same task again after its end is answered with the same outcome and does not run."""
    job, session = new_job(), await sessions.open(TENANT)
    await submit(queue, job)
    await queue.finish(await claim(queue), DONE, 0.1)
    assert await submit(queue, again(job), session) == "replayed"
    (entry,) = await sessions.read(TENANT, session, 0)
    assert entry.outcome == {"items": DONE.items}
    assert (await queue.depth())[0] == 0
    assert (await queue.known(TENANT, job.uuid)).uuids == job.uuids


async def test_conflict(queue):
    """Another task under a used taskUUID is a conflict, before and after the end of the first."""
    job = new_job()
    await submit(queue, job)
    assert await submit(queue, again(job), fingerprint="other") == "conflict"
    await queue.finish(await claim(queue), DONE, 0.1)
    assert await submit(queue, again(job), fingerprint="other") == "conflict"
    assert (await queue.depth())[0] == 0


@pytest.mark.settings(DUPLICATE_TASK="conflict")
async def test_conflict_by_setting(queue):
    """With TASKARRAY_DUPLICATE_TASK=conflict, the same task again is a conflict too."""
    job = new_job()
    assert await submit(queue, job) == "accepted"
    assert await submit(queue, again(job)) == "conflict"


@pytest.mark.parametrize("mode", ["attach", "conflict"])
async def test_submit_said_twice(store, mode, sessions):
    """A submit that is said again because its reply was lost is accepted once more and queued once."""
    queue = Queue(store)
    queue.config = queue.config.model_copy(update={"duplicate_task": mode})
    await queue.prepare()
    job, session = new_job(), await sessions.open(TENANT)
    assert [await submit(queue, job, session) for _ in range(2)] == ["accepted", "accepted"]
    await queue.finish(await claim(queue), DONE, 0.1)
    assert await submit(queue, job, session) == "accepted"
    assert len(await sessions.read(TENANT, session, 0)) == 1


async def test_tenants_apart(queue):
    """Two tenants may use one taskUUID for two tasks."""
    job = new_job("t1")
    assert await submit(queue, job) == "accepted"
    assert await submit(queue, replace(job, tenant="t2"), fingerprint="other") == "accepted"


@pytest.mark.settings(RESULT_TTL="1s")
async def test_forgotten_in_time(queue):
    """A result is kept for TASKARRAY_RESULT_TTL; then its taskUUID is free again."""
    job = new_job()
    await submit(queue, job)
    await queue.finish(await claim(queue), DONE, 0.1)
    assert (await queue.known(TENANT, job.uuid)).state == "succeeded"
    async with asyncio.timeout(5):
        while await queue.known(TENANT, job.uuid):
            await asyncio.sleep(0.05)
    assert await submit(queue, again(job), fingerprint="other") == "accepted"


async def test_order(queue):
    """Jobs are claimed in the order of their submission, each by one worker."""
    jobs = [new_job() for _ in range(3)]
    for job in jobs:
        await submit(queue, job)
    assert [(await claim(queue, f"w{place}")).job.uuid for place in range(3)] == [job.uuid for job in jobs]
    assert await queue.fresh(queue.store.bases[0], "w9", 0) is None


async def test_waiting(queue):
    """A worker that waits gets a job the moment it comes, and nothing when none comes."""
    base = queue.store.bases[0]
    assert await queue.fresh(base, "w1", 0.05) is None
    waiting = asyncio.create_task(queue.fresh(base, "w1", 10))
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await submit(queue, new_job())
    assert await waiting
    assert time.monotonic() - began < 1


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
    await queue.progress(owned.job, 0.25, "resizing")
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
    await queue.progress(owned.job, 0.5, "late")
    base = queue.store.home(TENANT)
    assert 0 < await redis.ttl(f"{base}:task:{TENANT}:{owned.job.uuid}") <= 86400


async def test_acknowledged(queue, redis):
    """A finished job leaves nothing in the queue: no entry, no claim, nobody that waits."""
    owned = await claimed(queue)
    assert (await queue.depth())[0] == 1
    await queue.finish(owned, DONE, 0.1)
    base = queue.store.bases[0]
    assert await queue.depth() == (0, pytest.approx(0, abs=1))
    assert (await redis.xpending(f"{base}:jobs", "workers"))["pending"] == 0
    assert await redis.keys(f"{base}:waiters:*") == []


async def test_depth(queue):
    """The depth counts waiting and running jobs, with the age of the oldest."""
    await claimed(queue)
    await asyncio.sleep(0.2)
    await submit(queue, new_job())
    depth, oldest = await queue.depth()
    assert depth == 2
    assert 0.2 <= oldest < 5


async def test_counters(queue, redis):
    """Accepted and finished tasks are counted by type, state, code and duration."""
    owned = await claimed(queue)
    await queue.finish(owned, Outcome(failure={"code": "taskTimeout"}), 0.2)
    counted = await redis.hgetall(f"{queue.store.bases[0]}:stats")
    assert counted == {
        b"received|nothing": b"1",
        b"finished|nothing|failed|taskTimeout": b"1",
        b"seconds|nothing": b"0.2",
        b"bucket|nothing|0.25": b"1",
    }


@pytest.mark.settings(SHARDS="4")
async def test_shards(queue):
    """Each shard has its stream, and a tenant's jobs lie in the tenant's."""
    tenants = [f"t{number}" for number in range(8)]
    for tenant in tenants:
        await submit(queue, new_job(tenant))
    for base in queue.store.bases:
        here = [tenant for tenant in tenants if queue.store.home(tenant) == base]
        assert [(await queue.fresh(base, "w1", 0)).job.tenant for _ in here] == here
        assert await queue.fresh(base, "w1", 0) is None
    assert (await queue.depth())[0] == len(tenants)


async def test_prepare_again(queue, redis):
    """A queue may be prepared at any time; a lost group is made again and finds what waits."""
    await submit(queue, new_job())
    base = queue.store.bases[0]
    await redis.xgroup_destroy(f"{base}:jobs", "workers")
    await queue.prepare()
    await queue.prepare()
    assert await claim(queue)
