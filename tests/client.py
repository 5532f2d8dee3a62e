"""A small honest client of the task array: connect, authenticate, ask, next frame, drop, resume. And HTTP."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import uuid4

import websockets

from server.schema import wire_name


def new_task(task_type: str, **members: Any) -> dict[str, Any]:
    """A task object with a fresh taskUUID; members in snake_case or in their wire spelling."""
    spelled = {wire_name(name) if "_" in name else name: value for name, value in members.items()}
    return {"taskType": task_type, "taskUUID": str(uuid4())} | spelled


class Client:
    """One socket. `frames` are those that came before they were asked for."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.key = key
        self.session = ""
        self.frames: list[dict[str, Any]] = []
        self.socket: websockets.ClientConnection

    async def open(self, **options: Any) -> Self:
        """Connect without authenticating. Options are those of the WebSocket library."""
        options = {"max_size": None, "compression": None, "ping_interval": None} | options
        self.socket = await websockets.connect(self.url, **options)
        return self

    async def connect(self, session: str = "", **options: Any) -> Self:
        """Connect and authenticate; with `session`, ask to resume it."""
        return await (await self.open(**options)).authenticate(session)

    async def authenticate(self, session: str = "") -> Self:
        """Send the key of this client, and be told its session."""
        asked = {"taskType": "authentication", "apiKey": self.key}
        await self.send([asked | ({"connectionSessionUUID": session} if session else {})])
        answer = await self.next()
        self.session = answer["data"][0]["connectionSessionUUID"]
        return self

    async def __aenter__(self) -> Self:
        return await self.connect()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def send(self, message: Any) -> None:
        """Send a message; a str or bytes goes as it is."""
        await self.socket.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def send_parts(self, parts: Iterable[str | bytes]) -> None:
        """Send one message in as many fragments as there are parts."""
        await self.socket.send(parts if not isinstance(parts, str) else list(parts))

    async def next(self, seconds: float = 20) -> dict[str, Any]:
        """The next frame."""
        async with asyncio.timeout(seconds):
            return json.loads(await self.socket.recv())

    async def ping(self, seconds: float = 20) -> None:
        """The socket lives, and nothing else was on its way: the very next frame is the pong."""
        uuid = str(uuid4())
        await self.send([{"taskType": "ping", "taskUUID": uuid, "ping": True}])
        assert await self.next(seconds) == {"data": [{"taskType": "ping", "taskUUID": uuid, "pong": True}]}

    async def quiet(self, seconds: float = 0.5) -> None:
        """Nothing comes for a while."""
        try:
            frame = await self.next(seconds)
        except TimeoutError:
            return
        raise AssertionError(f"unexpected frame {frame}")

    async def answer(self, uuid: str, seconds: float = 30) -> dict[str, Any]:
        """The next frame about a task, keeping frames about others for later."""
        for place, frame in enumerate(self.frames):
            if _uuid(frame) == uuid:
                return self.frames.pop(place)
        while _uuid(frame := await self.next(seconds)) != uuid:
            self.frames.append(frame)
        return frame

    async def ask(self, *tasks: dict[str, Any], within: float = 30) -> list[dict[str, Any]]:
        """Send tasks in one array; their frames in the same order."""
        await self.send(list(tasks))
        return await self.answers(*tasks, within=within)

    async def answers(self, *tasks: dict[str, Any], within: float = 30) -> list[dict[str, Any]]:
        """The frames about tasks that were sent before, in this order."""
        return [await self.answer(task["taskUUID"], within) for task in tasks]

    async def run(self, task_type: str, within: float = 30, **members: Any) -> dict[str, Any]:
        """Send one task; its one item. Fails on an error frame."""
        (frame,) = await self.ask(new_task(task_type, **members), within=within)
        assert "data" in frame, frame
        return frame["data"][0]

    async def fail(self, task_type: str, within: float = 30, **members: Any) -> dict[str, Any]:
        """Send one task that must fail; its first error."""
        (frame,) = await self.ask(new_task(task_type, **members), within=within)
        assert "errors" in frame, frame
        return frame["errors"][0]

    async def drop(self) -> None:
        """Cut the connection without a word, as a lost network does."""
        self.socket.transport.abort()
        await self.socket.wait_closed()

    async def close(self) -> None:
        await self.socket.close()

    async def closed(self, seconds: float = 10) -> tuple[int, str]:
        """Wait for the server to close; its code and reason. Frames that come before are kept."""
        try:
            while True:
                self.frames.append(await self.next(seconds))
        except websockets.ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")


def _uuid(frame: dict[str, Any]) -> str | None:
    items = frame.get("data") or frame.get("errors") or [{}]
    return (items[0] if isinstance(items, list) else items).get("taskUUID")


@dataclass(frozen=True)
class Reply:
    """The answer to an HTTP request; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def request(method: str, url: str, body: Any = None, **headers: str) -> Reply:
    """One HTTP request. Bytes go as they are, an iterable of bytes in chunks, all else as JSON; header names are
    written with underscores."""
    if (body is not None and not isinstance(body, bytes | Iterable)) or isinstance(body, list | dict | str):
        body = json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await asyncio.to_thread(_request, method, url, body, named)


def _request(method: str, url: str, body: Any, headers: dict[str, str]) -> Reply:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        path = parts._replace(scheme="", netloc="").geturl()
        connection.request(method, path, body, headers, encode_chunked=not isinstance(body, bytes | None))
        answer = connection.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()
