"""What is counted of tasks, and what follows from it."""

from __future__ import annotations

from server.jobs import Outcome
from server.statistics import Statistics
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
