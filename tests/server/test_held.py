"""Tasks that wait in the queue for those they build on: they go on by themselves, or end with what ended the others."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest

from server.blobs import Blobs
from server.catalog import Catalog
from server.dispatch import Dispatch
from server.errors import DeadlineExceeded, DependencyFailed, InvalidTaskReference, TaskCancelled
from server.jobs import Job, Outcome, Reference
from server.queue import Queue
from server.tenants import Tenants
from tests.server.jobs import DONE, TENANT, claim, new_job, submit, uploaded
from tests.server.play import FAILS, Drawn, Play

TRACES = ("waiting:", "turns", "children:", "deadlines", "unfinished", "shares", "waiters:")


async def traces(queue: Queue, redis) -> list[bytes]:
    """What is left of tasks that wait, run or are waited for."""
    keys = [key for base in queue.store.bases for name in TRACES for key in await redis.keys(f"{base}:{name}*")]
    for base in queue.store.bases:
        assert await redis.xlen(f"{base}:jobs") == 0
        assert (await redis.xpending(f"{base}:jobs", "workers"))["pending"] == 0
    return keys


def after(*parents: Job, n: int = 0, bare: bool = False) -> list[Reference]:
    return [Reference(parent.uuid, f"inputImages[{at}]", n, bare) for at, parent in enumerate(parents)]


async def held(queue: Queue, *parents: Job, **members) -> Job:
    """A new task that builds on others."""
    job = new_job(**members)
    assert await submit(queue, job, references=after(*parents)) == "accepted"
    return job


async def parent(queue: Queue, **members) -> Job:
    """A new task that builds on nothing."""
    return await held(queue, **members)


async def state(queue: Queue, job: Job) -> str:
    """How a task stands; of a failed one, its code."""
    known = await queue.known(job.tenant, job.uuid)
    return known.outcome["failure"]["code"] if known.state == "failed" else known.state


async def test_random_graphs(queue, config, redis):
    """A thousand random graphs end as a plain oracle says, each task once and after those it builds on, whatever
    fails or is cancelled, with a worker killed in every tenth; nothing is left behind."""
    chance = random.Random(5)
    dispatch = Dispatch(Catalog.discover(config.tasks), queue, Tenants(queue.store, config), Blobs(config.blob_url))
    graphs, play = [Drawn.new(chance, number) for number in range(1000)], Play(dispatch, chance)
    await play.all(graphs, queue.store.bases, 16)
    for graph in graphs:
        await check(queue, play, graph)
    assert sum(len(begun) == 2 for begun in play.begun.values()) > 70, "no worker was killed"
    words = list(play.cancelled.values())
    assert min(words.count("cancelled"), words.count("alreadyFinished")) > 20, words
    assert await traces(queue, redis) == []


async def check(queue: Queue, play: Play, graph: Drawn) -> None:
    """A graph ended as the oracle says."""
    expected = graph.expected(cancelled=play.cancelled.get(graph.victim) == "cancelled")
    for uuid, known in zip(expected, await all_known(queue, graph), strict=True):
        failure = play.refused.get(uuid) or known.outcome.get("failure") or {}
        assert not (uuid in play.refused and known), "it was refused and queued"
        cause = failure.get("cause")
        told = failure.get("code", "succeeded") + (f" {cause['taskUUID']} {cause['code']}" if cause else "")
        assert told == expected[uuid]
        assert (uuid in play.finished) == (told in ("succeeded", FAILS["code"]))
        for above in graph.parents[uuid]:
            assert all(begun > play.finished[above.uuid] for begun in play.begun[uuid])


async def all_known(queue: Queue, graph: Drawn):
    """What is kept of the tasks of a graph."""
    return await asyncio.gather(*(queue.known(graph.tenant, uuid) for uuid in graph.parents))


async def test_goes_on(queue):
    """A task waits for the last of those it builds on; then it is queued by itself and runs like any other."""
    one, two = await parent(queue), await parent(queue)
    child = await held(queue, one, two)
    first, second = await claim(queue), await claim(queue, "w2")
    assert (first.job.uuid, await state(queue, child)) == (one.uuid, "held")
    assert await queue.take(queue.store.bases[0], "w3") is None
    await queue.finish(second, DONE, 0.1)
    assert await state(queue, child) == "held"
    await queue.finish(first, DONE, 0.1)
    assert await state(queue, child) == "queued"
    assert (await claim(queue)).job.uuid == child.uuid


async def test_finished_parent(queue):
    """A task that builds on finished ones runs at once."""
    one = await parent(queue)
    await queue.finish(await claim(queue), DONE, 0.1)
    child = await held(queue, one)
    assert (await claim(queue)).job.uuid == child.uuid


@pytest.mark.parametrize("bare", [False, True])
async def test_failed_before(queue, bare):
    """A task that builds on a failed one is refused with dependencyFailed, that one's code and the place of it."""
    one = await parent(queue)
    await queue.finish(await claim(queue), Outcome(failure=FAILS), 0.1)
    with pytest.raises(DependencyFailed) as refused:
        await submit(queue, new_job(), references=after(one, bare=bare))
    told = refused.value.as_dict()
    assert told["cause"] == {"taskUUID": one.uuid, "code": "processingFailed"}
    assert (one.uuid in told["message"], told["parameter"]) == (True, "inputImages[0]")
    assert (await queue.depth())[0] == 0


