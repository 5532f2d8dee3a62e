"""Turns, priorities, deadlines and limits of the queue: who is given out next, and who is not let in."""

from __future__ import annotations

import asyncio

import pytest

from server.errors import DeadlineExceeded, RateLimitExceeded, ServiceUnavailable
from server.images import Images
from server.jobs import Job, Outcome
from server.queue import Queue
from tests.server.jobs import DONE, TENANT, claim, new_image, new_job, submit
from tests.server.test_held import after, held, parent, state, traces


async def line(queue: Queue, order: str, **members) -> list[Job]:
    """New tasks of the keys a, b, …, as the letters say."""
    jobs = [new_job(key, **members) for key in order]
    for job in jobs:
        await submit(queue, job)
    return jobs


async def served(queue: Queue, count: int, worker: str = "w1") -> str:
    """The keys of the next tasks, each finished at once."""
    found = ""
    for _ in range(count):
        owned = await claim(queue, worker)
        found += owned.job.tenant
        await queue.finish(owned, DONE, 0.1)
    return found


async def test_batch(queue, redis):
    """With 5,000 tasks of one key waiting, another key's single task goes out as the second, at any time."""
    batch = [new_job("a") for _ in range(5000)]
    await asyncio.gather(*(submit(queue, job) for job in batch))
    for taken in (0, 40):
        await served(queue, taken)
        await line(queue, "b")
        assert "b" in await served(queue, 2)
        assert await served(queue, 5) == "aaaaa"
    assert (await queue.depth())[0] == 5000 - 40 - 2 * 6
    await queue.cancel("a", [job.uuid for job in batch])
    assert await traces(queue, redis) == []


@pytest.mark.parametrize(
    ("arrives", "goes"),
    [
        ("aaabbbccc", "abcabcabc"),
        ("aaaaaabbc", "abcabaaaa"),
        ("abcabc", "abcabc"),
        ("cccab", "cabcc"),
    ],
)
async def test_interleaving(queue, arrives, goes):
    """Keys take turns task by task, in the order in which they came, for as long as they have any."""
    await line(queue, arrives)
    assert await served(queue, len(arrives)) == goes


async def test_least_recently_served(queue):
    """Of several keys the one that was served longest ago is next, also after it had nothing for a while."""
    await line(queue, "abc")
    assert await served(queue, 3) == "abc"
    await line(queue, "c")  # given out at once
    await line(queue, "bbaa")
    assert await served(queue, 5) == "cabab"


async def test_new_key(queue):
    """A key that was never served goes before those that were."""
    await line(queue, "aabb")
    assert await served(queue, 2) == "ab"  # and the second of a is out
    await line(queue, "z")
    assert await served(queue, 3) == "azb"


async def test_first_come(queue):
    """Tasks of one key and one priority go out in the order of their coming."""
    jobs = await line(queue, "a" * 50)
    assert [(await claim(queue)).job.uuid for _ in jobs] == [job.uuid for job in jobs]


async def test_priority(queue):
    """A key's tasks of higher priority go first, those of equal priority in their order."""
    (first,) = await line(queue, "a")  # given out already
    ranks = [0, -10, 5, 10, 5, 0, -10, 10]
    jobs = [(await line(queue, "a", priority=rank))[0] for rank in ranks]
    expected = [first, *sorted(jobs, key=lambda job: -job.priority)]
    assert [(await claim(queue)).job.uuid for _ in expected] == [job.uuid for job in expected]


async def test_priority_is_the_own(queue):
    """The highest priority of one key takes no turn from another."""
    await line(queue, "bbbb", priority=-10)
    await line(queue, "aaaa", priority=10)
    assert await served(queue, 8) == "bababab" + "a"


async def test_freed_children(queue):
    """A task that was held takes its place by its priority and its age, not by the time at which it was freed."""
    root = await parent(queue)
    child, urgent = await held(queue, root), await held(queue, root, priority=1)
    later = [await parent(queue) for _ in range(3)]
    await queue.finish(await claim(queue), DONE, 0.1)
    expected = [later[0], urgent, child, *later[1:]]  # the next one is always out already
    assert [(await claim(queue)).job.uuid for _ in expected] == [job.uuid for job in expected]


async def test_freed_together(queue):
    """Of several tasks that become free at once the most urgent is given out first, then the oldest."""
    root = await parent(queue)
    children = [await held(queue, root, priority=priority) for priority in (0, 5, 0, 10, 5)]
    await queue.finish(await claim(queue), DONE, 0.1)
    expected = sorted(children, key=lambda job: -job.priority)
    assert [(await claim(queue)).job.uuid for _ in expected] == [job.uuid for job in expected]


