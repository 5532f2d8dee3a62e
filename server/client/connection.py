"""One socket to a server, which comes back by itself: whatever becomes of gateways, every task gets its answer.

What is not answered is sent again on the next socket, under the same taskUUIDs: the server knows what it has, and
does nothing twice.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self
from uuid import uuid4

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from server.client.failures import Failed, Lost
from server.client.parcels import Parcel
from server.client.place import Place

_PATIENCE_SECONDS = 300.0
_PAUSE_SECONDS, _LONGEST_PAUSE = 0.2, 3.0
_STEADY_SECONDS = 5.0
_FRUITLESS = 20
"""Sockets in a row, each dead at once, after which there is no use in another."""
_ENTER_SECONDS, _CANCEL_SECONDS = 20.0, 5.0
_MOST_TARGETS = 1000
_TOO_BIG = 1009
_GONE = (OSError, TimeoutError, ConnectionClosed, InvalidHandshake)

Task = dict[str, Any]
Frame = dict[str, Any]
Event = dict[str, Any]


@dataclass
class _Message:
    """Tasks that go out together, with the files of their uploads."""

    tasks: list[Task]
    parcels: dict[str, Parcel]
    sent: bool = False


class Client:
    """The socket. `heard` is told of every event of a task."""

    def __init__(
        self, place: Place, heard: Callable[[Event], None] = lambda event: None, patience: float = _PATIENCE_SECONDS
    ) -> None:
        self.place = place
        self.heard = heard
        self.patience = patience
        self._session = ""
        self._open: dict[str, asyncio.Future[Frame]] = {}
        self._messages: list[_Message] = []
        self._missing: list[tuple[_Message, Parcel, list[int]]] = []
        self._ring = asyncio.Event()
        self._living: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Raises Lost where no server answers, or it does not take the key."""
        try:
            socket = await self._entered()
        except _GONE as failure:
            raise Lost(_sentence(self.place, failure)) from failure
        self._living = asyncio.create_task(self._live(socket))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._living:
            self._living.cancel()
            with suppress(asyncio.CancelledError):
                await self._living

    def send(self, tasks: Sequence[Task], parcels: Iterable[Parcel] = ()) -> list[asyncio.Future[Frame]]:
        """Have tasks done, in one array; the frames that will answer them. They fail with Lost or Failed. `parcels` are
        the files of those tasks that upload them."""
        found = [asyncio.get_running_loop().create_future() for _ in tasks]
        self._open |= {_uuid(task): future for task, future in zip(tasks, found, strict=True)}
        self._messages.append(_Message(list(tasks), {parcel.uuid: parcel for parcel in parcels}))
        self._ring.set()
        if self._living is None or self._living.done():
            self._lose(Lost("The connection to the server is closed."))
        return found

    async def cancel(self, uuids: Iterable[str]) -> None:
        """Cancel those of these tasks that are open, and wait a moment until the server says that they are."""
        targets = [uuid for uuid in uuids if uuid in self._open]
        futures = [self._open[uuid] for uuid in targets]
        for start in range(0, len(targets), _MOST_TARGETS):
            some = targets[start : start + _MOST_TARGETS]
            self.send([{"taskType": "taskCancel", "taskUUID": str(uuid4()), "targets": some}])
        if futures:
            await asyncio.wait(futures, timeout=_CANCEL_SECONDS)

    async def _live(self, socket: ClientConnection) -> None:
        """Take what comes, and connect again for as long as something is open."""
        fruitless = 0
        try:
            while True:
                began = time.monotonic()
                await self._converse(socket)
                fruitless = 0 if time.monotonic() - began > _STEADY_SECONDS else fruitless + 1
                if fruitless > _FRUITLESS:
                    raise Lost(f"The server at {self.place.url} hangs up again and again.")
                while not self._open:
                    self._ring.clear()
                    await self._ring.wait()
                socket = await self._again(fruitless)
        except Lost as lost:
            self._lose(lost)
        except (KeyError, TypeError, ValueError) as strange:
            self._lose(Lost(f"What {self.place.url} says cannot be understood: {strange!r}."))

    async def _again(self, tries: int) -> ClientConnection:
        """The next socket, as soon as there is a server again."""
        end = time.monotonic() + self.patience
        while True:
            await asyncio.sleep(min(_LONGEST_PAUSE, _PAUSE_SECONDS * 2**tries) * random.uniform(0.5, 1))
            tries += 1
            try:
                return await self._entered()
            except _GONE as failure:
                if time.monotonic() > end:
                    raise Lost(_sentence(self.place, failure)) from failure

    async def _entered(self) -> ClientConnection:
        """A socket that has authenticated. Raises Lost where the key is not accepted, and what is in `_GONE`."""
        try:
            socket = await connect(
                self.place.socket, max_size=None, compression=None, open_timeout=_ENTER_SECONDS, proxy=None
            )
        except InvalidURI as unreadable:
            raise Lost(f"{self.place.url} is no address of a server.") from unreadable
        asked = {"taskType": "authentication", "apiKey": self.place.key, "features": ["binary", "events", "graph"]}
        try:
            await socket.send(
                orjson.dumps([asked | ({"connectionSessionUUID": self._session} if self._session else {})])
            )
            async with asyncio.timeout(_ENTER_SECONDS):
                answer = orjson.loads(await socket.recv())
        except BaseException:
            await socket.close()
            raise
        if "data" in answer:
            self._session = answer["data"][0]["connectionSessionUUID"]
            return socket
        await socket.close()
        refusal = answer["errors"][0]
        if refusal["code"] == "invalidApiKey":
            raise Lost(f"{refusal['message']} Say --key or TASKARRAY_KEY.")
        raise OSError(refusal["message"])

    async def _converse(self, socket: ClientConnection) -> None:
        """One socket's life."""
        for message in self._messages:
            message.sent = False
        sender = asyncio.create_task(self._send(socket))
        try:
            async with socket:
                async for message in socket:
                    if isinstance(message, str):
                        self._take(orjson.loads(message))
        except _GONE:
            pass
        finally:
            sender.cancel()
            with suppress(asyncio.CancelledError, *_GONE):
                await sender
        if socket.close_code == _TOO_BIG:
            raise Lost("The array is larger than a message may be there (TASKARRAY_MAX_MESSAGE). Send it in parts.")

    async def _send(self, socket: ClientConnection) -> None:
        """Send what is to be sent, as it comes."""
        while True:
            self._ring.clear()
            for message in [message for message in self._messages if not message.sent]:
                message.sent = True
                tasks = [task for task in message.tasks if _uuid(task) in self._open]
                if tasks:
                    await socket.send(orjson.dumps(tasks), text=True)
                for parcel in message.parcels.values():
                    await self._bring(socket, message, parcel, range(parcel.frames))
            missing, self._missing = self._missing, []
            for message, parcel, frames in missing:
                await self._bring(socket, message, parcel, frames)
            await self._ring.wait()

    async def _bring(self, socket: ClientConnection, message: _Message, parcel: Parcel, frames: Iterable[int]) -> None:
        for index in frames:
            if parcel.uuid not in self._open:
                return
            try:
                frame = await asyncio.to_thread(parcel.frame, index)
            except Failed as unread:
                self._fail([_uuid(task) for task in message.tasks], unread)
                return
            await socket.send(frame)

    def _take(self, frame: Frame) -> None:
        """Raises Lost where a message of ours could not be read."""
        for event in frame.get("events", ()):
            if event["type"] == "upload.missing":
                self._remind(event)
            elif event["type"] == "task":
                self.heard(event)
        for told in (frame.get("data") or frame.get("errors") or [])[:1]:
            if "taskUUID" not in told:
                raise Lost(told.get("message", "The server does not say what it answers."))
            if future := self._open.pop(_uuid(told), None):
                future.set_result(frame)
                self._tidy()

    def _remind(self, event: Event) -> None:
        for message in self._messages:
            if message.sent and (parcel := message.parcels.get(event["taskUUID"])):
                self._missing.append((message, parcel, event["frames"]))
                self._ring.set()

    def _fail(self, uuids: Iterable[str], failure: Failed | Lost) -> None:
        for uuid in uuids:
            if (future := self._open.pop(uuid, None)) and not future.done():
                future.set_exception(failure)
                future.exception()  # perhaps nobody asks, and that is no bug
        self._tidy()

    def _lose(self, lost: Lost) -> None:
        self._fail(list(self._open), lost)

    def _tidy(self) -> None:
        """Forget the messages of which everything is answered."""
        self._messages = [one for one in self._messages if any(_uuid(task) in self._open for task in one.tasks)]


def _uuid(task: Task) -> str:
    return str(task["taskUUID"]).lower()


def _sentence(place: Place, failure: Exception) -> str:
    """Why there is no server."""
    if isinstance(failure, InvalidStatus):
        return f"{place.url} answers with HTTP {failure.response.status_code}, and not as a taskarray server does."
    reason = getattr(failure, "strerror", None) or str(failure) or type(failure).__name__
    return f"No server answers at {place.url}: {reason}."
