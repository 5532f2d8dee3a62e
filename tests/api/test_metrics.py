"""What Prometheus scrapes: every family after work that provokes it, its type, and labels that stay few."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.client import new_task, request
from tests.faults.test_redis import PNG
from tests.harness import KEY, Installation, free_port, wait_for
from tests.outside import Website, answer
from tests.receiver import Receiver

COUNTERS = {
    "auth_failures", "cache_hits", "duplicate_submits", "fetch_blocked", "fetch_bytes", "images_rejected",
    "quarantined", "rate_limited", "recoveries", "redis_errors", "retries", "singleflight", "tasks_finished",
    "tasks_received", "webhook_attempts", "worker_recycles", "ws_closed", "ws_opened", "ws_slow_consumer",
    "process_cpu_seconds",
}  # fmt: skip
GAUGES = {
    "build_info", "draining", "queue_depth", "queue_oldest_seconds", "redis_up", "storage_bytes", "storage_free_bytes",
    "tasks_in_progress", "worker_rss_bytes", "workers", "ws_connections", "process_resident_memory_bytes",
    "process_virtual_memory_bytes", "process_start_time_seconds", "process_open_fds", "process_max_fds",
}  # fmt: skip
HISTOGRAMS = {
    "event_loop_lag_seconds", "task_duration_seconds", "task_stage_duration_seconds", "ws_outbox_bytes",
}  # fmt: skip
LABELS = {
    "task_type": r"[a-zA-Z]+",
    "dialect": "v1|v2|v3",
    "status": "succeeded|failed",
    "code": r"[a-zA-Z]*|\d{4}|other",
    "outcome": "attached|replayed|conflict|led|followed|delivered|failed|given_up|put_off",
    "cause": "process_crashed|worker_lost",
    "reason": "crashed|memory|timeout|cancelled|grown|missing|unknown|revoked|scope",
    "rule": "address|port|scheme|sign-in|form|bytes|damaged|format|pixels|area|memory",
    "scope": "rate|queue|queue_of_all|address|sockets",
    "op": "[a-z_]+",
    "stage": "queue|fetch|decode|run|encode|store|send",
    "client": "py|py-legacy|ts|js|comfyui|browser|other",
    "recovered": "true|false",
    "class": "images|staged",
    "worker": r".+/\d",
    "version": r"\d.*",
    "commit": "[0-9a-f]*",
    "le": r"[\d.e+]+|\+Inf",
}


@pytest.fixture(scope="module")
def worked(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation of its own, in which keys may hold few tasks."""
    settings = {"TASKARRAY_PREFIX": "worked", "TASKARRAY_MAX_QUEUED_PER_KEY": "4", "TASKARRAY_WEBHOOK_ATTEMPTS": "1"}
    found = Installation(tmp_path_factory.mktemp("worked"), redis_url, **settings)
    found.start_all(workers=2)
    yield found
    found.stop()


def families(where: Installation, path: str = "/metrics") -> dict[str, Metric]:
    """Every family by its name without our prefix."""
    found = {family.name: family for family in text_string_to_metric_families(where.get(path))}
    assert all(name.startswith("taskarray_") for name in found)
    return {name.removeprefix("taskarray_"): family for name, family in found.items()}


def samples(found: dict[str, Metric], family: str) -> dict[tuple[str, ...], float]:
    """The values of a family by its labels, these in the order of their names; of a histogram, the observations."""
    return {
        tuple(sample.labels.values()): sample.value
        for sample in found[family].samples
        if not sample.name.endswith(("_bucket", "_sum"))
    }


async def work(where: Installation, book: Path) -> None:
    """Do what the counters are about."""
    picture = base64.b64decode(PNG)
    async with where.client() as client, Website({"/x.png": answer(picture)}) as site, Receiver() as receiver:
        again = new_task("nothing")
        for sent in (again, again, again | {"taskType": "sleeps", "seconds": 0}):
            await client.ask(sent)
        repeated = {"inputImage": PNG, "marker": str(book), "seconds": 0.5}
        await client.ask(*(new_task("repeats", **repeated) for _ in range(2)))
        await client.ask(new_task("exits", how="kill"))
        bad = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(64)).decode()
        await client.ask(*(new_task("imageUpload", image=image) for image in (site.url("/x.png"), bad)))
        await client.ask(new_task("imageUpload", image="http://10.0.0.1/x.png"))
        await client.ask(*(new_task("nothing", webhookURL=url) for url in (receiver.url(), "http://127.0.0.1:9/")))
        await receiver.got(1)
        await client.ask(*(new_task("sleeps", seconds=0.5) for _ in range(8)))
        session = client.session
        await client.drop()
    again = await where.client().connect(session)
    await again.close()
    await request("POST", f"{where.url}/v1", [new_task("nothing")], authorization="Bearer wrong")
    body = {"enable_sync_mode": True}
    await request("POST", f"{where.url}/api/v3/taskarray/nothing", body, authorization=f"Bearer {KEY}")
    # What workers and sweepers count is heard of with their next sign of life.
    await asyncio.to_thread(wait_for, lambda: settled(families(where)))


