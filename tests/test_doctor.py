"""`taskarray doctor`: each part of a machine is looked at, and the verdict is the exit status."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest
from redis import Redis

from server.commands.doctor import examine
from server.config import Config
from tests.redis import RedisCluster, start_redis
from tests.serving import taskarray

PARTS = [
    "Python", "processor", "memory", "open files", "port", "public URL", "Redis", "data folder", "blob store",
    "free disk", "image libraries", "models", "one upload", "one cut-out",
]  # fmt: skip
TRIED = 2
"""Of these, how many need a server that is started for them."""


def examined(text: str) -> dict[str, tuple[str, str]]:
    """What was said of each part: ok or FAIL, and the sentence."""
    found = re.findall(r"^(ok|FAIL)\s+([^:]+): (.*)$", text, re.M)
    return {part: (verdict, told) for verdict, part, told in found}


def test_fit(tmp_path):
    """On a machine that is fit every part is said to be ok, the last ones after a real upload and a real cut-out, and
    nothing stays."""
    told = taskarray("doctor", cwd=tmp_path, PORT="0", WORKERS="1")
    found = examined(told.stdout)
    assert (told.returncode, list(found)) == (0, PARTS), told.stdout
    assert {verdict for verdict, _ in found.values()} == {"ok"}
    assert "stored and downloaded" in found["one upload"][1]
    assert "by taskarray:" in found["one cut-out"][1]
    assert "libvips" in found["image libraries"][1]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_unfit(tmp_path):
    """Every part that is not fit is named with what is wrong; the others are looked at all the same."""
    (tmp_path / "data").write_text("a file")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text("")
    (tmp_path / "mine" / "broken.py").write_text("raise RuntimeError('broken task file')")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "u2net.onnx").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    listening = socket.create_server(("127.0.0.1", 0))
    told = taskarray(
        "doctor",
        cwd=tmp_path,
        PORT=str(listening.getsockname()[1]),
        WORKERS="512",
        PUBLIC_URL="images.example",
        MODELS_DIR=str(tmp_path / "models"),
        REDIS_URL=f"unix://{tmp_path}/absent.sock",
        DATA="data",
        BLOBS=str(tmp_path / "images"),
        MIN_FREE_DISK="1000000GiB",
        TASKS="mine",
    )
    found = examined(told.stdout)
    assert (told.returncode, list(found)) == (1, PARTS), told.stdout
    failed = [part for part, (verdict, _) in found.items() if verdict == "FAIL"]
    listening.close()
    assert failed == [
        "memory", "port", "public URL", "Redis", "data folder", "free disk", "models", "one upload", "one cut-out"
    ]  # fmt: skip
    for part, word in {
        "memory": "TASKARRAY_WORKERS=",
        "port": "PORT",
        "public URL": "https://",
        "models": "LFS",
    }.items():
        assert word in found[part][1]
    assert "TASKARRAY_MIN_FREE_DISK" in found["free disk"][1]
    assert "broken task file" in told.stdout
    assert "Traceback" not in told.stderr


def test_quick(tmp_path):
    """Quickly, no server is started to be tried; --json prints the same for programs."""
    told = taskarray("doctor", "--quick", "--json", cwd=tmp_path, PORT="0", WORKERS="1")
    found = json.loads(told.stdout)
    assert [one["part"] for one in found] == PARTS[:-TRIED]
    assert all(one["ok"] and one["told"] for one in found) and told.returncode == 0


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
