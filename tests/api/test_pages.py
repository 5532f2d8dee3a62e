"""What operators ask: is it alive, is it ready, how does it do, what is it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.embedded import Embedded
from tests.api.conftest import Beside
from tests.client import Client, Reply, new_task, request
from tests.harness import KEY, Installation
from tests.redis import start_redis
from tests.tasks.context import data_uri

Sample = tuple[str, frozenset[tuple[str, str]]]


async def page(where: Installation, path: str) -> Reply:
    return await request("GET", where.url + path)


async def until(where: Installation, status: int, **parts: str) -> Reply:
    """Wait until readiness has this status and these words stand in what it tells of the parts."""
    async with asyncio.timeout(30):
        while True:
            answer = await page(where, "/readyz")
            told = answer.json["parts"]
            if answer.status == status and all(word in told[part] for part, word in parts.items()):
                return answer
            await asyncio.sleep(0.05)


async def metrics(where: Installation) -> dict[Sample, float]:
    """Every sample by its name and labels."""
    answer = await page(where, "/metrics")
    assert (answer.status, answer.headers["content-type"].startswith("text/plain")) == (200, True)
    families = text_string_to_metric_families(answer.body.decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value for found in families for sample in found.samples
    }


def value(found: dict[Sample, float], name: str, **labels: str) -> float:
    return found.get((f"taskarray_{name}", frozenset(labels.items())), 0)


async def refusal(where: Installation) -> dict[str, Any]:
    """How a task is refused that cannot be taken now: 503, with the time to wait."""
    answer = await request("POST", f"{where.url}/v1", [new_task("nothing")], authorization=f"Bearer {KEY}")
    assert (answer.status, int(answer.headers["retry-after"]) >= 1) == (503, True)
    return answer.json["error"]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Embedded]:
    """A Redis that may be taken away."""
    found = start_redis(tmp_path / "redis")
    yield found
    found.stop()


@pytest.fixture
def alone(redis: Embedded, tmp_path: Path) -> Iterator[Installation]:
    """An installation over that Redis, nothing started."""
    found = Installation(tmp_path / "alone", redis.url)
    yield found
    found.stop()


@pytest.mark.parametrize("path", ["/livez", "/healthz"])
async def test_live(installation: Installation, path: str) -> None:
    """A process that answers is live."""
    assert (await page(installation, path)).json == {"status": "live"}


async def test_ready(installation: Installation) -> None:
    """A gateway that has all that a task needs is ready."""
    answer = await page(installation, "/readyz")
    assert (answer.status, answer.json["status"], set(answer.json["parts"].values())) == (200, "ready", {"ok"})


async def test_not_ready(alone: Installation, redis: Embedded) -> None:
    """Without a worker or Redis a gateway is alive, not ready, and says what is missing; when it is back, so is it."""
    alone.start("gateway")
    answer = await until(alone, 503, workers="taskarray worker", redis="ok", disk="ok", draining="ok")
    assert answer.json["status"] == "not ready"
    alone.start("worker")
    await until(alone, 200, workers="ok")
    async with alone.client() as client:
        redis.stop()
        await until(alone, 503, redis="REDIS_URL", workers="Redis", disk="ok", draining="ok")
        assert (await page(alone, "/livez")).status == 200
        assert (await refusal(alone))["code"] == "serviceUnavailable"
        found = await metrics(alone)
        assert (value(found, "redis_up"), value(found, "ws_connections")) == (0, 1)
        assert ("taskarray_queue_depth", frozenset[tuple[str, str]]()) not in found
        await client.ping()
        redis.start()
        await until(alone, 200, redis="ok", workers="ok")
        assert (await client.run("nothing"))["text"] == "done"
        found = await metrics(alone)
        assert value(found, "redis_up") == 1
        assert sum(count for (name, _), count in found.items() if name == "taskarray_redis_errors_total") > 0


async def test_draining(alone: Installation) -> None:
    """A gateway that stops is alive and not ready, says so, takes no new task, and answers what it has."""
    gateway = alone.start("gateway")
    alone.start("worker")
    await until(alone, 200)
    task = new_task("sleeps", seconds=3)
    waiting = asyncio.create_task(
        request("POST", f"{alone.url}/v1", [task], authorization=f"Bearer {KEY}"), name="waiting"
    )
    while not value(await metrics(alone), "queue_depth"):
        await asyncio.sleep(0.02)
    assert value(await metrics(alone), "draining") == 0
    alone.kill(gateway, signal.SIGTERM)
    await until(alone, 503, draining="stopping", redis="ok", workers="ok")
    assert (await page(alone, "/livez")).status == 200
    assert value(await metrics(alone), "draining") == 1
    assert (await refusal(alone))["code"] == "serviceUnavailable"
    assert (await waiting).json["data"][0]["text"] == "slept 3.0"
    assert await asyncio.to_thread(gateway.wait, 20) == 0


FULL = {"MIN_FREE_DISK": "1000000GiB"}


async def test_disk(beside: Beside) -> None:
    """A full disk makes a gateway not ready: uploads are refused, and other tasks go on."""
    gateway = beside(**FULL)
    await until(gateway, 503, disk="TASKARRAY_MIN_FREE_DISK", redis="ok", workers="ok")
    async with gateway.client() as client:
        assert (await client.fail("imageUpload", image=data_uri(b"pixels")))["code"] == "uploadFailed"
        assert (await client.run("nothing"))["text"] == "done"


async def test_counters(installation: Installation, client: Client) -> None:
    """Tasks are counted by their type when they are taken, and by type, status and code when they end."""
    before = await metrics(installation)
    await client.ask(*(new_task("nothing") for _ in range(3)), new_task("unheard of"), new_task("sleeps"))
    again = new_task("nothing")
    await client.ask(again)
    await client.ask(again)
    await client.fail("exits", how="raise")
    await client.fail("imageUpload", image=data_uri(b"pixels"))
    after = await metrics(installation)

    def more(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert more("tasks_received_total", task_type="nothing", dialect="v1") == 4
    assert more("tasks_finished_total", task_type="nothing", status="succeeded", code="") == 4
    for kind, code in (("exits", "internalServerError"), ("imageUpload", "invalidImage")):
        assert more("tasks_received_total", task_type=kind, dialect="v1") == 1
        assert more("tasks_finished_total", task_type=kind, status="failed", code=code) == 1
    assert more("tasks_received_total", task_type="sleeps", dialect="v1") == 0
    assert not any(label == "unheard of" for _, labels in after for _, label in labels)


async def test_durations(installation: Installation, client: Client) -> None:
    """How long tasks take is told as a histogram by type: buckets that add up, their sum and their count."""
    before = await metrics(installation)
    await client.run("sleeps", seconds=0.3)
    after = await metrics(installation)
    more = {sample: count - before.get(sample, 0) for sample, count in after.items()}
    assert value(more, "task_duration_seconds_count", task_type="sleeps") == 1
    assert 0.3 <= value(more, "task_duration_seconds_sum", task_type="sleeps") < 5
    buckets = {
        float(dict(labels)["le"]): count
        for (name, labels), count in more.items()
        if name == "taskarray_task_duration_seconds_bucket" and ("task_type", "sleeps") in labels
    }
    edges = sorted(buckets)
    assert edges[-1] == float("inf")
    assert len(edges) > 10
    assert [buckets[edge] for edge in edges] == sorted(buckets.values())
    assert (buckets[0.25], buckets[60], buckets[edges[-1]]) == (0, 1, 1)


async def test_sockets(beside: Beside) -> None:
    """The authenticated sockets that are open are counted."""
    gateway = beside(**FULL)

    async def counted(sockets: int) -> None:
        async with asyncio.timeout(10):
            while value(await metrics(gateway), "ws_connections") != sockets:
                await asyncio.sleep(0.02)

    await counted(0)
    stranger = await gateway.client().open()
    async with gateway.client(), gateway.client():
        assert value(await metrics(gateway), "ws_connections") == 2
    await stranger.close()
    await counted(0)


async def test_queue(installation: Installation, client: Client) -> None:
    """How many tasks wait or run is told, how old the oldest of them is, and how many workers there are."""
    assert value(await metrics(installation), "workers") == 2
    tasks = [new_task("sleeps", seconds=1.5) for _ in range(4)]
    waiting = asyncio.create_task(client.ask(*tasks))
    oldest = 0.0
    while oldest <= 0.5:
        assert not waiting.done(), "all done, and none was ever seen to be old"
        found = await metrics(installation)
        assert 0 <= value(found, "queue_depth") <= 4
        oldest = value(found, "queue_oldest_seconds")
    await waiting
    found = await metrics(installation)
    assert (value(found, "queue_depth"), value(found, "queue_oldest_seconds")) == (0, 0)


async def test_discovery(installation: Installation) -> None:
    """The root tells what the server is, where its doors are and which tasks it knows."""
    found = (await page(installation, "/")).json
    assert found["name"] == "taskarray"
    assert found["version"]
    assert "/v1" in found["faces"]
    assert {"imageUpload", "mediaStorage", "nothing"} <= set(found["taskTypes"])
    for path in found["health"]:
        assert (await page(installation, path)).status == 200
