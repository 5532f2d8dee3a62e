"""Graphs of tasks while gateways and workers die: every task ends exactly once, as a plain oracle says."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.client import Client, new_task
from tests.faults.ledger import Ledger, Task
from tests.server.play import Drawn

_BYTES = 70
"""Of each image that `notes` makes."""
_AHEAD = 20


class Graphs(Ledger):
    """A book of graphs, each sent as one array: again after a cut, with those of its tasks that are unanswered."""

    def __init__(self, book: Path, drawn: list[Drawn], chance: random.Random) -> None:
        super().__init__()
        self.graphs = drawn
        self.cancelled: dict[str, str] = {}
        for graph in drawn:
            tasks = [self._task(book, graph, uuid) for uuid in graph.parents]
            self.tasks |= {task["taskUUID"]: task for task in chance.sample(tasks, len(tasks))}

    def _task(self, book: Path, graph: Drawn, uuid: str) -> Task:
        parents = graph.parents[uuid]
        images = [f"{named.uuid}#1" if named.n else named.uuid for named in parents if named.n or named.bare]
        order = [named.uuid for named in parents if not (named.n or named.bare)]
        fails = graph.fate == "fails" and uuid == graph.victim
        task = new_task("notes", book=str(book), name=uuid, images=images, dependsOn=order, fails=fails, seconds=0.02)
        return task | {"taskUUID": uuid}

    async def _converse(self, client: Client) -> None:
        """A few graphs at a time, each with the cancel of its victim if that is its fate."""
        waiting, sent = list(self.graphs), list[str]()
        while self.open:
            while waiting and sum(uuid not in self.answers for uuid in sent) < _AHEAD:
                graph = waiting.pop(0)
                sent += graph.parents
                if tasks := [task for task in self.open if task["taskUUID"] in graph.parents]:
                    await client.send(tasks)
                if graph.fate == "cancelled" and self.cancelled.get(graph.victim, "notFound") == "notFound":
                    await client.send([new_task("taskCancel", targets=[graph.victim])])
            self.take(await client.next())

    def take(self, frame: dict[str, Any]) -> None:
        for item in frame.get("data", ()):
            for result in item.get("results", ()):
                self.cancelled[result["taskUUID"]] = result["status"]
        super().take(frame)

    def check(self, book: list[str]) -> None:
        """Every task has exactly one end, the one that the oracle says; none began before all its parents' ends."""
        for graph in self.graphs:
            cancelled = graph.fate == "cancelled" and '"taskCancelled"' in self.answers[graph.victim][0]
            assert cancelled or self.cancelled.get(graph.victim) != "cancelled"
            for uuid, end in graph.expected(cancelled=cancelled).items():
                (answer,) = set(self.answers[uuid])
                (told,) = json.loads(answer)
                cause = told.get("cause")
                found = told.get("code", "succeeded") + (f" {cause['taskUUID']} {cause['code']}" if cause else "")
                assert found == end, answer
                self._check_run(book, graph, uuid, told)

    def _check_run(self, book: list[str], graph: Drawn, uuid: str, told: dict[str, Any]) -> None:
        if f"begin {uuid}" in book:
            before = book[: book.index(f"begin {uuid}")]
            assert all(f"end {parent.uuid}" in before for parent in graph.parents[uuid])
            assert "code" not in told or uuid == graph.victim
        else:
            assert told.get("code") in ("dependencyFailed", "taskCancelled")
        if "code" not in told:
            assert told["read"] == _BYTES * sum(bool(named.n or named.bare) for named in graph.parents[uuid])


@pytest.mark.settings(LEASE="1s", ATTEMPTS="5")
async def test_killed(server, tmp_path):
    """Two gateways and three workers carry random graphs while each of them is killed again and again: every task ends
    once, as the oracle says, after those it builds on."""
    chance, book = random.Random(11), tmp_path / "book"
    server.start_all(gateways=2, workers=3)
    books = [Graphs(book, [Drawn.new(chance, number) for number in range(16)], chance) for _ in range(5)]
    following = asyncio.gather(*(one.persist(server) for one in books))
    total = sum(len(one.tasks) for one in books)
    for part in range(1, 9):
        while sum(len(one.answers) for one in books) < total * part / 10 and not following.done():
            await asyncio.sleep(0.01)
        assert not following.done(), "it was over before all were killed"
        gateway = part in (3, 6)
        parts = [process for process, port in server.processes.items() if bool(port) == gateway]
        server.kill(next(process for process in parts if process.poll() is None))
        await asyncio.to_thread(server.start, "gateway" if gateway else "worker")
    await following
    for one in books:
        one.check(book.read_text().splitlines())
    await idle(server)


async def idle(server) -> None:
    """Nothing waits or runs."""
    async with asyncio.timeout(10):
        while "taskarray_queue_depth 0.0" not in await asyncio.to_thread(server.get, "/metrics"):
            await asyncio.sleep(0.05)