def settled(found: dict[str, Metric]) -> bool:
    """Whether every process has said what it counted."""
    labelled = {"fetch_blocked": 1, "images_rejected": 1, "retries": 1, "singleflight": 2, "webhook_attempts": 2}
    plain = ("cache_hits", "fetch_bytes", "quarantined")
    return all(len(samples(found, name)) == count for name, count in labelled.items()) and all(
        samples(found, name)[()] for name in plain
    )


async def test_families(worked: Installation, tmp_path: Path) -> None:
    """Every family is there with its type, counts what happened, and has labels of known and few words only."""
    await work(worked, tmp_path / "book")
    found = families(worked)
    types = {name: family.type for name, family in found.items()}
    expected = {"counter": COUNTERS, "gauge": GAUGES, "histogram": HISTOGRAMS}
    assert types == {name: kind for kind, names in expected.items() for name in names}
    assert all(family.documentation for family in found.values())
    for family in found.values():
        for sample in family.samples:
            for label, value in sample.labels.items():
                assert re.fullmatch(LABELS[label], value), (sample.name, label, value)
    told(found)
    assert {("queue", "nothing"), ("store", "repeats"), ("fetch", "imageUpload"), ("send", "nothing")} <= {
        *samples(found, "task_stage_duration_seconds")
    }


def told(found: dict[str, Metric]) -> None:
    """The counters say what was done."""
    assert samples(found, "duplicate_submits") == {("replayed",): 1, ("conflict",): 1}
    assert samples(found, "singleflight") == {("led",): 1, ("followed",): 1}
    assert samples(found, "retries") == {("process_crashed",): 1}
    assert samples(found, "worker_recycles")[("crashed",)] == 2
    assert samples(found, "images_rejected") == {("damaged",): 1}
    assert samples(found, "fetch_blocked") == {("address",): 1}
    assert samples(found, "fetch_bytes")[()] == len(base64.b64decode(PNG))
    assert samples(found, "webhook_attempts") == {("delivered",): 1, ("given_up",): 1}
    assert samples(found, "rate_limited")[("queue",)] >= 1
    assert samples(found, "auth_failures") == {("unknown",): 1}
    assert samples(found, "recoveries") == {("true",): 1}
    assert samples(found, "ws_opened") == {("other",): 2}
    assert samples(found, "ws_closed")[("1000",)] == 1
    assert sum(samples(found, "ws_closed").values()) == 2
    assert samples(found, "tasks_received")[("v3", "nothing")] == 1
    assert samples(found, "event_loop_lag_seconds")[()] > 1
    assert all(value > 2**20 for value in samples(found, "worker_rss_bytes").values())
    assert len(samples(found, "worker_rss_bytes")) == 2
    assert samples(found, "storage_bytes").keys() == {("images",), ("staged",)}
    assert samples(found, "storage_free_bytes")[()] > 0


async def test_tasks_in_progress(worked: Installation) -> None:
    """What workers have in hand is told by its type."""
    async with worked.client() as client:
        await client.send([new_task("sleeps", seconds=5) for _ in range(2)])
        async with asyncio.timeout(5):
            while samples(families(worked), "tasks_in_progress").get(("sleeps",)) != 2:
                await asyncio.sleep(0.1)


async def test_port_of_its_own(installation: Installation) -> None:
    """With TASKARRAY_METRICS_PORT, /metrics answers on that port alone, and nothing else does there."""
    port = free_port()
    settings = {"TASKARRAY_PREFIX": "shared", "TASKARRAY_METRICS_PORT": str(port)}
    gateway = Installation(installation.folder, installation.environment["REDIS_URL"], **settings)
    try:
        process = gateway.start("gateway")
        scraped = await request("GET", f"http://127.0.0.1:{port}/metrics")
        assert (scraped.status, b"taskarray_workers 2.0" in scraped.body) == (200, True)
        assert (await request("GET", f"{gateway.url}/metrics")).status == 404
        assert "/metrics" not in (await request("GET", gateway.url)).json["health"]
        for path in ("/", "/livez", "/v1"):
            assert (await request("GET", f"http://127.0.0.1:{port}{path}")).status == 404
        process.terminate()
        assert await asyncio.to_thread(process.wait, 20) == 0
    finally:
        gateway.stop()


async def test_version(installation: Installation) -> None:
    """What runs here is told, and whether it was ready once."""
    version = (await request("GET", f"{installation.url}/version")).json
    assert (version["name"], bool(version["version"]), "commit" in version) == ("taskarray", True, True)
    assert (await request("GET", f"{installation.url}/startupz")).json == {"status": "started"}
