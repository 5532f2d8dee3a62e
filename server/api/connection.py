"""One authenticated socket of WebSocket /v1: the read loop, and what is done with each message.

Messages of a connection are worked on in their order by one task that lives while there are any; pings are
answered before them. An idle socket has neither that task nor a writer, and costs little.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from server.api import v1
from server.api.answers import ASKED, ENDED, ack_frame, answered, check_frame, news, steps_of, too_many
from server.api.arrivals import Arrivals, awaited
from server.api.binary import announcement
from server.api.entrance import authenticated
from server.api.inbox import Inbox
from server.api.outlet import Outlet
from server.api.wire import Wire
from server.errors import ApiError, RateLimitExceeded, ServiceUnavailable
from server.gateway import Gateway
from server.graph import Step
from server.log import incident, log
from server.prepare import Caller, Prepared, Refused, Request, refuse

_INLINE_BYTES = 64 * 1024
"""Messages up to this size are parsed where they arrive; larger ones in a thread, so that pings go on."""
_PENDING_BYTES = 4 * 2**20
"""Of binary frames no more than this waits: they are stored one after the other."""
_AT_ONCE = 64
_REPLIES = 1000
_CROWDED_SECONDS = 1
_PING_BYTES = 200


class Connection:
    """One authenticated socket and its session. A `gateway.Conversation`."""

    def __init__(self, gateway: Gateway, wire: Wire, caller: Caller) -> None:
        self.gateway = gateway
        self.wire = wire
        self.caller = caller
        self.session = caller.session
        self.outlet = Outlet(gateway, wire, caller)
        self.seen = time.monotonic()
        self._touch_at = self.seen + gateway.config.session_ttl / 3
        self._inbox = Inbox(self._work)
        self._arrivals = Arrivals(gateway, caller, self.outlet.send) if "binary" in caller.features else None
        self._helpers = set[asyncio.Task[None]]()
        self._later = set[asyncio.Task[None]]()
        """Steps of messages whose files are still to come, in messages after them."""

    async def read(self) -> None:
        """Take messages until the socket closes."""
        while (message := await self.wire.receive()) is not None:
            self.seen = time.monotonic()
            self.outlet.confirm(self.seen)
            if self._arrivals and isinstance(message, bytes):
                await self._inbox.put(message, _PENDING_BYTES)
            elif len(message) < _PING_BYTES and (ping := _ping(message)):
                await self.outlet.writer.room()
                self.outlet.send(v1.pong(ping))
            else:
                await self._inbox.put(message, 2 * self.gateway.config.max_message)

    async def _work(self, message: str | bytes) -> None:
        """Do what a message asks for. Whoever takes no answers is not listened to: they would fill the memory."""
        await self.outlet.writer.room()
        if self._arrivals and isinstance(message, bytes):
            await self._arrivals.take(message)
            return
        try:
            if len(message) <= _INLINE_BYTES:
                steps = self.prepare(v1.parse(message))
            else:
                steps = await asyncio.to_thread(lambda: self.prepare(v1.parse(message)))
        except ApiError as broken:
            log.info("message_refused", code=broken.code, bytes_in=len(message))
            for frame in v1.unreadable(message, broken):
                self.outlet.send(frame)
        else:
            await self.answer(steps)

    def prepare(self, objects: list[dict[str, Any]]) -> list[Step]:
        """The objects of a message, ready to be carried out."""
        return steps_of(self.gateway.config, objects, self._checked)

    def _checked(self, request: Request) -> Prepared | Refused:
        announced = announcement(self.gateway.dispatch, self.caller, request) if self._arrivals else None
        return announced or self.gateway.dispatch.prepare(self.caller, request)

    async def answer(self, steps: list[Step]) -> None:
        """Carry out what a message asks for, no faster than the client takes the answers."""
        if len(self._later) > _REPLIES and any(map(awaited, steps)):
            steps = [refuse(step.request, [_crowded()]) if isinstance(step, Prepared) else step for step in steps]
        steps, order = self.gateway.dispatch.arranged(steps)
        if self._arrivals and self._arrivals.expect(steps):
            for place in order:
                self._help(self._later, self._step(steps[place]))
            return
        for start in range(0, len(order), _AT_ONCE):
            await self.outlet.writer.room()
            while len(self._helpers) > _REPLIES:
                await asyncio.wait(self._helpers, return_when=asyncio.FIRST_COMPLETED)
            part = [steps[place] for place in order[start : start + _AT_ONCE]]
            await (self._step(part[0]) if len(part) == 1 else asyncio.gather(*map(self._step, part)))

    async def _step(self, step: Step) -> None:
        """One object of a message. A bug in it is told under its task, and costs no other."""
        try:
            if isinstance(step, dict):
                await self._converse(step)
            elif isinstance(step, Prepared) and step.dry:
                self.outlet.answer(await check_frame(self.gateway, self.caller, step))
            elif refused := await self._refused(step):
                self._refuse(step, refused.failures)
        except Exception as bug:
            self._refuse(step, [incident("step_failed", bug, hide=_sent(step)).as_dict()])

    def _refuse(self, step: Step, failures: list[dict[str, Any]]) -> None:
        """Say why a step is not taken, to the tasks that build on it as well."""
        self.outlet.send(v1.errors(failures, _sent(step)))
        if isinstance(step, Prepared) and step.graph:
            step.graph.told(step.job.uuid, failures[0])

    async def _refused(self, step: Prepared | Refused) -> Refused | None:
        """Have a task taken; why it is not."""
        if self._arrivals and awaited(step):
            return await self._arrivals.carry(step, self._submit)
        return await self._submit(step) if isinstance(step, Prepared) else step

    async def _submit(self, prepared: Prepared) -> Refused | None:
        if prepared.graph:
            with suppress(ApiError):  # said again where it is submitted
                await prepared.graph.turn(prepared)  # nobody waits for what may never be under way
        if self.gateway.stopping:
            return refuse(prepared.request, [ServiceUnavailable()])
        uuid = prepared.job.uuid
        soon = self.outlet.expect(uuid, soon=prepared.delivery == "async" and not prepared.job.webhook)
        answer = await self.gateway.dispatch.submit(self.caller, prepared)
        if isinstance(answer, Refused):
            self.outlet.forget(uuid)
            return answer
        self.outlet.news.expect(uuid, prepared.request.sent["taskUUID"])
        if soon:
            self._help(self._helpers, self.outlet.acknowledge(uuid, prepared.request.sent, soon))
            return None
        if prepared.job.webhook:
            self.outlet.answer(ack_frame(prepared.request.sent))
        await self.outlet.faults.suffer(prepared.request.sent, "ack")
        return None

    async def _converse(self, sent: dict[str, Any]) -> None:
        match sent.get("taskType"):
            case "ping":
                self.outlet.send(v1.pong(sent))
            case "authentication":
                self.outlet.send(authenticated(self.gateway.config, self.caller))
            case "getResponse":  # may wait for news
                self._help(self._helpers, self._reply(sent))
            case str(asked) if asked in ASKED:
                await self._reply(sent)
            case _:
                self.outlet.send(too_many(self.gateway.config, sent))

    async def _reply(self, sent: dict[str, Any]) -> None:
        if sent["taskType"] == "getResponse":
            await news(self.gateway, self.caller, sent)
        await self.outlet.reply(lambda: self._answer(sent))

    async def _answer(self, sent: dict[str, Any]) -> v1.Frame:
        frame = await answered(self.gateway, self.caller, sent)
        if sent["taskType"] == "getResponse" and any(item.get("status") in ENDED for item in v1.told(frame)):
            self.outlet.news.over(sent["taskUUID"].lower())
        return frame

    def _help(self, crowd: set[asyncio.Task[None]], step: Coroutine[Any, Any, None]) -> None:
        helper = asyncio.create_task(step)
        crowd.add(helper)
        helper.add_done_callback(crowd.discard)
        helper.add_done_callback(self._helped)

    def _helped(self, helper: asyncio.Task[None]) -> None:
        if not helper.cancelled() and (failure := helper.exception()):
            log.error("answer_failed", exc_info=failure)

    # What the gateway asks of it.

    @property
    def waiting(self) -> bool:
        return self.outlet.busy or self._inbox.busy

    def wake(self) -> None:
        self.outlet.writer.ring()

    def heard(self, event: dict[str, Any]) -> None:
        self.outlet.news.heard(event)

    def taken(self) -> None:
        self.wire.close(4409, "the session was resumed on another socket")

    async def tend(self, now: float) -> None:
        limit = self.gateway.config.idle_timeout
        if now - self.seen > limit and not self.waiting:
            self.wire.close(4408, f"nothing heard for {limit:g} s")
            return
        if now >= self._touch_at or self.outlet.open:
            self._touch_at = now + self.gateway.config.session_ttl / 3
            if not await self.outlet.keep():
                self.taken()

    async def dismiss(self) -> None:
        self.wire.close(1012, "the server restarts; come back")

    async def leave(self, *, moved: bool) -> None:
        """The socket is gone. The session stays for its term, or has `moved` to another socket here: then what came
        before is still taken."""
        await self.outlet.writer.stop()
        if moved:
            return
        self._inbox.stop()
        for helper in (*self._helpers, *self._later):
            helper.cancel()
        with suppress(ApiError):
            await self.outlet.touch()


def _sent(step: Step) -> dict[str, Any]:
    return step if isinstance(step, dict) else step.request.sent


def _crowded() -> RateLimitExceeded:
    sentence = f"More than {_REPLIES} tasks of this socket wait for files. Send the frames of those first."
    return RateLimitExceeded(sentence, retryAfter=_CROWDED_SECONDS)


def _ping(message: str | bytes) -> dict[str, Any] | None:
    """A message that is one ping and nothing else."""
    if "ping" not in (message if isinstance(message, str) else message.decode("latin-1")):
        return None
    with suppress(ApiError):
        objects = v1.parse(message)
        if len(objects) == 1 and objects[0].get("taskType") == "ping":
            return objects[0]
    return None
