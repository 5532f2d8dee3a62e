"""`taskarray doctor`: each part of a machine is looked at, and the verdict is the exit status."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from redis import Redis

from server.config import Config
from server.doctor import examine
from tests.redis import RedisCluster, start_redis
from tests.serving import taskarray

PARTS = ["Python", "Redis", "data folder", "blob store", "free disk", "image libraries", "one upload"]


def examined(text: str) -> dict[str, tuple[str, str]]:
    """What was said of each part: ok or FAIL, and the sentence."""
    found = re.findall(r"^(ok|FAIL)\s+([^:]+): (.*)$", text, re.M)
    return {part: (verdict, told) for verdict, part, told in found}


def test_fit(tmp_path):
    """On a machine that is fit every part is said to be ok, the last one after a real upload, and nothing stays."""
    told = taskarray("doctor", cwd=tmp_path)
    found = examined(told.stdout)
    assert (told.returncode, list(found)) == (0, PARTS), told.stdout
    assert {verdict for verdict, _ in found.values()} == {"ok"}
    assert "stored and downloaded" in found["one upload"][1]
    assert "libvips" in found["image libraries"][1]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_unfit(tmp_path):
    """Every part that is not fit is named with what is wrong; the others are looked at all the same."""
    (tmp_path / "data").write_text("a file")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text("")
    (tmp_path / "mine" / "broken.py").write_text("raise RuntimeError('broken task file')")
    told = taskarray(
        "doctor",
        cwd=tmp_path,
        REDIS_URL=f"unix://{tmp_path}/absent.sock",
        DATA="data",
        BLOBS=str(tmp_path / "images"),
        MIN_FREE_DISK="1000000GiB",
        TASKS="mine",
    )
    found = examined(told.stdout)
    assert (told.returncode, list(found)) == (1, PARTS), told.stdout
    failed = [part for part, (verdict, _) in found.items() if verdict == "FAIL"]
    assert failed == ["Redis", "data folder", "free disk", "one upload"]
    assert "TASKARRAY_MIN_FREE_DISK" in found["free disk"][1]
    assert "broken task file" in told.stdout
    assert "Traceback" not in told.stderr


@pytest.fixture
def redis(tmp_path: Path):
    found = start_redis(tmp_path / "redis")
    with Redis.from_url(found.url) as client:
        yield found.url, client
    found.stop()


def looked(url: str, **settings: str) -> tuple[str, str]:
    """What the doctor finds of a Redis: what is wrong, what it is."""
    for part, problem, told in examine(Config.read({"REDIS_URL": url} | settings)):
        if part == "Redis":
            return problem, told
    raise AssertionError("Redis was not looked at")


def test_redis(redis):
    """A Redis that evicts is unfit; one that keeps nothing on disk is only warned about."""
    url, client = redis
    problem, told = looked(url)
    assert not problem and "noeviction" in told and "appendonly" not in told
    client.config_set("appendonly", "no")
    problem, told = looked(url)
    assert not problem and "without appendonly" in told
    client.config_set("maxmemory-policy", "allkeys-lru")
    problem, told = looked(url)
    assert "allkeys-lru" in problem and "noeviction" in problem


def test_redis_cluster(tmp_path):
    """A Redis Cluster is looked at as well."""
    with RedisCluster(tmp_path / "cluster") as cluster:
        problem, told = looked(cluster.url, TASKARRAY_REDIS_CLUSTER="true")
    assert not problem and "version" in told