@pytest.mark.settings(LEASE="1ms")
async def test_dead_worker(queue, redis):
    """What a dead worker had is taken over, and the turns go on as they would have."""
    await line(queue, "aaaabbbb")
    dead = [await claim(queue, "w1") for _ in range(2)]
    assert await served(queue, 2, "w2") == "ab"
    taken = [await queue.inherited(queue.store.bases[0], "w2", "w1") for _ in dead]
    assert [one.job.uuid for one in taken] == [one.job.uuid for one in dead]
    for one in taken:
        await queue.finish(one, DONE, 0.1)
    assert await served(queue, 4) == "abab"
    assert await traces(queue, redis) == []


async def test_handed_back(queue):
    """A task that its worker hands back is not behind those that wait."""
    (first, *_) = await line(queue, "aaa")
    await queue.release(await claim(queue, "w1"))
    assert (await queue.stale(queue.store.bases[0], "w2")).job.uuid == first.uuid


async def test_waiting_workers(queue):
    """Workers that wait are all given work when several tasks become free at once."""
    root = await parent(queue)
    children = {(await held(queue, root)).uuid for _ in range(3)}
    owned, base = await claim(queue), queue.store.bases[0]
    waiting = [asyncio.ensure_future(queue.wait(base, f"v{place}", 4)) for place in children]
    await asyncio.sleep(0.05)
    await queue.finish(owned, DONE, 0.1)
    assert {(await one).job.uuid for one in waiting} == children


@pytest.mark.parametrize("member", ["start_within", "end_within"])
async def test_late_in_the_queue(queue, redis, member):
    """A queued task that is not started or not ended in its time ends with deadlineExceeded and never runs."""
    await line(queue, "a", **{member: 60_000})
    (late,) = await line(queue, "a", **{member: 1})
    await asyncio.sleep(0.01)
    assert [await queue.overdue() for _ in range(2)] == [1, 0]
    failure = (await queue.known("a", late.uuid)).outcome["failure"]
    assert (failure["code"], failure["parameter"]) == (
        DeadlineExceeded.code, "startWithinMs" if member == "start_within" else "deadlineMs"
    )  # fmt: skip
    assert await served(queue, 1) == "a"
    assert await queue.take(queue.store.bases[0], "w1") is None
    assert await traces(queue, redis) == []


async def test_late_on_the_stream(queue, redis):
    """A task that is out but in no worker's hands is too late as well, and the next one goes out in its place."""
    (late, other) = [(await line(queue, "a", start_within=within))[0] for within in (1, 0)]
    await asyncio.sleep(0.01)
    assert await queue.overdue() == 1
    assert (await claim(queue)).job.uuid == other.uuid
    assert await state(queue, late) == DeadlineExceeded.code


@pytest.mark.parametrize("member", ["start_within", "end_within"])
async def test_late_while_held(queue, member):
    """A task that waits for others has its deadline too; what builds on it fails."""
    root = await parent(queue)
    child = await held(queue, root, **{member: 1})
    last = await held(queue, child)
    await asyncio.sleep(0.01)
    assert await queue.overdue() == 1
    assert (await state(queue, child), await state(queue, last)) == (DeadlineExceeded.code, "dependencyFailed")
    assert await queue.finish(await claim(queue), DONE, 0.1)
    assert await queue.take(queue.store.bases[0], "w1") is None


async def test_started_in_time(queue):
    """A task that was started in time is not ended for its start."""
    await line(queue, "a", start_within=300)
    owned = await claim(queue)
    assert await queue.start(owned)
    await asyncio.sleep(0.35)
    assert await queue.overdue() == 0
    assert await queue.finish(owned, DONE, 0.1)


async def test_started_too_late(queue):
    """A worker that would start a task after its time is told not to."""
    await line(queue, "a", start_within=1)
    owned = await claim(queue)
    await asyncio.sleep(0.01)
    await queue.overdue()
    assert not await queue.start(owned)


async def test_late_while_running(queue, redis):
    """A running task that is not done by its deadline ends then; its worker is told, and its late answer is refused."""
    (job,) = await line(queue, "a", end_within=20)
    owned = await claim(queue)
    await queue.start(owned)
    async with redis.pubsub() as told:
        await told.subscribe(f"{queue.store.bases[0]}:stop")
        await asyncio.sleep(0.03)
        assert await queue.overdue() == 1
        while (message := await told.get_message(timeout=5))["type"] != "message":
            pass
    assert message["data"].decode() == owned.name
    assert not await queue.finish(owned, DONE, 0.1)
    assert await state(queue, job) == DeadlineExceeded.code
    assert await traces(queue, redis) == []


async def test_done_in_time(queue, redis):
    """A task that has ended in time is never late."""
    await line(queue, "a", start_within=10, end_within=10)
    await served(queue, 1)
    await asyncio.sleep(0.02)
    assert await queue.overdue() == 0
    assert await traces(queue, redis) == []


