"""Jobs as they are submitted: accepted once, whoever sends them again, and gone from the queue when they end."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from server import queue as module
from server.errors import InvalidParameter
from server.jobs import Outcome
from server.queue import Queue
from tests.server.jobs import DONE, TENANT, again, claim, claimed, new_job, submit


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
        b"received|nothing|v1": b"1",
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
        assert [(await queue.take(base, "w1")).job.tenant for _ in here] == here
        assert await queue.take(base, "w1") is None
    assert (await queue.depth())[0] == len(tenants)


async def test_prepare_again(queue, redis):
    """A queue may be prepared at any time; a lost group is made again and finds what waits."""
    await submit(queue, new_job())
    base = queue.store.bases[0]
    await redis.xgroup_destroy(f"{base}:jobs", "workers")
    await queue.prepare()
    await queue.prepare()
    assert await claim(queue)


async def test_replay_said_twice(queue, sessions):
    """The same task again after its end is answered once, also when its submit is said again for a lost reply; each
    further one is answered too."""
    job, session = new_job(), await sessions.open(TENANT)
    await submit(queue, job)
    await queue.finish(await claim(queue), DONE, 0.1)
    for once in (again(job), again(job)):
        assert [await submit(queue, once, session) for _ in range(2)] == ["replayed", "replayed"]
    assert len(await sessions.read(TENANT, session, 0)) == 2


async def test_full_batch(queue, monkeypatch):
    """A batch takes no more tasks than it may; another one does."""
    monkeypatch.setattr(module, "MOST_MEMBERS", 2)
    for _ in range(2):
        await submit(queue, new_job(batch="a"))
    with pytest.raises(InvalidParameter) as refused:
        await submit(queue, new_job(batch="a"))
    assert refused.value.code == "invalidBatchUUID"
    assert await submit(queue, new_job(batch="b")) == "accepted"
