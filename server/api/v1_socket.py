"""WebSocket /v1: a socket is admitted, authenticates, and is then a connection until it closes."""

from __future__ import annotations

import time
from contextlib import suppress

from starlette.types import Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from server.api.connection import Connection
from server.api.entrance import Entered, admitted, authenticate, authenticated, returned
from server.api.protocol import ClientGone
from server.api.wire import Wire
from server.gateway import Gateway
from server.log import log


class Socket:
    """The ASGI endpoint of WebSocket /v1."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wire = Wire(scope, receive, send)
        with suppress(ClientGone):
            async with admitted(self.gateway, wire) as accepted:
                if not accepted:
                    return
                found = await authenticate(self.gateway, wire)
            if found:
                await self._converse(wire, found)

    async def _converse(self, wire: Wire, entered: Entered) -> None:
        gateway, caller = self.gateway, entered.caller
        connection = Connection(gateway, wire, caller)
        earlier = gateway.conversations.get(caller.session)
        if earlier:
            earlier.taken()
        gateway.conversations[caller.session] = connection
        gateway.count(caller.tenant, 1)
        gateway.metrics.socket_opened(wire.client)
        bind_contextvars(session=caller.session, tenant=caller.tenant.id)
        opened = time.monotonic()
        log.info("socket_opened", client=wire.client, resumed=bool(entered.resumed))
        try:
            connection.outlet.send(authenticated(gateway.config, caller))
            if entered.asked and "events" in caller.features:
                connection.outlet.send(returned(entered.resumed))
            if entered.resumed:
                connection.outlet.resume(entered.resumed)
            await connection.answer(connection.prepare(entered.objects))
            await connection.read()
        finally:
            gateway.count(caller.tenant, -1)
            moved = gateway.conversations.get(caller.session) is not connection
            if not moved:
                del gateway.conversations[caller.session]
            await connection.leave(moved=moved)
            gateway.metrics.socket_closed(wire.code)
            log.info(
                "socket_closed", client=wire.client, code=wire.code, duration_s=round(time.monotonic() - opened, 3),
                messages_in=wire.taken, messages_out=wire.given, bytes_in=wire.bytes_in, bytes_out=wire.bytes_out,
            )  # fmt: skip
