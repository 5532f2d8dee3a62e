"""What the board reads: little, however much there is, and of every shard."""

from __future__ import annotations

import asyncio
import time

import orjson
import pytest

from server.board import RECENT, SAMPLE, Board
from server.jobs import Outcome
from server.presence import present, report
from server.tenants import Tenants, tenant_named
from tests.server.jobs import DONE, TENANT, claim, new_job, submit

FAILED = Outcome(failure={"code": "processingFailed", "message": "a canary", "parameter": "inputImage"})


@pytest.fixture
def board(store) -> Board:
    return Board(store, Tenants(store, store.config))


async def ended(queue, outcome: Outcome = DONE, **members) -> str:
    """A task that a worker has ended; its UUID."""
    job = new_job(**members)
    await submit(queue, job)
    assert await queue.finish(await claim(queue, "machine-77-a1b2c3"), outcome, 0.25)
    return job.uuid


async def test_bounded(queue, board):
    """Of many tasks some are looked at one by one, and it is said of how many; the counts are of all."""
    await asyncio.gather(*(submit(queue, new_job()) for _ in range(SAMPLE + 30)))
    await claim(queue)
    state = await board.state()
    assert state["sample"] == {"looked": SAMPLE, "of": SAMPLE + 30}
    assert state["figures"]["waiting"] == SAMPLE + 29
    assert state["figures"]["running"] == len(state["running"]) == 1
    (mine,) = state["keys"]["rows"]
    assert (mine["tenant"], mine["tasks"]) == ({"id": TENANT, "name": ""}, SAMPLE + 30)
    assert state["types"] == [{"taskType": "nothing", "waiting": SAMPLE, "held": 0, "running": 0}]


async def test_newest(queue, board, redis, store):
    """Those that ended last come first, no more than are shown, and no more are kept than can be; each is read once."""
    uuids = [await ended(queue) for _ in range(RECENT + 5)]
    state = await board.state()
    assert [task["taskUUID"] for task in state["ended"]] == uuids[:4:-1]
    assert state["ended"][0]["worker"] == "machine-77-a1b2c3"
    assert state["ended"][0]["seconds"] == 0.25
    await redis.delete(f"{store.bases[0]}:task:{TENANT}:{uuids[-1]}")
    assert (await board.state())["ended"][0]["taskUUID"] == uuids[-1]
    for _ in range(150):
        await ended(queue)
    assert await redis.llen(f"{store.bases[0]}:newest") < 200
    assert len(board._ended) <= 100


async def test_failed(queue, board):
    """Of a failure its code and parameter are told, and not its sentence; what was cancelled is counted by itself."""
    await ended(queue, FAILED)
    job = new_job()
    await submit(queue, job)
    await queue.cancel(TENANT, [job.uuid])
    state = await board.state()
    cancelled, failed = state["ended"]
    assert (cancelled["code"], cancelled["worker"]) == ("taskCancelled", "")
    assert (failed["code"], failed["parameter"], failed["state"]) == ("processingFailed", "inputImage", "failed")
    assert "canary" not in str(state)
    counts = [sum(state["minutes"][word]) for word in ("succeeded", "failed", "cancelled")]
    assert counts == [0, 1, 1]


async def test_minutes(queue, board, redis, store):
    """Ends are counted by the minute, for an hour: what is older is gone with the next minute."""
    minutes, now = f"{store.bases[0]}:minutes", int(time.time() // 60)
    for age, count in ((0, 3), (1, 5), (60, 7), (61, 11), (500, 13)):
        await redis.hset(minutes, f"{now - age}|failed", count)
    await ended(queue)
    state = await board.state()
    told = state["minutes"]
    assert (sum(told["failed"]), told["failed"][0], told["failed"][-2:]) == (15, 7, [5, 3])
    assert told["succeeded"][-1] == told["last"]["succeeded"] == 1
    assert 3 <= told["last"]["failed"] <= 8
    assert {name.decode() for name in await redis.hkeys(minutes)} == {
        f"{now}|succeeded", *(f"{now - age}|failed" for age in (0, 1, 60)),
    }  # fmt: skip


@pytest.mark.settings(SHARDS="3", API_KEYS="ann:k1,bob:k2,eve:k3")
async def test_shards(queue, board, store):
    """It is of all shards together."""
    tenants = [tenant_named(name) for name in ("ann", "bob", "eve")]
    assert len({store.home(tenant.id) for tenant in tenants}) > 1
    for tenant in tenants:
        await submit(queue, new_job(tenant.id))
    gone = new_job(tenants[0].id)
    await submit(queue, gone)
    await queue.cancel(tenants[0].id, [gone.uuid])
    state = await board.state()
    assert {row["tenant"]["name"] for row in state["keys"]["rows"]} == {"ann", "bob", "eve"}
    assert state["figures"]["waiting"] == 3
    assert [task["taskUUID"] for task in state["ended"]] == [gone.uuid]


async def test_many_keys(queue, board, store):
    """Tasks of hundreds of keys wait, and are not taken for held ones."""
    await asyncio.gather(*(submit(queue, new_job(tenant_named(str(number)).id)) for number in range(250)))
    figures = (await board.state())["figures"]
    assert (figures["waiting"], figures["held"]) == (250, 0)


async def test_earlier_version(board, store):
    """A worker of an earlier version, which says less of itself, is shown beside the others."""
    said = orjson.dumps({"at": time.time(), "pid": 1, "tasks": []})
    await store.guarded("HSET", f"{store.config.prefix}:workers", "machine-1-a", said)
    (worker,) = (await board.state())["workers"]
    assert (worker["name"], worker["memory"], worker["tasks"]) == ("machine-1-a", 0, [])


async def test_presence(store):
    """A process that is silent is not there."""
    await report(store, "gateways", "g1", sockets={})
    assert (await present(store, "gateways"))["g1"]["sockets"] == {}
    await report(store, "gateways", "g1", at=time.time() - 11)
    assert await present(store, "gateways") == {}
