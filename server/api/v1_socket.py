"""WebSocket /v1: a socket is admitted, authenticates, and is then a connection until it closes."""

from __future__ import annotations

from contextlib import suppress

from starlette.types import Receive, Scope, Send

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
        log.info("socket_opened", session=caller.session, tenant=caller.tenant.id, client=wire.client)
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
            log.info("socket_closed", session=caller.session, code=wire.code)
