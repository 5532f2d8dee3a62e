"""What is counted of tasks, and what follows from it."""

from __future__ import annotations

import pytest

from server.config import Config
from server.errors import ServiceUnavailable
from server.jobs import Outcome
from server.statistics import Statistics
from server.store import Store
from server.tally import tally
from tests.server.jobs import DONE, TENANT, claim, new_job, submit


async def ended(queue, outcome: Outcome, seconds: float) -> None:
    await submit(queue, new_job())
    assert await queue.finish(await claim(queue), outcome, seconds)


async def test_mean(queue, store):
    """A type's mean is over all of its tasks that a worker has ended, well or not; there is none before the first."""
    assert await Statistics(store).mean("nothing") is None
    await ended(queue, DONE, 1)
    await ended(queue, DONE, 2)
    await ended(queue, Outcome(failure={"code": "taskTimeout"}), 6)
    job = new_job()
    await submit(queue, job)
    await queue.cancel(TENANT, [job.uuid])
    assert await Statistics(store).mean("nothing") == 3
    assert await Statistics(store).mean("other") is None


async def test_not_counted_each_time(queue, store):
    """Within seconds the counters are read once."""
    statistics = Statistics(store)
    await ended(queue, DONE, 1)
    assert await statistics.mean("nothing") == 1
    await ended(queue, DONE, 3)
    assert await statistics.mean("nothing") == 1
    statistics._fresh_until = 0
    assert await statistics.mean("nothing") == 2


async def test_report(queue, store):
    """What a process has counted is added up in Redis once; what could not be handed on is handed on the next time."""
    statistics = Statistics(store)
    tally.take()
    tally.add("retries", "worker_lost")
    tally.add("fetch_bytes", by=1000)
    tally.merge({"retries|worker_lost": 2})
    tally.stage("nothing", "run", 0.3)
    tally.stage("nothing", "run", 1000)
    away = Statistics(Store(Config(redis_url="redis://127.0.0.1:9", prefix=store.config.prefix)))
    with pytest.raises(ServiceUnavailable):
        await away.report()
    for _ in range(2):
        await statistics.report()
    counted = await statistics.counters()
    assert counted.pop("redis_errors|count") == 1
    assert counted == {
        "retries|worker_lost": 3, "fetch_bytes": 1000, "stage|nothing|run|0.5": 1, "stage|nothing|run|+Inf": 1,
        "stage seconds|nothing|run": 1000.3,
    }  # fmt: skip
    assert await statistics.mean("nothing") is None


async def test_codes_are_few(queue, store):
    """A code may be made of a parameter's name; when there are very many counters already, a new code is `other`."""
    await ended(queue, Outcome(failure={"code": "taskTimeout"}), 1)
    await store.call("HSET", f"{store.base(0)}:stats", *(word for n in range(8001) for word in (f"x|{n}", 1)))
    for code in ("invalidAnything", "taskTimeout", "invalidAnything"):
        await ended(queue, Outcome(failure={"code": code}), 1)
    await ended(queue, DONE, 1)
    counted = await Statistics(store).counters()
    assert {name: count for name, count in counted.items() if name.startswith("finished|")} == {
        "finished|nothing|failed|taskTimeout": 2, "finished|nothing|failed|other": 2, "finished|nothing|succeeded|": 1,
    }  # fmt: skip


async def test_ends_by_redis_are_told_once(queue):
    """Of a task that Redis itself ends its type and code can be heard, once."""
    job = new_job()
    await submit(queue, job)
    await queue.cancel(TENANT, [job.uuid])
    base = queue.store.home(TENANT)
    told = {"tenant": TENANT, "uuid": job.uuid, "kind": "nothing", "code": "taskCancelled"}
    assert await queue.ended(base, 10) == [told]
    assert await queue.ended(base, 10) == []