async def test_cancelled_before(queue):
    """A task that builds on a cancelled one is refused as cancelled."""
    one = await parent(queue)
    await queue.cancel(TENANT, [one.uuid])
    with pytest.raises(TaskCancelled):
        await submit(queue, new_job(), references=after(one))


async def test_unknown(queue, redis):
    """A task that builds on an unknown one, or on another key's, is refused alike, and nothing is kept of it."""
    foreign = await parent(queue, tenant="t2")
    for stranger in (new_job(), foreign):
        job = new_job()
        with pytest.raises(InvalidTaskReference) as refused:
            await submit(queue, job, references=after(stranger, n=1))
        assert refused.value.as_dict()["parameter"] == "inputImages[0]"
        assert await queue.known(TENANT, job.uuid) is None
    assert (await queue.depth())[0] == 1


async def test_no_such_result(queue):
    """A task that names more results than another one has is refused, and told how many there are."""
    one = await parent(queue)
    with pytest.raises(InvalidTaskReference, match="1 result"):
        await submit(queue, new_job(), references=after(one, n=2))


async def test_image_first(queue):
    """A UUID that is both an image's and a task's is the image: nothing is waited for, unless a result is named."""
    twin = await parent(queue, uuid=(await uploaded(queue))["uuid"])
    child, other = new_job(), new_job()
    await submit(queue, child, references=after(twin, bare=True))
    await submit(queue, other, references=after(twin, n=1))
    assert (await state(queue, child), await state(queue, other)) == ("queued", "held")


async def test_known_image_uuid(queue):
    """A bare UUID that no task has is left to be an image's: the worker will say so if there is none."""
    assert await submit(queue, new_job(), references=after(new_job(), bare=True)) == "accepted"


async def test_down_the_graph(queue):
    """The first failure ends everything below it, also what waits for others besides; each names the first cause."""
    root, other = await parent(queue), await parent(queue)
    middle = await held(queue, root, other)
    last = await held(queue, middle)
    await queue.finish(await claim(queue), Outcome(failure=FAILS), 0.1)
    for job in (middle, last):
        failure = (await queue.known(TENANT, job.uuid)).outcome["failure"]
        assert failure["cause"] == {"taskUUID": root.uuid, "code": "processingFailed"}
        assert failure["code"] == "dependencyFailed"
        assert root.uuid in failure["message"]
    await queue.finish(await claim(queue), DONE, 0.1)
    assert await queue.take(queue.store.bases[0], "w1") is None


async def test_told(queue, sessions):
    """Whoever waits for a task that could not run gets its failure like any answer, and its receiver is owed it."""
    session = await sessions.open(TENANT)
    root = await parent(queue)
    owed = {"id": "d1", "host": "there", "uuid": "u"}
    child = new_job()
    await submit(queue, child, session, references=after(root), failing=[owed])
    await queue.finish(await claim(queue), Outcome(failure=FAILS), 0.1)
    (entry,) = await sessions.read(TENANT, session, 0)
    assert (entry.uuid, entry.outcome["failure"]["code"]) == (child.uuid, "dependencyFailed")
    assert await queue.store.call("ZRANGE", f"{queue.store.bases[0]}:owed:there", 0, -1) == [b"d1"]


async def test_said_twice(queue):
    """A held task whose submit is said again is held once, and goes on once."""
    root, child = await parent(queue), new_job()
    for _ in range(2):
        assert await submit(queue, child, references=after(root)) == "accepted"
    assert await submit(queue, replace(child, uuids=["other"]), references=after(root)) == "attached"
    await queue.finish(await claim(queue), DONE, 0.1)
    assert (await claim(queue)).job.uuid == child.uuid
    assert await queue.take(queue.store.bases[0], "w1") is None


@pytest.mark.settings(LEASE="1ms")
async def test_taken_over(queue):
    """A parent that is taken over from a dead worker lets its children go once, by the word of its new owner."""
    root = await parent(queue)
    child = await held(queue, root)
    dead = await claim(queue, "w1")
    owner = await queue.inherited(dead.base, "w2", "w1")
    assert not await queue.finish(dead, DONE, 0.1)
    assert await state(queue, child) == "held"
    assert await queue.finish(owner, DONE, 0.1)
    assert await queue.finish(owner, DONE, 0.1)
    assert (await claim(queue)).job.uuid == child.uuid
    assert await queue.take(queue.store.bases[0], "w1") is None


