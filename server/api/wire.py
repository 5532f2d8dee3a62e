"""One WebSocket as the faces see it: what it said when it came, messages in, frames out."""

from __future__ import annotations

from urllib.parse import parse_qs

import orjson
from starlette.types import Receive, Scope, Send

from server.api import v1
from server.api.protocol import EXTENSION, Protocol
from server.errors import ApiError
from server.errors import wire as as_wire


class Wire:
    """One WebSocket: what it said when it came, messages in, frames out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.code = 1006
        self.taken = self.given = self.bytes_in = self.bytes_out = 0
        """Messages that have come and gone, and their bytes."""
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self._protocol: Protocol = scope["extensions"][EXTENSION]
        query = parse_qs(scope["query_string"].decode("latin-1"))
        self.features = {word for value in query.get("features", []) for word in value.split(",")}
        self.single = query.get("data") == ["object"]
        self.dry = v1.dry(query.get("dryRun", [""])[-1])
        sdk = "-".join(query.get("sdk", [])) or self.header("x-sdk-name")
        self.client = (sdk or self.header("user-agent")).split(" ")[0][:40]
        self.address = (scope.get("client") or ("", 0))[0]

    def header(self, name: str) -> str:
        """A header of the handshake; empty when it was not sent."""
        return self._headers.get(name, "")

    @property
    def base_url(self) -> str:
        """The address that the client used, as an HTTP URL."""
        scheme = "https" if self._scope["scheme"] == "wss" else "http"
        return f"{scheme}://{self.header('host')}"

    async def accept(self) -> None:
        await self._receive()
        await self._send({"type": "websocket.accept"})

    async def turn_away(self, refusal: ApiError) -> bool:
        """Refuse the handshake with an HTTP answer; always False."""
        await self._receive()
        headers = [(b"content-type", b"application/json")]
        await self._send({"type": "websocket.http.response.start", "status": refusal.status, "headers": headers})
        body = orjson.dumps({"error": as_wire(refusal.as_dict())})
        await self._send({"type": "websocket.http.response.body", "body": body})
        self._protocol.handshake_complete = True  # uvicorn does not count a refusal, and would log an error
        return False

    async def receive(self) -> str | bytes | None:
        """The next message; None when the socket is closed."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self.code = message.get("code", 1006)
            return None
        text = message.get("text")
        found = text if text is not None else message.get("bytes", b"")
        self.taken += 1
        self.bytes_in += len(found)
        return found

    async def send(self, frame: bytes, *, binary: bool = False) -> None:
        self.given += 1
        self.bytes_out += len(frame)
        await self._protocol.put(frame, binary=binary)

    @property
    def ready(self) -> bool:
        """Whether a frame can be sent without waiting."""
        return self._protocol.writable.is_set()

    @property
    def backlog(self) -> int:
        """Bytes that wait for the peer to take them."""
        return self._protocol.transport.get_write_buffer_size()

    async def drained(self) -> None:
        """Wait until a frame can be sent without waiting, or the socket is gone."""
        await self._protocol.writable.wait()

    @property
    def overwhelmed(self) -> bool:
        """Whether the peer has closed for a message that was too big for it."""
        return self._protocol.overwhelmed

    def trust(self) -> None:
        """The socket has authenticated: large messages may come."""
        self._protocol.trusted = True

    def drop(self) -> None:
        """End the connection without a word."""
        self._protocol.transport.close()

    def close(self, code: int, reason: str) -> None:
        self._protocol.close(code, reason)
