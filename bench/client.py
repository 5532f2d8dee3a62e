"""A WebSocket client that costs little, so that what is measured is the server.

Messages are masked once; only the task UUIDs change, and they are spliced in.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import orjson

SLOT = b"00000000-0000-4000-8000-000000000000"
"""Stands in a message where each task's UUID goes."""
_MASK = b"\x5a\x13\xc6\x27"
"""A mask of zeros would save some servers the work of unmasking."""
_PING, _CLOSE, _PONG = 9, 8, 10


def uuids() -> Iterator[bytes]:
    """Task UUIDs that nobody has used before."""
    while True:
        fresh = str(uuid4()).encode()[:24]
        yield from (b"%s%012x" % (fresh, number) for number in range(2**32))


def _masked(data: bytes, offset: int) -> bytes:
    key = _MASK[offset % 4 :] + _MASK[: offset % 4]
    mask = int.from_bytes((key * (len(data) // 4 + 1))[: len(data)])
    return (int.from_bytes(data) ^ mask).to_bytes(len(data))


def _head(opcode: int, size: int) -> bytes:
    first = 0x80 | opcode
    if size < 126:
        return struct.pack(">BB", first, 0x80 | size) + _MASK
    if size < 2**16:
        return struct.pack(">BBH", first, 0x80 | 126, size) + _MASK
    return struct.pack(">BBQ", first, 0x80 | 127, size) + _MASK


class Message:
    """A text message that is sent again and again, each time with fresh UUIDs in its slots."""

    def __init__(self, payload: bytes) -> None:
        pieces = payload.split(SLOT)
        self.tasks = len(pieces) - 1
        self._first = _head(1, len(payload)) + _masked(pieces[0], 0)
        self._rest = list[tuple[int, bytes]]()
        offset = len(pieces[0])
        for piece in pieces[1:]:
            mask = int.from_bytes(_masked(bytes(len(SLOT)), offset))
            offset += len(SLOT)
            self._rest.append((mask, _masked(piece, offset)))
            offset += len(piece)

    def frame(self, fresh: Iterator[bytes]) -> list[bytes]:
        """The message as a frame, in pieces that need no copying."""
        parts = [self._first]
        for (mask, piece), uuid in zip(self._rest, fresh, strict=False):
            parts += ((int.from_bytes(uuid) ^ mask).to_bytes(len(uuid)), piece)
        return parts


def array(tasks: int, task_type: str, **members: str) -> bytes:
    """A message of equal tasks, a slot for each UUID."""
    return orjson.dumps([{"taskType": task_type, "taskUUID": SLOT.decode(), **members}] * tasks)


class Socket(asyncio.Protocol):
    """One authenticated WebSocket. Each text frame that comes is given to `heard`."""

    def __init__(self) -> None:
        self.heard: Callable[[bytes], None] = self._first_frame
        self.ended = asyncio.get_running_loop().create_future()
        self._answer = asyncio.get_running_loop().create_future()
        self._buffer = b""
        self._open = False

    @classmethod
    async def connect(cls, url: str, key: str) -> Socket:
        """Shake hands and authenticate."""
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        transport, socket = await loop.create_connection(cls, parts.hostname, parts.port)
        socket.transport = transport
        asked = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        transport.write(f"{asked}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n".encode())
        await asyncio.wait_for(asyncio.shield(socket._answer), 30)
        socket._answer = loop.create_future()
        hello = Message(orjson.dumps([{"taskType": "authentication", "apiKey": key}]))
        transport.writelines(hello.frame(iter(())))
        answer = await asyncio.wait_for(socket._answer, 30)
        if b"connectionSessionUUID" not in answer:
            raise ConnectionError(f"not authenticated: {answer[:200]!r}")
        return socket

    def send(self, frame: list[bytes]) -> None:
        self.transport.writelines(frame)

    def close(self) -> None:
        self.heard = lambda _: None
        self.transport.abort()

    def _first_frame(self, body: bytes) -> None:
        if not self._answer.done():
            self._answer.set_result(body)

    def connection_lost(self, failure: Exception | None) -> None:
        for waiting in (self._answer, self.ended):
            if not waiting.done():
                waiting.set_exception(ConnectionError("the server closed the socket"))
                waiting.exception()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        if not self._open:
            head, found, buffer = buffer.partition(b"\r\n\r\n")
            if not found:
                self._buffer = head
                return
            self._open = True
            self._answer.set_result(head)
        place = 0
        while (after := self._frame(buffer, place)) > place:
            place = after
        self._buffer = buffer[place:]

    def _frame(self, buffer: bytes, place: int) -> int:
        """Take the frame at a place; where the next begins, or the same place when it is not all there."""
        if len(buffer) < place + 2:
            return place
        size, start = buffer[place + 1], place + 2
        if size == 126:
            size, start = int.from_bytes(buffer[start : start + 2]), start + 2
        elif size == 127:
            size, start = int.from_bytes(buffer[start : start + 8]), start + 8
        if len(buffer) < start + size or len(buffer) < start:
            return place
        body = buffer[start : start + size]
        match buffer[place] & 15:
            case 1:
                self.heard(body)
            case opcode if opcode == _PING:
                self.transport.write(_head(_PONG, size) + _masked(body, 0))
            case opcode if opcode == _CLOSE:
                self.transport.abort()
        return start + size