@pytest.mark.settings(MAX_QUEUED_PER_KEY="2")
async def test_full_for_a_key(queue):
    """A key that has as many tasks waiting or running as it may is refused with the time to wait, others are not;
    each end lets one more in. The same task again is no more."""
    first, _ = await line(queue, "aa")
    await line(queue, "b")
    for _ in range(2):
        with pytest.raises(RateLimitExceeded) as refused:
            await submit(queue, new_job("a"))
        assert refused.value.as_dict()["retryAfter"] > 0
        assert "TASKARRAY_MAX_QUEUED_PER_KEY" in str(refused.value)
    await submit(queue, first)
    await queue.finish(await claim(queue), DONE, 0.1)
    (held_one,) = await line(queue, "a")
    with pytest.raises(RateLimitExceeded):
        await line(queue, "a")
    assert await queue.cancel("a", [held_one.uuid]) == ["cancelled"]
    await line(queue, "a")


@pytest.mark.settings(MAX_QUEUED_PER_KEY="3")
async def test_held_ones_count(queue):
    """Tasks that wait for others count as well, and what fails with its parent counts no more."""
    root = new_job("a")
    await submit(queue, root)
    for _ in range(2):
        await submit(queue, new_job("a"), references=after(root))
    with pytest.raises(RateLimitExceeded):
        await line(queue, "a")
    await queue.cancel("a", [root.uuid])
    await line(queue, "aaa")


@pytest.mark.settings(MAX_QUEUED="2")
async def test_full_for_all(queue):
    """When as many tasks wait or run as may, every key is refused with the time to wait, until some have ended."""
    await line(queue, "ab")
    with pytest.raises(ServiceUnavailable) as refused:
        await line(queue, "c")
    assert refused.value.as_dict()["retryAfter"] > 0
    await served(queue, 1)
    await line(queue, "c")
    with pytest.raises(ServiceUnavailable):
        await line(queue, "a")


async def ends(queue: Queue, job: Job, ttl: int | None) -> None:
    """The next task, which is this one, has made an image; with `ttl` it has an end of its own."""
    image, owned = new_image(job.uuids[0]) | ({"ttl": ttl} if ttl else {}), await claim(queue)
    assert owned.job.uuid == job.uuid
    assert await queue.finish(owned, Outcome(items=[{}], images=[image]), 0.1)


async def gone(queue: Queue, job: Job) -> None:
    """Wait until neither a task nor its image is kept."""
    base = queue.store.bases[0]
    keys = f"{base}:task:{TENANT}:{job.uuid}", f"{base}:image:{TENANT}:{job.uuids[0]}"
    async with asyncio.timeout(5):
        while await queue.store.call("EXISTS", *keys):
            await asyncio.sleep(0.05)


@pytest.mark.settings(RESULT_TTL="1s", IMAGE_TTL="1s")
async def test_pinned(queue, store):
    """A task and its image are kept past their end while others build on them, and go when the last one has ended."""
    gate, parents, images = await parent(queue), list[Job](), Images(store, 1)
    gated = await claim(queue)
    for ttl in (1, None):
        for earlier in (True, False):
            parents.append(job := await parent(queue))
            if earlier:
                await ends(queue, job, ttl)
            for _ in range(2):
                await held(queue, job, gate)
            if not earlier:
                await ends(queue, job, ttl)
            assert await images.use(TENANT, job.uuids[0])
    await asyncio.sleep(1.2)
    await queue.finish(gated, DONE, 0.1)
    for job in [job for job in parents for _ in range(2)]:
        assert await queue.known(TENANT, job.uuid)
        assert await images.use(TENANT, job.uuids[0])
        await queue.finish(await claim(queue), DONE, 0.1)
    await asyncio.gather(*(gone(queue, job) for job in parents))


@pytest.mark.settings(RESULT_TTL="1s")
async def test_unpinned_by_failures(queue):
    """Children that are cancelled, too late, or fail with another parent let go of what they build on."""
    job = await parent(queue)
    await ends(queue, job, ttl=1)
    other = await parent(queue)
    stopped = await held(queue, job, other)
    late = await held(queue, job, other, end_within=1)
    last = await held(queue, job, other)
    await queue.cancel(TENANT, [stopped.uuid])
    await asyncio.sleep(0.01)
    await queue.overdue()
    assert await state(queue, late) == DeadlineExceeded.code
    await asyncio.sleep(1.2)
    assert await queue.known(TENANT, job.uuid)
    await queue.cancel(TENANT, [other.uuid])
    assert await state(queue, last) == "taskCancelled"
    await gone(queue, job)
