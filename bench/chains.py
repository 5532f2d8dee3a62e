"""Chains of tasks over one socket: as one graph in one message, or step by step."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import uuid4

import orjson
import uvloop

from bench.client import Message, Socket

_SILENT_SECONDS = 120
Step = dict[str, Any]


def steps(picture: str) -> list[Step]:
    """Upload, cut-out and upscale, each naming the one before by its taskUUID."""
    first, second, third = (str(uuid4()) for _ in range(3))
    common = {"cache": "off"}
    return [
        {"taskType": "imageUpload", "taskUUID": first, "image": picture} | common,
        {"taskType": "removeBackground", "taskUUID": second, "inputImage": first} | common,
        {"taskType": "upscale", "taskUUID": third, "inputImage": second, "upscaleFactor": 2} | common,
    ]


class _Chains:
    """One socket, and the answers that have come."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        socket.heard = lambda body: self._answers.put_nowait(orjson.loads(body))

    async def graph(self, picture: str) -> None:
        """All steps in one message; done when the last one is answered."""
        await self._send(steps(picture), 3)

    async def trips(self, picture: str) -> None:
        """A message a step: each names the image that the one before has made."""
        upload, cut, upscale = steps(picture)
        cut["inputImage"] = (await self._send([upload], 1))["imageUUID"]
        upscale["inputImage"] = (await self._send([cut], 1))["imageUUID"]
        await self._send([upscale], 1)

    async def _send(self, tasks: list[Step], answers: int) -> dict[str, Any]:
        self.socket.send(Message(orjson.dumps(tasks)).frame(iter(())))
        item = dict[str, Any]()
        for _ in range(answers):
            frame = await asyncio.wait_for(self._answers.get(), _SILENT_SECONDS)
            if "errors" in frame:
                raise RuntimeError(f"the server refused a task: {frame['errors']}")
            (item,) = frame["data"]
        return item


async def _chains(url: str, key: str, picture: str, way: str, count: int) -> list[float]:
    socket, found = await Socket.connect(url, key), list[float]()
    chains = _Chains(socket)
    for _ in range(count):
        start = time.perf_counter()
        await (chains.graph(picture) if way == "graph" else chains.trips(picture))
        found.append(time.perf_counter() - start)
    socket.close()
    return found


def chains(url: str, key: str, picture: str, way: str, count: int) -> list[float]:
    """Seconds of each chain, one after the other: `graph` in one message, `trips` in three."""
    return uvloop.run(_chains(url, key, picture, way, count))
