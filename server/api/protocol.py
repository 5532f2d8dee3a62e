"""uvicorn's WebSocket protocol with our limits.

A message over the limit is answered with an error frame before the close 1009, and what its sender still has
under way is read and dropped, so that the sender gets to read the answer. Before authentication the limit is
small, except for a message that begins with an authentication whose key this server accepts.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import orjson
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState, PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from server.api import v1
from server.errors import MaxRequestSizeExceeded

_HEAD_BYTES = 4096
_DISCARD_SECONDS = 15.0
_QUIET_SECONDS = 1.0
"""A sender of whom nothing more comes for this long has sent all of its message."""
_CLOSE_SECONDS = 2.0
_AUTHENTICATION = re.compile(rb'^\s*\[\s*(\{[^{}\[\]]*"authentication"[^{}\[\]]*\})')
EXTENSION = "taskarray.protocol"


class ClientGone(Exception):
    """The socket is closed."""


class _Limited(ServerProtocol):
    """The sans-I/O protocol; it says why before it closes for a message that is too big."""

    start = b""
    """How the message begins, in clear, where that is known."""
    came = 0
    """Bytes of the refused message that had come when it was refused."""

    def fail(self, code: int, reason: str = "") -> None:
        if code == 1009 and self.state is OPEN:
            self.came = len(self.reader.buffer)
            self.send_frame(Frame(Opcode.TEXT, self._refusal()))
        super().fail(code, reason)

    def _refusal(self) -> bytes:
        limit = self.max_message_size or 0
        failure = MaxRequestSizeExceeded(
            f"A message may have {limit} bytes. Send large images by URL, or raise TASKARRAY_MAX_MESSAGE.",
            max=limit,
        )
        # Right after the frame's head lie the mask and as much of the payload as has come.
        start = self.start or unmasked(bytes(self.reader.buffer[4:_HEAD_BYTES]), bytes(self.reader.buffer[:4]))
        return v1.dumps(v1.errors([failure.as_dict()], v1.glimpsed(start)[0]))


def unmasked(payload: bytes, mask: bytes) -> bytes:
    """The beginning of a client's payload in clear."""
    return bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload)) if len(mask) == 4 else b""


class Protocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol with a limit before authentication and a polite end for what is too big."""

    small = _HEAD_BYTES
    large = 64 * 2**20

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = _Limited(extensions=[], max_size=self.large, logger=self.logger)
        self.trusted = False
        self._head = b""
        self._vouching: asyncio.Task[None] | None = None
        self._left = 0
        self._heard = 0.0
        self._dropping = False
        self.overwhelmed = False
        """Whether the peer has closed for a message that was too big for it."""

    def data_received(self, data: bytes) -> None:
        if self._dropping:
            self._heard = self.loop.time()
            self._left -= len(data)
            if self._left <= 0:
                self.transport.close()
            return
        if not self.trusted and self.handshake_complete and len(self._head) < _HEAD_BYTES:
            self._head += data[:_HEAD_BYTES]
        super().data_received(data)
        if not self.trusted and self._vouching is None and len(self.conn.reader.buffer) > self.small:
            self._check_head()

    def _check_head(self) -> None:
        """A large message before authentication: it may go on if it begins with a good key."""
        size, self.conn.start = self._first_frame()
        found = _AUTHENTICATION.match(self.conn.start)
        key = ""
        if found:
            try:
                key = orjson.loads(found[1]).get("apiKey", "")
            except orjson.JSONDecodeError:
                key = ""
        if not key:
            self._too_big(size)
            return
        self.transport.pause_reading()
        self._vouching = self.loop.create_task(self._vouch(key, size))

    async def _vouch(self, key: str, size: int) -> None:
        accepted = await self.app_state["vouch"](key)
        if not accepted:
            self._too_big(size)
        self.trusted = accepted
        self.transport.resume_reading()

    def _first_frame(self) -> tuple[int, bytes]:
        """The length of the payload of the first frame, and its beginning in clear."""
        head = self._head
        size = head[1] & 127 if len(head) > 1 else 0
        at = 2 + {126: 2, 127: 8}.get(size, 0)
        return int.from_bytes(head[2:at]) if at > 2 else size, unmasked(head[at + 4 :], head[at : at + 4])

    def _too_big(self, size: int) -> None:
        self.conn.max_message_size = self.small
        self.conn.fail(1009, "message too big before authentication")
        self.conn.parser_exc = PayloadTooBig(size, self.small)
        self.handle_parser_exception()

    def handle_cont(self, event: Frame) -> None:
        if not self.trusted and sum(map(len, self.frames)) + len(event.data) > self.small:
            self._too_big(self.large)
            return
        super().handle_cont(event)

    def handle_close(self, event: Frame) -> None:
        received = self.conn.close_rcvd
        self.overwhelmed = not self.close_sent and received is not None and received.code == 1009
        super().handle_close(event)

    def handle_parser_exception(self) -> None:
        failure = self.conn.parser_exc
        if not isinstance(failure, PayloadTooBig):
            super().handle_parser_exception()
            return
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1009, "reason": "message too big"})
        self.close_sent = True
        # Of a message in fragments one cannot tell how much is still to come.
        size = failure.size if failure.current_size is None else self.large
        self._dropping, self._left = True, (size or self.large) + 4 - self.conn.came
        self._heard = self.loop.time()
        self.loop.call_later(_QUIET_SECONDS, self._end_when_quiet)
        self.close_timer = self.loop.call_later(_DISCARD_SECONDS, self.transport.abort)
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        if self._left <= 0:
            self.transport.close()

    def _end_when_quiet(self) -> None:
        if self.loop.time() - self._heard < _QUIET_SECONDS:
            self.loop.call_later(_QUIET_SECONDS, self._end_when_quiet)
        else:
            self.transport.close()

    async def run_asgi(self) -> None:
        self.scope["extensions"] = {**self.scope.get("extensions", {}), EXTENSION: self}  # type: ignore[typeddict-item]
        await super().run_asgi()

    async def put(self, frame: bytes, *, binary: bool = False) -> None:
        """Send a frame of text, or of bytes. Waits while the peer takes nothing; raises ClientGone when it is gone."""
        if not self.writable.is_set():
            await self.writable.wait()
        if self.disconnected or self.close_sent:
            raise ClientGone
        try:
            (self.conn.send_binary if binary else self.conn.send_text)(frame)
        except InvalidState:
            raise ClientGone from None
        self.transport.write(b"".join(self.conn.data_to_send()))

    def close(self, code: int, reason: str) -> None:
        """Close without waiting: a peer that reads nothing is cut off a moment later."""
        if self.close_sent or self.disconnected or self.conn.state is not OPEN:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(_CLOSE_SECONDS, self.transport.abort)
