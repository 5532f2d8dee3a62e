"""A server as an operator runs it: real processes of each part over a real Redis, told by environment only."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import IO

import psutil

from tests.client import Client

KEY = "test-key"
OTHER_KEY = "other-key"
DASH_KEY = "dash-key"
"""It may look at the board, and not run tasks."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Installation:
    """Parts that share one Redis and one folder of blobs. `settings` are added to each part's environment."""

    def __init__(self, folder: Path, redis_url: str, **settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.log_path = folder / "log"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("TASKARRAY_")}
        self.environment |= {
            "REDIS_URL": redis_url,
            "TASKARRAY_DATA": str(folder),
            "TASKARRAY_API_KEYS": f"tester:{KEY},other:{OTHER_KEY}",
            "TASKARRAY_DASH_KEYS": f"operator:{DASH_KEY}",
            "TASKARRAY_TASKS": "tests.misbehaving",
            "TASKARRAY_FETCH_ALLOW": "127.0.0.0/8",
            "TASKARRAY_LEASE": "2s",
            "TASKARRAY_MIN_FREE_DISK": "0",
        } | settings
        self.processes: dict[subprocess.Popen[bytes], int] = {}
        self._log: IO[bytes] = self.log_path.open("ab")

    def start(self, part: str, *, port: int = 0) -> subprocess.Popen[bytes]:
        """Start a part (`gateway`, `worker`, `sweep`); a gateway is waited for until it answers."""
        port = port or (free_port() if part == "gateway" else 0)
        process = subprocess.Popen(
            [sys.executable, "-m", "server", part],
            env=self.environment | {"PORT": str(port)},
            cwd=Path(__file__).parent.parent,
            stdout=self._log,
            stderr=self._log,
        )
        self.processes[process] = port
        if part == "gateway":
            wait_for(lambda: _answers(f"http://127.0.0.1:{port}/livez"), 30)
        return process

    def start_all(self, *, gateways: int = 1, workers: int = 2, sweepers: int = 1) -> None:
        """Start an ordinary set-up and wait until it is ready."""
        for _ in range(workers):
            self.start("worker")
        for _ in range(sweepers):
            self.start("sweep")
        for _ in range(gateways):
            self.start("gateway")
        self.wait_ready(workers)

    def wait_ready(self, workers: int = 1) -> None:
        """Wait until the gateway finds everything it needs, and that many workers."""
        wait_for(lambda: f"taskarray_workers {workers}.0" in self.get("/metrics") and self.get("/readyz"), 60)

    def wait_workers(self, workers: int) -> None:
        """Wait until that many workers have reported."""
        wait_for(lambda: f"taskarray_workers {workers}.0" in self.get("/metrics"), 60)

    @property
    def ports(self) -> list[int]:
        """The ports of the gateways that run, oldest first."""
        return [port for process, port in self.processes.items() if port and process.poll() is None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.ports[0]}/v1"

    def get(self, path: str) -> str:
        """The body of a GET at the first gateway; empty when it fails."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return answer.read().decode()
        except (OSError, IndexError):
            return ""

    def client(self, gateway: int = 0, *, key: str = KEY, query: str = "") -> Client:
        """A small honest client of one of the gateways."""
        return Client(f"ws://127.0.0.1:{self.ports[gateway]}/v1{query}", key)

    def kill(self, process: subprocess.Popen[bytes], number: int = signal.SIGKILL) -> None:
        """Send a signal; after SIGKILL, wait for the end."""
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait()

    def children(self, process: subprocess.Popen[bytes]) -> list[psutil.Process]:
        """The processes that a part has started: a worker's task process."""
        return psutil.Process(process.pid).children(recursive=True)

    def log(self) -> str:
        """Everything that all parts have printed."""
        return self.log_path.read_text(errors="replace")

    def stop(self) -> None:
        """End all parts; stopped (SIGSTOP) ones too."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
        for process in self.processes:
            process.wait()
        self._log.close()


def wait_for(holds, seconds: float = 10, what: str = "") -> None:
    """Wait until a condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(what or f"not within {seconds} s")
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False
