"""Real Redis servers for tests: the embedded one on a fresh folder, and a cluster of three masters."""

from __future__ import annotations

import random
import socket
import subprocess
import time
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path
from typing import Self

from redis import Redis
from redis.exceptions import RedisError

from server.embedded import Embedded, find_binary
from server.lifeline import reap, spawn

_SLOTS = 16384
_BUS = 10_000
"""The nodes of a cluster talk to each other on their port plus this."""


def start_redis(folder: Path) -> Embedded:
    """A running embedded Redis; its address is `url`. Whoever starts it calls `stop`."""
    embedded = Embedded(folder)
    embedded.start()
    return embedded


class RedisCluster:
    """A Redis Cluster of masters on loopback ports, empty and without files of append; `url` names one node."""

    def __init__(self, folder: Path, masters: int = 3) -> None:
        self.folder = folder
        self.ports = _free_ports(masters)
        self.url = f"redis://127.0.0.1:{self.ports[0]}"
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            binary = find_binary()
            for port in self.ports:
                self._processes.append(self._start(binary, port))
            self._join()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End every node."""
        for process in self._processes:
            process.terminate()
        while self._processes:
            reap(self._processes.pop())

    def kill(self, port: int) -> None:
        """End a node at once; what it held is gone."""
        process = self._processes[self.ports.index(port)]
        process.kill()
        process.wait()

    def restart(self, port: int) -> None:
        """Start a killed node again, empty, in its old place."""
        self._processes[self.ports.index(port)] = self._start(find_binary(), port)

    def _start(self, binary: Path, port: int) -> subprocess.Popen[bytes]:
        folder = self.folder / str(port)
        folder.mkdir(parents=True, exist_ok=True)
        options = f"--port {port} --bind 127.0.0.1 --cluster-enabled yes --cluster-node-timeout 5000 --appendonly no"
        with (folder / "redis.log").open("ab") as log:
            return spawn([str(binary), *options.split(), "--dir", str(folder), "--save", ""], log)

    def _join(self) -> None:
        """Give each node its share of the slots, introduce them to each other, wait until all agree."""
        edges = [_SLOTS * index // len(self.ports) for index in range(len(self.ports) + 1)]
        with ExitStack() as stack:
            nodes = [stack.enter_context(closing(Redis(port=port))) for port in self.ports]
            for epoch, (node, share) in enumerate(zip(nodes, pairwise(edges), strict=True), start=1):
                _until(lambda node=node: node.ping())
                node.execute_command("CLUSTER SET-CONFIG-EPOCH", epoch)
                node.execute_command("CLUSTER ADDSLOTS", *range(*share))
            for node in nodes:
                for port in self.ports:
                    node.execute_command("CLUSTER MEET", "127.0.0.1", port)
            for node in nodes:
                _until(lambda node=node: self._agrees(node))

    def _agrees(self, node: Redis) -> bool:
        told = node.execute_command("CLUSTER INFO")
        return told["cluster_state"] == "ok" and told["cluster_size"] == str(len(self.ports))


def _until(holds, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
        except RedisError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError("the Redis cluster did not form")
        time.sleep(0.02)


def _free_ports(count: int) -> list[int]:
    """Ports that are free, and whose port for the cluster's own talk is free as well."""
    found = set[int]()
    while len(found) < count:
        port = random.randrange(20_000, 50_000)
        try:
            for wanted in (port, port + _BUS):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", wanted))
        except OSError:
            continue
        found.add(port)
    return sorted(found)
