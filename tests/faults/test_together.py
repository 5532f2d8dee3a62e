"""Everything at once over two gateways and three workers, while one of each dies: uploads in binary frames, graphs,
the same work asked for twice, silent steps, batches, deadlines."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from PIL import Image

from tests.client import Client, new_task, request
from tests.faults.ledger import coming_back
from tests.harness import Installation

_ROUNDS = 8


class Round:
    """One picture, and all that is asked about it."""

    def __init__(self, number: int) -> None:
        file, batch = io.BytesIO(), str(uuid4())
        Image.new("RGB", (300, 200), (number * 20, 90, 200)).save(file, "PNG")
        self.file = file.getvalue()
        half = len(self.file) // 2
        self.frames = [self.file[:half], self.file[half:]]
        self.upload = new_task("imageUpload", binary={"frames": 2, "bytes": len(self.file)})
        small = {"operations": [{"operation": "resize", "width": 100}], "outputFormat": "PNG", "batchUUID": batch}
        self.twins = [new_task("imageTransform", inputImage=self.upload["taskUUID"], **small) for _ in range(2)]
        self.silent = new_task("sleeps", seconds=0.05, returnOutput=False, dependsOn=[self.twins[0]["taskUUID"]])
        self.last = new_task("nothing", dependsOn=[self.silent["taskUUID"]], priority=number - 4, batchUUID=batch)
        self.late = new_task("sleeps", seconds=6, deadlineMs=400, batchUUID=batch)
        self.batch = new_task("batch", of=batch)
        self.tasks = [self.upload, *self.twins, self.silent, self.last, self.late, self.batch]

    @property
    def answered(self) -> set[str]:
        """Those that must have an answer: the silent one has none."""
        return {task["taskUUID"] for task in self.tasks} - {self.silent["taskUUID"]}


class Persistent:
    """A client that comes back to whatever gateway there is, with its session, and sends all again that is open."""

    def __init__(self, server: Installation) -> None:
        self.server = server
        self.rounds = [Round(number) for number in range(_ROUNDS)]
        self.answers: dict[str, set[str]] = {}

    @property
    def open(self) -> list[Round]:
        return [one for one in self.rounds if not one.answered <= self.answers.keys()]

    async def run(self) -> None:
        async with asyncio.timeout(60):
            await coming_back(
                lambda: self.server.client(query="?features=binary,events"), lambda: self.open, self._converse
            )

    async def _converse(self, client: Client) -> None:
        for one in self.open:
            await client.send(one.tasks)
            head = UUID(one.upload["taskUUID"]).bytes
            for index in (1, 0):
                await client.send(head + index.to_bytes(4) + one.frames[index])
        while self.open:
            self._take(await client.next())

    def _take(self, frame: dict[str, Any]) -> None:
        for item in (*frame.get("data", ()), *frame.get("errors", ())):
            if item.get("code") not in ("serviceUnavailable", "taskNotFound"):  # of a frame after its upload's end
                told = {name: value for name, value in item.items() if name != "cached"}
                self.answers.setdefault(item["taskUUID"], set()).add(json.dumps(told, sort_keys=True))

    def item(self, task: dict[str, Any]) -> dict[str, Any]:
        """The one thing that was ever said of a task."""
        (answer,) = self.answers[task["taskUUID"]]
        return json.loads(answer)


@pytest.mark.settings(LEASE="1s", ATTEMPTS="4")
async def test_together(server):
    """Every task ends once and right; the same work has one picture under two UUIDs, a silent step says nothing."""
    server.start_all(gateways=2, workers=3)
    clients = [Persistent(server) for _ in range(2)]
    running = asyncio.gather(*(client.run() for client in clients))
    while sum(len(client.answers) for client in clients) < 12 and not running.done():
        await asyncio.sleep(0.01)
    gateway = next(process for process, port in server.processes.items() if port)
    worker = next(process for process, port in server.processes.items() if not port)
    for part in (gateway, worker):
        assert not running.done()
        server.kill(part)
    await running
    for client in clients:
        for one in client.rounds:
            assert one.silent["taskUUID"] not in client.answers
            assert client.item(one.last)["text"] == "done"
            assert client.item(one.late)["code"] == "deadlineExceeded"
            told = client.item(one.batch)
            assert (told["total"], told["succeeded"], told["failed"]) == (4, 3, 1)
            first, second = (client.item(twin) for twin in one.twins)
            assert first["imageUUID"] != second["imageUUID"]
            pictures = [await _picture(item["imageURL"], server) for item in (first, second)]
            assert pictures[0] == pictures[1]


async def _picture(url: str, server: Installation) -> bytes:
    """A result's file, from the gateway that is left."""
    reply = await request("GET", server.url + url[url.index("/im/") :])
    assert reply.status == 200
    return reply.body
