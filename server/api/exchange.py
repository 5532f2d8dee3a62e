"""One HTTP request and the tasks it waits for: a session that lives for one answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.requests import Request
from structlog.contextvars import bind_contextvars

from server.envelope import TRACEPARENT
from server.errors import ApiError, ServiceUnavailable
from server.gateway import Gateway
from server.prepare import Caller, Prepared, Refused, refuse
from server.sessions import Entry
from server.tenants import Tenant


class Exchange:
    """One request and what it waits for. A `gateway.Conversation`."""

    def __init__(self, gateway: Gateway, caller: Caller) -> None:
        self.gateway = gateway
        self.caller = caller
        self.session = caller.session
        self._waiters: dict[str, asyncio.Future[Entry]] = {}
        self._offset = 0
        self._rung = asyncio.Event()

    async def listen(self) -> None:
        """Hand each finished task to whoever waits for it."""
        while True:
            await self._rung.wait()
            self._rung.clear()
            try:
                entries = await self.gateway.sessions.read(self.caller.tenant.id, self.session, self._offset)
            except ApiError:
                continue
            for entry in entries:
                self._offset = entry.offset
                if not self.expected(entry.uuid).done():
                    self.expected(entry.uuid).set_result(entry)
            if entries:
                self._rung.set()

    def expected(self, uuid: str) -> asyncio.Future[Entry]:
        """The end of a task, when it comes."""
        return self._waiters.setdefault(uuid, asyncio.get_running_loop().create_future())

    @property
    def waiting(self) -> bool:
        return any(not waiter.done() for waiter in self._waiters.values())

    def wake(self) -> None:
        self._rung.set()

    def heard(self, event: dict[str, Any]) -> None:
        """A request is told of nothing but its answer."""

    def taken(self) -> None:
        """Nobody else knows this session's name."""

    async def tend(self, now: float) -> None:
        await self.gateway.sessions.touch(self.caller.tenant.id, self.session, self._offset, self._offset)

    async def dismiss(self) -> None:
        """Its client is told that the task goes on, and asks for it elsewhere."""
        for waiter in self._waiters.values():
            if not waiter.done():
                waiter.set_exception(TimeoutError())

    async def run(self, prepared: Prepared | Refused, seconds: float) -> Refused | Entry | None:
        """Have a task done: its end, or why it was not taken; None when it still runs after so many seconds."""
        if isinstance(prepared, Prepared) and self.gateway.stopping:
            prepared = refuse(prepared.request, [ServiceUnavailable()])
        if isinstance(prepared, Refused):
            return prepared
        end = self.expected(prepared.job.uuid)
        answer = await self.gateway.dispatch.submit(self.caller, prepared)
        if isinstance(answer, Refused):
            return answer
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(end)
        except TimeoutError:
            return None


@asynccontextmanager
async def exchange(
    gateway: Gateway, request: Request, tenant: Tenant, *, dry: bool = False
) -> AsyncGenerator[Exchange]:
    """An exchange for one request of a tenant; what it waits for is asked for in other ways once it is over. With
    `dry`, its tasks are only checked."""
    base_url = gateway.config.public_url.rstrip("/") or str(request.base_url).rstrip("/")
    trace = request.headers.get("traceparent", "")
    trace = trace if re.fullmatch(TRACEPARENT, trace) else ""
    session = await gateway.sessions.open(tenant.id)
    bind_contextvars(tenant=tenant.id)
    found = Exchange(gateway, Caller(tenant, session, base_url, dry=dry, traceparent=trace))
    gateway.conversations[found.session] = found
    listening = asyncio.create_task(found.listen())
    try:
        yield found
    finally:
        listening.cancel()
        del gateway.conversations[found.session]
        with suppress(ServiceUnavailable):  # an answer that is there is not lost for it: the session has its term
            await gateway.sessions.close(tenant.id, found.session)
