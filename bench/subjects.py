"""The servers that are measured: ours as an operator starts it, and the one written by hand for Node."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.pictures import cache
from bench.report import node
from server.embedded import Embedded

KEY = "bench-key-0123456789"
_ROOT = Path(__file__).parents[1]
_PEER = Path(__file__).parent / "peer"
_START_SECONDS = 60
_SETTLE_SECONDS = 0.3


class Subject:
    """A running server: its address, what its processes have used, and what they hold."""

    def __init__(self, url: str, *roots: int) -> None:
        self.url = url
        self._roots = [psutil.Process(root) for root in roots]

    def processes(self) -> dict[str, list[psutil.Process]]:
        """All processes of the server, by what they do."""
        found = dict[str, list[psutil.Process]]()
        for root in self._roots:
            for process in (root, *root.children(recursive=True)):
                try:
                    found.setdefault(_role(process.cmdline()), []).append(process)
                except psutil.NoSuchProcess:
                    continue
        return found

    def cpu(self) -> float:
        """CPU-seconds that all processes together have used, those that ended included."""
        time.sleep(_SETTLE_SECONDS)
        used = 0.0
        for processes in self.processes().values():
            for process in processes:
                try:
                    times = process.cpu_times()
                except psutil.NoSuchProcess:
                    continue
                used += times.user + times.system + times.children_user + times.children_system
        return used

    def resident(self, *roles: str) -> float:
        """Bytes of memory that the processes of these roles hold."""
        found = self.processes()
        return sum(process.memory_info().rss for role in roles for process in found.get(role, ()))


def _role(command: list[str]) -> str:
    line = " ".join(command)
    for words, role in (
        ("server.child", "task"), ("-m server gateway", "gateway"), ("-m server worker", "worker"),
        ("-m server sweep", "sweeper"), ("-m server serve", "serve"), ("server.mjs", "node"),
    ):  # fmt: skip
        if words in line:
            return role
    return "redis" if "redis" in line or "valkey" in line else "other"


@contextmanager
def ours(**settings: str) -> Iterator[Subject]:
    """`taskarray serve` in an empty folder; settings are added to its environment."""
    with tempfile.TemporaryDirectory(prefix="bench-ours-") as name, (Path(name) / "log").open("wb") as log:
        port = free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TASKARRAY_")}
        environment.pop("REDIS_URL", None)
        environment |= {
            "PORT": str(port), "PYTHONPATH": str(_ROOT), "TASKARRAY_API_KEYS": f"bench:{KEY}",
            "TASKARRAY_DATA": str(Path(name) / "data"), "TASKARRAY_TASKS": "tests.misbehaving",
        } | settings  # fmt: skip
        command = [sys.executable, "-m", "server", "serve"]
        process = subprocess.Popen(command, cwd=name, env=environment, stdout=log, stderr=log)
        try:
            workers = int(environment.get("TASKARRAY_WORKERS", 0)) or os.cpu_count() or 1
            ready = f"taskarray_workers {workers}.0"
            _wait(lambda: ready in _get(f"http://127.0.0.1:{port}/metrics"), process, Path(name) / "log")
            yield Subject(f"ws://127.0.0.1:{port}/v1", process.pid)
        finally:
            _end(process)


@contextmanager
def peer() -> Iterator[Subject]:
    """The Node server with a process a core, over a Redis of its own with the options of ours."""
    home = _installed_peer()
    with tempfile.TemporaryDirectory(prefix="bench-peer-") as name, Embedded(Path(name) / "redis") as redis:
        port = free_port()
        environment = os.environ | {
            "PORT": str(port), "REDIS_SOCKET": redis.url.removeprefix("unix://"), "DATA": str(Path(name) / "images"),
            "API_KEY": KEY, "PROCESSES": str(os.cpu_count() or 1), "NODE_ENV": "production",
        }  # fmt: skip
        log = Path(name) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(["node", "server.mjs"], cwd=home, env=environment, stdout=output, stderr=output)
            try:
                _wait(lambda: "ready" in log.read_text(), process, log)
                yield Subject(f"ws://127.0.0.1:{port}/v1", process.pid, *filter(None, [redis.pid]))
            finally:
                _end(process)


def _installed_peer() -> Path:
    """The peer's folder with its packages, installed in the cache the first time."""
    if not node():
        raise RuntimeError("The peer needs node and npm on the PATH; --no-peer leaves it out.")
    packages = _PEER / "package.json"
    home = cache() / f"peer-{hashlib.sha256(packages.read_bytes()).hexdigest()[:12]}"
    home.mkdir(exist_ok=True)
    shutil.copy(packages, home)
    shutil.copy(_PEER / "server.mjs", home)
    if not (home / "installed").exists():
        command = ["npm", "install", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=home, check=True, stdout=subprocess.DEVNULL)
        (home / "installed").touch()
    return home


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()
    except OSError:
        return ""


def _wait(holds, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while not holds():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{process.args} did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
