"""Sessions: outboxes with dense offsets that outlive their connection and their gateway."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from server.queue import Queue
from server.sessions import Sessions
from server.store import Store
from tests.server.jobs import DONE, TENANT, again, claim, claimed, new_job, submit


async def answered(queue: Queue, session: str, count: int) -> list[str]:
    """That many tasks, finished for a session: their UUIDs."""
    jobs = [new_job() for _ in range(count)]
    for job in jobs:
        await submit(queue, job, session)
    for _ in jobs:
        await queue.finish(await claim(queue), DONE, 0.1)
    return [job.uuid for job in jobs]


async def kept(redis: Redis, sessions: Sessions) -> list[bytes]:
    """Every key of Redis that belongs to a session."""
    base = sessions.store.bases[0]
    return [key for kind in ("session", "outbox", "open") for key in await redis.keys(f"{base}:{kind}:*")]


async def test_dense(queue, sessions):
    """Finished tasks stand in the outbox in the order of their ends, with offsets 1, 2, 3 and no hole."""
    session = await sessions.open(TENANT)
    uuids = await answered(queue, session, 5)
    entries = await sessions.read(TENANT, session, 0)
    assert [entry.offset for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry.uuid for entry in entries] == uuids
    assert entries[0].request == {"taskType": "nothing", "taskUUID": uuids[0]}
    assert (entries[0].outcome, entries[0].delivery) == ({"items": DONE.items}, "sync")


async def test_read_on(queue, sessions):
    """Reading goes on after the given offset, no further than asked."""
    session = await sessions.open(TENANT)
    await answered(queue, session, 5)
    assert [entry.offset for entry in await sessions.read(TENANT, session, 2, 2)] == [3, 4]
    assert await sessions.read(TENANT, session, 5) == []


async def test_resume(queue, sessions, store):
    """Whoever returns gets what was confirmed and sent, and the async requests that still run."""
    session = await sessions.open(TENANT)
    await answered(queue, session, 3)
    assert await sessions.touch(TENANT, session, confirmed=1, sent=3)
    waiting, silent = new_job(), new_job()
    await submit(queue, waiting, session, delivery="async")
    await submit(queue, silent, session, delivery="sync")
    resumed = await Sessions(store, "g2").resume(TENANT, session.upper())
    assert (resumed.confirmed, resumed.sent) == (1, 3)
    assert [request["taskUUID"] for request in resumed.waiting] == [waiting.uuid]


async def test_foreign(sessions):
    """A session of another tenant looks like one that never was, and is not disturbed."""
    session = await sessions.open(TENANT)
    assert await sessions.resume("t2", session) is None
    assert await sessions.resume(TENANT, str(uuid4())) is None
    assert await sessions.touch(TENANT, session, 0, 0)


async def test_moved(queue, sessions, store):
    """A resumed session is its new gateway's: that one is woken, the old one is told and may no longer keep it."""
    other = Sessions(store, "g2")
    session = await sessions.open(TENANT)
    heard = list[bytes]()
    listening = asyncio.create_task(_hear(store, [*sessions.channels, *other.channels], heard))
    await _until(lambda: heard)
    await other.resume(TENANT, session)
    await answered(queue, session, 1)
    await _until(lambda: len(heard) == 3)
    listening.cancel()
    assert heard[1:] == [f"taken:{session}:g2".encode(), session.encode()]
    assert not await sessions.touch(TENANT, session, 0, 0)
    assert await other.touch(TENANT, session, 0, 0)


async def _hear(store: Store, channels: list[str], heard: list[bytes]) -> None:
    async for message in store.listen(*channels):
        heard.append(message or b"listening")


async def _until(holds) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.mark.settings(SESSION_TTL="1s")
async def test_term(queue, sessions, redis):
    """A session lives for its term after the last touch, with all that belongs to it."""
    session = await sessions.open(TENANT)
    await answered(queue, session, 1)
    await submit(queue, new_job(), session)
    for _ in range(6):
        await asyncio.sleep(0.25)
        assert await sessions.touch(TENANT, session, 0, 0)
    assert len(await kept(redis, sessions)) == 3
    async with asyncio.timeout(5):
        while await kept(redis, sessions):
            await asyncio.sleep(0.05)
    assert not await sessions.touch(TENANT, session, 0, 0)
    assert await sessions.resume(TENANT, session) is None
    await queue.finish(await claim(queue), DONE, 0.1)
    assert not await kept(redis, sessions), "a session that is gone was made again"


