"""Cancel in the queue: a task ends once, wherever it is, and whoever has it is refused; nothing of it is left."""

from __future__ import annotations

import asyncio
import random

import pytest

from server.errors import TaskCancelled
from server.jobs import Claim, Outcome
from server.queue import Queue
from tests.server.jobs import DONE, TENANT, claim, claimed, new_image, new_job, submit
from tests.server.test_held import after, held, parent, state, traces


async def test_queued(queue, redis):
    """A queued task is gone at once, from the middle of those that wait or as the next; the others keep their order."""
    jobs = [await parent(queue) for _ in range(4)]
    assert await queue.cancel(TENANT, [jobs[0].uuid.upper(), jobs[2].uuid]) == ["cancelled", "cancelled"]
    assert (await queue.known(TENANT, jobs[2].uuid)).outcome == {"failure": TaskCancelled().as_dict()}
    for job in (jobs[1], jobs[3]):
        owned = await claim(queue)
        assert owned.job.uuid == job.uuid
        assert await queue.finish(owned, DONE, 0.1)
    assert await queue.take(queue.store.bases[0], "w1") is None
    assert await traces(queue, redis) == []


async def test_held(queue, redis):
    """A held task is cancelled without its parents, and with all that builds on it."""
    root = await parent(queue)
    middle = await held(queue, root)
    last, other = await held(queue, middle), await held(queue, root)
    assert await queue.cancel(TENANT, [middle.uuid]) == ["cancelled"]
    assert [await state(queue, job) for job in (root, middle, last, other)] == [
        "queued", "taskCancelled", "taskCancelled", "held"
    ]  # fmt: skip
    await queue.finish(await claim(queue), DONE, 0.1)
    assert (await claim(queue)).job.uuid == other.uuid
    assert await queue.take(queue.store.bases[0], "w1") is None


async def test_running(queue, redis):
    """A running task ends at once; its worker is told which claim to drop, and refused whatever it says after."""
    owned, next_one = await claimed(queue), await parent(queue)
    await queue.start(owned)
    async with redis.pubsub() as told:
        await told.subscribe(f"{owned.base}:stop")
        assert await queue.cancel(TENANT, [owned.job.uuid]) == ["cancelled"]
        while (message := await told.get_message(timeout=5))["type"] != "message":
            pass
    assert message["data"].decode() == owned.name
    assert await state(queue, owned.job) == "taskCancelled"
    assert not await refused_for(queue, owned)
    assert (await claim(queue)).job.uuid == next_one.uuid


async def refused_for(queue: Queue, owned: Claim) -> list[str]:
    """The verbs that a worker may still use on a claim."""
    outcome = Outcome(items=[{}], images=[new_image()])
    await queue.progress(owned, 0.5, "late")
    await queue.release(owned)
    assert (await queue.known(owned.job.tenant, owned.job.uuid)).progress is None
    said = {
        "start": await queue.start(owned), "renew": await queue.renew(owned),
        "lead": await queue.lead(owned, "w", 9) != "lost", "finish": await queue.finish(owned, outcome, 0.1),
    }  # fmt: skip
    assert await queue.store.call("KEYS", f"{owned.base}:image:*") == []
    return [verb for verb, may in said.items() if may]


async def test_told(queue, sessions):
    """Every session that waits for the task is told once that it was cancelled, and its receiver is owed it."""
    job, waiting = new_job(), [await sessions.open(TENANT) for _ in range(2)]
    for session in waiting:
        await submit(queue, job, session, failing=[{"id": "d1", "host": "there"}])
        await submit(queue, new_job(TENANT, job.uuid), session)
    for _ in range(2):
        await queue.cancel(TENANT, [job.uuid])
    for session in waiting:
        (entry,) = await sessions.read(TENANT, session, 0)
        assert (entry.uuid, entry.outcome["failure"]["code"]) == (job.uuid, "taskCancelled")
    assert await queue.store.call("ZRANGE", f"{queue.store.bases[0]}:owed:there", 0, -1) == [b"d1"]


async def test_words(queue):
    """Each target is answered: a finished one is alreadyFinished and stays as it is, a second cancel too; one that is
    unknown or another key's is notFound."""
    done, other, untouched, foreign = [await parent(queue, tenant=tenant) for tenant in (TENANT, TENANT, TENANT, "t2")]
    await queue.finish(await claim(queue), DONE, 0.1)
    targets = [done.uuid, other.uuid, other.uuid, foreign.uuid, new_job().uuid]
    words = ["alreadyFinished", "cancelled", "alreadyFinished", "notFound", "notFound"]
    assert await queue.cancel(TENANT, targets) == words
    states = [await state(queue, job) for job in (done, other, untouched, foreign)]
    assert states == ["succeeded", "taskCancelled", "queued", "queued"]


@pytest.mark.settings(LEASE="1ms")
async def test_dead_worker(queue, redis):
    """A task whose worker is dead is cancelled like any other, and nobody takes it over."""
    owned = await claimed(queue)
    await asyncio.sleep(0.01)
    assert await queue.cancel(TENANT, [owned.job.uuid]) == ["cancelled"]
    assert await queue.stale(owned.base, "w2") is None
    assert await queue.inherited(owned.base, "w2", "w1") is None
    assert await traces(queue, redis) == []


@pytest.mark.settings(LEASE="1ms")
async def test_taken_over(queue):
    """A task that was taken over is cancelled in the hands of its new owner."""
    first = await claimed(queue)
    second = await queue.inherited(first.base, "w2", "w1")
    assert await queue.cancel(TENANT, [first.job.uuid]) == ["cancelled"]
    assert not await queue.finish(second, DONE, 0.1)
    assert not await queue.finish(first, DONE, 0.1)


async def test_race(queue, sessions, redis):
    """When a cancel meets the end of its task there is one outcome, and all that is said of it agrees."""
    chance, words = random.Random(3), list[str]()
    for _ in range(200):
        session, job = await sessions.open(TENANT), new_job()
        child = new_job()
        await submit(queue, job, session)
        await submit(queue, child, references=after(job))
        owned = await claim(queue)
        steps = [queue.cancel(TENANT, [job.uuid]), queue.finish(owned, DONE, 0.1)]
        order = chance.sample(range(2), 2)
        said = await asyncio.gather(*(steps[place] for place in order))
        (word,), finished = said[order.index(0)], said[order.index(1)]
        words.append(word)
        assert (word, finished) in [("cancelled", False), ("alreadyFinished", True)]
        (entry,) = await sessions.read(TENANT, session, 0)
        assert entry.outcome == ({"items": DONE.items} if finished else {"failure": TaskCancelled().as_dict()})
        assert await state(queue, child) == ("queued" if finished else "taskCancelled")
        await queue.cancel(TENANT, [child.uuid])
    assert min(words.count("cancelled"), words.count("alreadyFinished")) > 20
    assert await traces(queue, redis) == []


async def test_no_leak(queue, redis):
    """Of fifty tasks cancelled in every state nothing is left, and the next task goes out at once."""
    root = await parent(queue)
    jobs = [root, *[await held(queue, root) for _ in range(10)], *[await parent(queue) for _ in range(39)]]
    owned = [await claim(queue, f"w{place}") for place in range(10)]
    for one in owned[:5]:
        await queue.start(one)
    assert await queue.cancel(TENANT, [job.uuid for job in reversed(jobs)]) == ["cancelled"] * 50
    assert await queue.depth() == (0, pytest.approx(0, abs=1))
    assert await traces(queue, redis) == []
    fresh = await parent(queue)
    assert (await claim(queue)).job.uuid == fresh.uuid
