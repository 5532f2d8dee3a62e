"""The book of a run: every task that was sent, and everything that came for it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sized
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import websockets

from tests.client import Client, new_task
from tests.harness import Installation

Task = dict[str, Any]


async def coming_back(
    dial: Callable[[], Client], unfinished: Callable[[], Sized], converse: Callable[[Client], Awaitable[None]]
) -> None:
    """Be a client that connects again after every cut, with its session, as long as something is unfinished."""
    session = ""
    while unfinished():
        with suppress(OSError, IndexError, websockets.WebSocketException):
            client = dial()
            try:
                await client.connect(session)
                session = client.session
                await converse(client)
            finally:
                if hasattr(client, "socket"):
                    await client.close()
        await asyncio.sleep(0.05)


class Ledger:
    """Tasks by their taskUUID, with their terminal answers as they came. A serviceUnavailable is no answer."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}
        self.answers: dict[str, list[str]] = {}
        self.refused = Counter[str]()

    def new(self, count: int, task_type: str = "nothing", **members: Any) -> list[Task]:
        """Fresh tasks, entered."""
        tasks = [new_task(task_type, **members) for _ in range(count)]
        self.tasks |= {task["taskUUID"]: task for task in tasks}
        return tasks

    @property
    def open(self) -> list[Task]:
        """The tasks without an answer."""
        return [task for uuid, task in self.tasks.items() if uuid not in self.answers]

    def take(self, frame: dict[str, Any]) -> None:
        """Enter a frame."""
        uuid, text = _read(frame)
        if "serviceUnavailable" in text:
            self.refused[uuid] += 1
        elif uuid in self.tasks:
            self.answers.setdefault(uuid, []).append(text)

    async def follow(self, client: Client, seconds: float = 30) -> None:
        """Take what comes on a socket until every task is answered."""
        async with asyncio.timeout(seconds):
            while self.open:
                self.take(await client.next(seconds))

    async def persist(self, server: Installation, seconds: float = 60) -> None:
        """Be a client that comes back to any gateway, sending again what was not answered."""
        async with asyncio.timeout(seconds):
            await coming_back(lambda: server.client(len(server.ports) - 1), lambda: self.open, self._converse)

    async def _converse(self, client: Client) -> None:
        """Send one open task after the other, ten ahead of their answers."""
        ahead = list[Task]()
        for task in self.open:
            await client.send([task])
            ahead.append(task)
            while len(ahead) >= 10:
                self.take(await client.next())
                ahead = [one for one in ahead if one["taskUUID"] not in self.answers]
        while self.open:
            before = self.refused.total()
            self.take(await client.next())
            if self.refused.total() > before:
                await asyncio.sleep(0.2)
                await client.send(self.open[:1])

    async def check(self, client: Client, *codes: str) -> None:
        """Every task has exactly one terminal answer, the same bytes on re-ask and on re-send; errors are `codes`."""
        assert not self.open
        for uuid, answers in self.answers.items():
            assert len(set(answers)) == 1, answers
            (answer,) = set(answers)
            if '"code"' in answer:
                assert any(f'"code": "{code}"' in answer for code in codes), answer
            for question in ({"taskType": "getResponse", "taskUUID": uuid}, self.tasks[uuid]):
                await client.send([question])
                assert _read(await client.answer(uuid)) == (uuid, answer)


def _read(frame: dict[str, Any]) -> tuple[str, str]:
    """The task of a frame, and what the frame says of it, in one spelling for all ways of asking."""
    items = frame.get("data") or frame.get("errors") or []
    told = [{name: value for name, value in item.items() if name != "status"} for item in items]
    return told[0].get("taskUUID", ""), json.dumps(told, sort_keys=True)


def runs(server: Installation, event: str = "task_finished") -> Counter[str]:
    """How often each task came to that event in some worker, by the log."""
    return Counter(line["task_uuid"] for line in logged(server, event) if line["process"] != "sweep")


def logged(server: Installation, event: str) -> list[dict[str, Any]]:
    """The log lines of an event."""
    lines = [json.loads(line) for line in server.log().splitlines() if event in line and line.startswith("{")]
    return [line for line in lines if line["event"] == event]


async def started(marker: Path, times: int = 1) -> list[int]:
    """Wait until a task has noted its start so often; the task processes."""
    async with asyncio.timeout(30):
        while not marker.exists() or marker.read_text().count("\n") < times:
            await asyncio.sleep(0.02)
    return [int(line) for line in marker.read_text().split()]


def worker_of(server: Installation, pid: int):
    """The worker that a task process belongs to."""
    parent = psutil.Process(pid).ppid()
    return next(process for process in server.processes if process.pid == parent)


def files(folder: Path) -> Iterable[Path]:
    """The files below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]