@pytest.mark.settings(SESSION_TTL="1s")
async def test_nothing_stays(queue, sessions, redis):
    """What is written for a session after its last touch goes with it."""
    session = await sessions.open(TENANT)
    await answered(queue, session, 2)
    await submit(queue, new_job(), session)
    async with asyncio.timeout(5):
        while await kept(redis, sessions):
            await asyncio.sleep(0.05)


async def test_confirmed(queue, sessions):
    """What is confirmed leaves the outbox; offsets go on from where they were."""
    session = await sessions.open(TENANT)
    await answered(queue, session, 3)
    await sessions.touch(TENANT, session, confirmed=2, sent=3)
    await answered(queue, session, 1)
    assert [entry.offset for entry in await sessions.read(TENANT, session, 0)] == [3, 4]
    await sessions.touch(TENANT, session, confirmed=4, sent=4)
    await answered(queue, session, 1)
    assert [entry.offset for entry in await sessions.read(TENANT, session, 0)] == [5]


async def test_waits(queue, sessions):
    """A session waits for its tasks until each has ended, whoever else has sent them too."""
    one, two = await sessions.open(TENANT), await sessions.open(TENANT)
    owned = await claimed(queue, session=one)
    await submit(queue, again(owned.job), two)
    assert [await sessions.waits(TENANT, session) for session in (one, two)] == [1, 1]
    await queue.finish(owned, DONE, 0.1)
    assert [await sessions.waits(TENANT, session) for session in (one, two)] == [0, 0]


@pytest.mark.settings(RESULT_TTL="1s")
async def test_outlived(queue, sessions):
    """An entry whose result is no longer kept is still read, as such, so that the offsets have no hole."""
    session = await sessions.open(TENANT)
    (uuid,) = await answered(queue, session, 1)
    async with asyncio.timeout(5):
        while await queue.known(TENANT, uuid):
            await asyncio.sleep(0.05)
    (entry,) = await sessions.read(TENANT, session, 0)
    assert (entry.offset, entry.uuid, entry.request, entry.outcome) == (1, uuid, None, None)


async def test_closed(queue, sessions, redis):
    """A closed session leaves nothing, and what it waited for can still be asked for."""
    session = await sessions.open(TENANT)
    owned = await claimed(queue, session=session)
    await sessions.close(TENANT, session)
    await queue.finish(owned, DONE, 0.1)
    assert await kept(redis, sessions) == []
    assert (await queue.known(TENANT, owned.job.uuid)).outcome == {"items": DONE.items}


async def test_restored(queue, sessions):
    """A session that Redis has lost is made again with what it waited for; it is said what is lost as well."""
    session = await sessions.open(TENANT)
    await answered(queue, session, 2)
    running, ended, lost = await claimed(queue, session=session), new_job(), new_job()
    await submit(queue, ended, session)
    await sessions.close(TENANT, session)
    await queue.finish(await claim(queue), DONE, 0.1)
    waits = [running.job.uuid, ended.uuid, lost.uuid]
    assert await sessions.restore(TENANT, session, 2, waits) == [lost.uuid]
    await queue.finish(running, DONE, 0.1)
    entries = await sessions.read(TENANT, session, 2)
    assert [(entry.offset, entry.uuid) for entry in entries] == [(3, ended.uuid), (4, running.job.uuid)]
    assert await sessions.touch(TENANT, session, 2, 4)


async def test_not_restored(sessions, store):
    """A session that has moved to another gateway is left alone."""
    session = await sessions.open(TENANT)
    other = Sessions(store, "g2")
    await other.resume(TENANT, session)
    assert await sessions.restore(TENANT, session, 0, []) is None
    assert await other.touch(TENANT, session, 0, 0)


async def test_restore_said_twice(queue, sessions):
    """A session that is made again is, also when that is said again for a lost reply, and each end is in it once."""
    session, ended = await sessions.open(TENANT), new_job()
    await submit(queue, ended, session)
    await sessions.close(TENANT, session)
    await queue.finish(await claim(queue), DONE, 0.1)
    assert [await sessions.restore(TENANT, session, 5, [ended.uuid]) for _ in range(2)] == [[], []]
    assert [entry.offset for entry in await sessions.read(TENANT, session, 0)] == [6]