async def test_late_parent(queue):
    """What builds on a task that was too late fails with that one's code as the cause."""
    root = await parent(queue, end_within=1)
    child = await held(queue, root)
    await asyncio.sleep(0.01)
    assert await queue.overdue() == 1
    assert (await state(queue, root), await state(queue, child)) == (DeadlineExceeded.code, DependencyFailed.code)


async def follow(queue: Queue, worker: str, word: str):
    """The next job, which asks who leads its work."""
    owned = await claim(queue, worker)
    assert await queue.lead(owned, "work", 60) == word
    return owned


async def test_followers(queue):
    """The same work is done once: who comes second is put aside, comes back when the first has ended, and is told."""
    first, second = await parent(queue), await parent(queue)
    leader = await follow(queue, "w1", "lead")
    assert not await queue.renew(await follow(queue, "w2", "follow"))
    assert await state(queue, second) == "held"
    assert await queue.take(queue.store.bases[0], "w3") is None
    await queue.finish(leader, DONE, 0.1)
    back = await claim(queue, "w3")
    assert back.job.uuid == second.uuid
    assert await queue.lead(back, "work", 60) == (TENANT, first.uuid, {"items": DONE.items})
    await queue.finish(back, DONE, 0.1)
    assert (await queue.depth())[0] == 0


async def test_failed_leader(queue):
    """Who followed a task that failed is told so; who comes later does the work anew."""
    first, _ = await parent(queue), await parent(queue)
    leader = await follow(queue, "w1", "lead")
    await follow(queue, "w2", "follow")
    await queue.finish(leader, Outcome(failure=FAILS), 0.1)
    back = await claim(queue)
    assert (await queue.lead(back, "work", 60))[1:] == (first.uuid, {"failure": FAILS})
    await queue.finish(back, Outcome(failure=FAILS), 0.1)
    await parent(queue)
    await follow(queue, "w1", "lead")


@pytest.mark.parametrize("how", ["cancelled", "late"])
async def test_stopped_leader(queue, how):
    """A task that is cancelled or too late takes nobody with it who waits for the same work: the next one does it."""
    first = await parent(queue, end_within=1 if how == "late" else 0)
    others = [await parent(queue) for _ in range(2)]
    await follow(queue, "w1", "lead")
    for _ in others:
        await follow(queue, "w2", "follow")
    if how == "late":
        await asyncio.sleep(0.01)
        await queue.overdue()
    else:
        await queue.cancel(TENANT, [first.uuid])
    second = await follow(queue, "w3", "lead")
    await follow(queue, "w4", "follow")
    await queue.finish(second, DONE, 0.1)
    assert (await queue.lead(await claim(queue), "work", 60))[1] == second.job.uuid


async def test_cancelled_follower(queue, redis):
    """A task that is cancelled while it waits for another one's work ends, and that one goes on."""
    await parent(queue), await parent(queue)
    leader = await follow(queue, "w1", "lead")
    second = await follow(queue, "w2", "follow")
    assert await queue.cancel(TENANT, [second.job.uuid]) == ["cancelled"]
    assert await queue.finish(leader, DONE, 0.1)
    assert await state(queue, second.job) == "taskCancelled"
    assert await traces(queue, redis) == []


async def test_children_of_a_follower(queue):
    """What builds on a task that waits for another one's work waits on, and goes on with it."""
    _, second = await parent(queue), await parent(queue)
    child = await held(queue, second)
    leader = await follow(queue, "w1", "lead")
    await follow(queue, "w2", "follow")
    await queue.finish(leader, DONE, 0.1)
    assert await state(queue, child) == "held"
    await queue.finish(await claim(queue), DONE, 0.1)
    assert (await claim(queue)).job.uuid == child.uuid


async def test_dead_leader(queue):
    """A leader that is taken over from a dead worker leads on, and those who follow it wait on."""
    _, second = await parent(queue), await parent(queue)
    await follow(queue, "w1", "lead")
    await follow(queue, "w2", "follow")
    owner = await queue.inherited(queue.store.bases[0], "w3", "w1")
    assert await queue.lead(owner, "work", 60) == "lead"
    await queue.finish(owner, DONE, 0.1)
    assert (await claim(queue)).job.uuid == second.uuid


async def test_refreshed(queue):
    """`cache: refresh` does the work anew, and later tasks get that answer."""
    await parent(queue)
    await queue.finish(await follow(queue, "w1", "lead"), DONE, 0.1)
    fresh = await parent(queue, cache="refresh")
    await queue.finish(await follow(queue, "w1", "lead"), DONE, 0.1)
    await parent(queue)
    assert (await queue.lead(await claim(queue), "work", 60))[1] == fresh.uuid
