"""GET /v1/usage: what a key has had done, by day and task type."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from server.tenants import tenant_named
from tests.client import Client, Reply, new_task, request
from tests.harness import KEY, OTHER_KEY, Installation


async def ask(where: Installation, query: str = "", key: str | None = KEY) -> Reply:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return await request("GET", f"{where.url}/v1/usage{query}", **headers)


async def used(where: Installation, query: str = "", key: str = KEY) -> list[dict[str, Any]]:
    answer = await ask(where, query, key)
    assert (answer.status, list(answer.json)) == (200, ["data"])
    return answer.json["data"]


def summed(entries: list[dict[str, Any]], task_type: str) -> tuple[int, float]:
    """Tasks and seconds of a type, over all days: one of them may begin while a test runs."""
    mine = [entry for entry in entries if entry["taskType"] == task_type]
    return sum(entry["tasks"] for entry in mine), sum(entry["seconds"] for entry in mine)


@pytest.fixture
def earlier(installation: Installation) -> Iterator[list[str]]:
    """The days, newest first, on which the other key had tasks a while ago: yesterday, 29, 30 and 399 days before."""
    today = datetime.now(UTC)
    ages = (1, 29, 30, 399)
    number = int(today.timestamp()) // 86400
    home = f"{installation.environment['TASKARRAY_PREFIX']}:{{s0}}"
    tenant = tenant_named("other").id
    with Redis.from_url(installation.environment["REDIS_URL"]) as redis:
        for age in ages:
            redis.hset(f"{home}:usage:{tenant}", f"{number - age}|zzz", 2)
            redis.hset(f"{home}:usage:{tenant}", f"{number - age}|aaa", 1)
            redis.hset(f"{home}:spent:{tenant}", f"{number - age}|zzz", "1.23456")
        yield [(today - timedelta(days=age)).date().isoformat() for age in ages]
        for age in ages:
            for name in ("zzz", "aaa"):
                redis.hdel(f"{home}:usage:{tenant}", f"{number - age}|{name}")
                redis.hdel(f"{home}:spent:{tenant}", f"{number - age}|{name}")


async def test_counted(installation: Installation, client: Client) -> None:
    """Tasks are counted under their own name, whatever name they were sent by, with the seconds that they ran; what is
    only checked is not."""
    before = await used(installation, "?days=2")
    await client.ask(*(new_task("sleeps", seconds=0.2) for _ in range(3)), new_task("exits", how="raise"))
    await client.run("sleeps", seconds=0.2, validateOnly=True)
    after = await used(installation, "?days=2")
    tasks, seconds = (now - then for now, then in zip(summed(after, "sleeps"), summed(before, "sleeps"), strict=True))
    assert (tasks, summed(after, "exits")[0] - summed(before, "exits")[0]) == (3, 1)
    assert 0.6 <= seconds < 3
    assert {tuple(entry) for entry in after} == {("day", "taskType", "tasks", "seconds")}


async def test_days(installation: Installation, other: Client, earlier: list[str]) -> None:
    """The newest day comes first, as far back as is asked for, 30 days else; nothing of it is another key's."""
    await other.run("nothing")
    for query, days in (("", 2), ("?days=1", 0), ("?days=2", 1), ("?days=31", 3), ("?days=400", 4)):
        found = await used(installation, query, OTHER_KEY)
        assert found[0]["day"] > earlier[0]
        shown = [entry for entry in found if entry["taskType"] in ("aaa", "zzz")]
        assert shown == found[len(found) - len(shown) :]
        assert shown == [
            {"day": day, "taskType": name, "tasks": tasks, "seconds": seconds}
            for day in earlier[:days]
            for name, tasks, seconds in (("aaa", 1, 0), ("zzz", 2, 1.235))
        ]
    assert not [entry for entry in await used(installation, "?days=400") if entry["taskType"] in ("aaa", "zzz")]


@pytest.mark.parametrize("days", ["0", "401", "-1", "x", "", "1.5", "9" * 5000])
async def test_refused(installation: Installation, days: str) -> None:
    """Days are a number from 1 to 400."""
    answer = await ask(installation, f"?days={days}")
    error = answer.json["error"]
    assert (answer.status, error["code"], error["max"]) == (400, "invalidDays", 400)
    assert answer.json["errors"] == [error]


@pytest.mark.parametrize("key", [None, "wrong"])
async def test_without_a_key(installation: Installation, key: str | None) -> None:
    """Without a good key nothing is told."""
    answer = await ask(installation, key=key)
    assert (answer.status, answer.json["error"]["code"]) == (401, "invalidApiKey")
