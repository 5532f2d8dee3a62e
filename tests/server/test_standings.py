"""How tasks stand: their place in the queue, how far they are, and whether a client could take their answer."""

from __future__ import annotations

from uuid import uuid4

from server.jobs import Reference, Standing
from tests.server.jobs import DONE, TENANT, claim, new_job, submit

HELD = Standing("held", None, "", None)
NEXT = Standing("queued", None, "", 0)


async def test_places(queue):
    """Tasks stand in the order in which they will be given out; tenants take turns; what is not known is nothing."""
    own, other = [new_job() for _ in range(3)], [new_job("t2") for _ in range(3)]
    for job in (*own, *other):
        await submit(queue, job)
    asked = [*(job.uuid.upper() for job in own), str(uuid4())]
    assert [found.ahead for found in await queue.standings(TENANT, asked)][:3] == [0, 2, 4]
    assert [found.ahead for found in await queue.standings("t2", [job.uuid for job in other])] == [1, 3, 5]
    assert (await queue.standings(TENANT, asked))[3].state == ""
    order = [(await claim(queue)).job.uuid for _ in range(6)]
    assert order == [job.uuid for pair in zip(own, other, strict=True) for job in pair]


async def test_states(queue):
    """A task that waits for another has no place; one that is given out is next, and runs when its worker says so."""
    parent, child = new_job(), new_job()
    await submit(queue, parent)
    sent = {"taskType": child.task_type, "taskUUID": child.uuid}
    waits = [Reference(parent.uuid, "dependsOn[0]")]
    await queue.submit(child, session="s", sent=sent, delivery="sync", fingerprint="f", references=waits)
    assert await queue.standings(TENANT, [parent.uuid, child.uuid]) == [NEXT, HELD]
    owned = await claim(queue)
    assert await queue.standings(TENANT, [parent.uuid]) == [NEXT]
    await queue.start(owned)
    await queue.progress(owned, 0.5, "halfway")
    assert await queue.standings(TENANT, [parent.uuid]) == [Standing("running", 0.5, "halfway", 0)]
    await queue.finish(owned, DONE, 0.1)
    assert await queue.standings(TENANT, [parent.uuid, child.uuid]) == [Standing("succeeded", None, "", 0), NEXT]


async def test_progress_never_goes_back(queue):
    """A second attempt tells its own stages, and is no less far than the first was."""
    job = new_job()
    await submit(queue, job)
    owned = await claim(queue)
    for fraction, stage, shown in ((0.2, "one", 0.2), (0.7, "two", 0.7), (0.1, "one", 0.7), (0.8, "three", 0.8)):
        await queue.progress(owned, fraction, stage)
        (found,) = await queue.standings(TENANT, [job.uuid])
        assert (found.progress, found.stage) == (shown, stage)


async def test_oversized(queue, sessions, redis):
    """That a client hung up on an answer is counted with the task while it is kept; a task that is not is not made."""
    session, job, unknown = await sessions.open(TENANT), new_job(), str(uuid4())
    await submit(queue, job, session)
    await queue.finish(await claim(queue), DONE, 0.1)
    for count in range(3):
        (entry,) = await sessions.read(TENANT, session, 0)
        known = await queue.known(TENANT, job.uuid)
        assert known is not None
        assert (entry.oversized, known.oversized) == (count, count)
        await sessions.oversized(TENANT, job.uuid.upper())
    assert await redis.ttl(f"{queue.store.home(TENANT)}:task:{TENANT}:{job.uuid}") > 0
    await sessions.oversized(TENANT, unknown)
    assert await queue.known(TENANT, unknown) is None
    assert not await redis.keys(f"*{unknown}")
