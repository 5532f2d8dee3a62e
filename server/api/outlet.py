"""What one socket gets, and how far its client is.

Results are read from the session's outbox when the socket can take them: what it cannot take waits there, is never
lost and never grows this process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from server import telemetry
from server.api import v1
from server.api.answers import ack_frame, silent
from server.api.binary import Parcel, parcels
from server.api.faults import Faults
from server.api.outcomes import outcome_frame
from server.api.protocol import ClientGone
from server.api.wire import Wire
from server.api.writer import Writer
from server.errors import ApiError, TaskNotFound, ValueTooLarge
from server.gateway import Gateway
from server.log import incident
from server.prepare import Caller
from server.sessions import Entry, Resumed
from server.tally import tally

_BATCH = 64
_CONFIRM_SECONDS = 5.0
"""What was sent this long before a client's message has surely reached it."""


class Outlet:
    """The outgoing side of one socket."""

    def __init__(self, gateway: Gateway, wire: Wire, caller: Caller) -> None:
        self.gateway = gateway
        self.wire = wire
        self.caller = caller
        self.open = dict[str, int]()
        """The tasks of this socket that have not been answered, each with how often it was sent."""
        self.offset = self.confirmed = 0
        self.writer = Writer(gateway, wire, caller, self._deliver)
        self.news = self.writer.news
        self.faults = Faults(gateway, wire, caller, self.writer)
        self._eager: dict[str, asyncio.Future[Entry]] = {}
        self._deliveries: list[tuple[float, int]] = []
        self._replaying = False
        self._errors_sent = 0
        self._making = asyncio.Lock()

    @property
    def busy(self) -> bool:
        """Whether something is still to come or to go."""
        return bool(self.open) or self.writer.busy

    def answer(self, frame: v1.Frame) -> None:
        """Have an answer about a task sent, in the shape that this client asked for."""
        self.send(v1.as_object(frame) if self.wire.single else frame)

    async def reply(self, make: Callable[[], Awaitable[v1.Frame]], times: int = 1) -> None:
        """Answer with what may hold all the bytes of a result: it is made when those before it are nearly gone."""
        for _ in range(times):
            async with self._making:
                await self.writer.room()
                self.answer(await make())

    def send(self, frame: v1.Frame) -> None:
        """Have a frame sent after those before it."""
        following = parcels(frame)
        self.writer.send(self._body(frame), _answered(frame), following)

    async def _deliver(self) -> bool:
        """Send what the outbox has for this socket; whether there may be more."""
        entries = await self.gateway.sessions.read(self.caller.tenant.id, self.caller.session, self.offset, _BATCH)
        for entry in entries:
            begun, made = time.time(), await self._made(entry)
            self.offset = entry.offset
            self.news.over(entry.uuid)
            if made:
                body, following = made
                for _ in range(1 + self.faults.twice(entry.request or {})):
                    await self.writer.put(body, entry.uuid, following)
                self._count(entry, begun)
                if await self.faults.drops(entry.request or {}, "result"):
                    self.wire.drop()
                    raise ClientGone
            self.open.pop(entry.uuid, None)
            self._deliveries.append((time.monotonic(), entry.offset))
        self._replaying = self._replaying and len(entries) == _BATCH
        return len(entries) == _BATCH

    def _count(self, entry: Entry, begun: float) -> None:
        """An answer has been made and sent since `begun`."""
        task = self.gateway.catalog.by_name.get((entry.request or {})["taskType"])
        if task:
            tally.stage(task.task_type, "send", time.time() - begun)
            if parent := (entry.outcome or {}).get("traceparent"):
                span = telemetry.begin("producer", f"send {task.task_type}", parent, begun, task_uuid=entry.uuid)
                if span:
                    span.end()

    async def _made(self, entry: Entry) -> tuple[bytes, Sequence[Parcel]] | None:
        """The answer as it goes out, and the images that follow it. A bug in it is told under its task, and keeps none
        after it from being sent."""
        try:
            frame = await self._frame(entry)
            return (self._body(frame), parcels(frame)) if frame else None
        except ApiError:
            raise  # something is away: later
        except Exception as bug:
            sent = entry.request or {}
            failure = incident("answer_failed", bug, hide=sent, tenant=self.caller.tenant.id, task_uuid=entry.uuid)
            if self._unsafe(entry):
                return None
            return v1.dumps(v1.errors([failure.as_dict()], sent)), ()

    async def _frame(self, entry: Entry) -> v1.Frame | None:
        if entry.request is None or entry.outcome is None:
            return None
        if (eager := self._eager.get(entry.uuid)) and not eager.done():
            eager.set_result(entry)
            return None
        if quiet := silent(entry.request, entry.outcome):
            self.news.finished(entry.uuid, entry.request["taskUUID"])
        if entry.delivery == "async":
            return ack_frame(entry.request) if self._replaying else None
        if quiet:
            return None
        if "failure" in entry.outcome and self._unsafe(entry):
            return None
        frame = await outcome_frame(self.gateway, self.caller, entry.request, entry.outcome, entry.oversized)
        return v1.as_object(frame) if self.wire.single else frame

    def _body(self, frame: v1.Frame) -> bytes:
        """A frame as it goes out; one that this client's library would hang up on is refused with what to do."""
        body, most = v1.dumps(frame), self.caller.frame_bytes
        if not most or len(body) <= most or not frame.get("data"):
            return body
        sentence = f"The answer has {len(body)} bytes; this client takes {most} a message. Ask for less at once."
        return v1.dumps(v1.errors([ValueTooLarge(sentence).as_dict()], v1.told(frame)[0]))

    def _unsafe(self, entry: Entry) -> bool:
        """Whether the client may no longer know the task: its failure could be fatal to all its others."""
        gone = entry.offset <= self._errors_sent or self.wire.client.startswith("runware-python")
        return gone and entry.uuid not in self.open

    def resume(self, resumed: Resumed) -> None:
        """Go on where an earlier socket of this session stopped."""
        self.offset = self.confirmed = resumed.confirmed
        self._errors_sent = resumed.sent
        self._replaying = True
        for sent in resumed.waiting:
            self.answer(ack_frame(sent))
        for sent in (*resumed.waiting, *resumed.silent):
            self.news.expect(sent["taskUUID"].lower(), sent["taskUUID"])
        self.writer.ring()

    async def touch(self) -> bool:
        """Keep the session for another term; False when it is no longer this gateway's."""
        return await self.gateway.sessions.touch(
            self.caller.tenant.id, self.caller.session, self.confirmed, self.offset
        )

    async def keep(self) -> bool:
        """The same for a connected client: a session that Redis has lost is made again. False when it has moved."""
        if await self.touch():
            return True
        lost = await self.gateway.sessions.restore(
            self.caller.tenant.id, self.caller.session, self.offset, self.open, events="events" in self.caller.features
        )
        for uuid in lost or ():
            self.open.pop(uuid, None)
            self.send(v1.errors([TaskNotFound(parameter="taskUUID").as_dict()], {"taskUUID": uuid}))
        self.writer.ring()
        return lost is not None

    def confirm(self, now: float) -> None:
        """The client was heard: what was sent some time before has reached it."""
        self.writer.sent.forget(now - _CONFIRM_SECONDS)
        while self._deliveries and self._deliveries[0][0] < now - _CONFIRM_SECONDS:
            self.confirmed = self._deliveries.pop(0)[1]

    def expect(self, uuid: str, *, soon: bool) -> asyncio.Future[Entry] | None:
        """A task of this socket is being queued. With `soon`, its result may come in place of its ack: here."""
        self.open[uuid] = self.open.get(uuid, 0) + 1
        return self._eager.setdefault(uuid, asyncio.get_running_loop().create_future()) if soon else None

    def forget(self, uuid: str) -> None:
        """The task was refused after all. Another one under its UUID may still run."""
        left = self.open.pop(uuid, 0) - 1
        if left > 0:
            self.open[uuid] = left
        else:
            self._eager.pop(uuid, None)

    async def acknowledge(self, uuid: str, sent: dict[str, Any], soon: asyncio.Future[Entry]) -> None:
        """The ack of an async task, or, if it comes soon enough, the result in its place."""
        done, _ = await asyncio.wait([soon], timeout=self.gateway.config.eager_ack)
        if self._eager.get(uuid) is soon:
            del self._eager[uuid]
        entry = soon.result() if done else None
        outcome = entry.outcome if entry else None
        if entry and outcome and not silent(sent, outcome):
            make = partial(outcome_frame, self.gateway, self.caller, sent, outcome, entry.oversized, status="success")
            await self.reply(make, 1 + self.faults.twice(sent))
            for after in ("ack", "result"):
                await self.faults.suffer(sent, after)
            return
        self.answer(ack_frame(sent))
        await self.faults.suffer(sent, "ack")
        if outcome:
            self.news.finished(uuid, sent["taskUUID"])


def _answered(frame: v1.Frame) -> str:
    """The task that a frame answers, as far as it is one."""
    return v1.told(frame)[0].get("taskUUID", "") if frame.get("data") else ""
