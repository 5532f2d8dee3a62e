"""What goes out on one socket: one writer, which lives while there is something to write.

Replies wait in memory, within a bound. Results are read from the session's outbox when the socket can take them:
what it cannot take waits there, is never lost and never grows this process.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from server.api import v1
from server.api.answers import ack_frame, outcome_frame
from server.api.protocol import ClientGone
from server.api.wire import Wire
from server.errors import ApiError, TaskNotFound, ValueTooLarge
from server.gateway import Gateway
from server.log import log
from server.prepare import Caller
from server.sessions import Entry, Resumed

_BATCH = 64
_SMALL_FRAME = 2**20
_CONFIRM_SECONDS = 5.0
"""What was sent this long before a client's message has surely reached it."""


class Outlet:
    """The writer of one socket, and how far its client is."""

    def __init__(self, gateway: Gateway, wire: Wire, caller: Caller) -> None:
        self.gateway = gateway
        self.wire = wire
        self.caller = caller
        self.open = dict[str, int]()
        """The tasks of this socket that have not been answered, each with how often it was sent."""
        self.offset = self.confirmed = 0
        self._frames: list[bytes] = []
        self._queued = 0
        self._rung = False
        self._writer: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._eager: dict[str, asyncio.Future[Entry]] = {}
        self._deliveries: list[tuple[float, int]] = []
        self._replaying = False
        self._errors_sent = 0

    @property
    def busy(self) -> bool:
        """Whether something is still to come or to go."""
        return bool(self.open or self._frames or self._rung)

    def answer(self, frame: v1.Frame) -> None:
        """Have an answer about a task sent, in the shape that this client asked for."""
        self.send(v1.as_object(frame) if self.wire.single else frame)

    def send(self, frame: v1.Frame) -> None:
        """Have a frame sent after those before it."""
        body = self._body(frame)
        self._frames.append(body)
        self._queued += len(body)
        self._write()

    async def room(self) -> None:
        """Wait until the replies in memory are within their bound."""
        while self._queued > self.gateway.config.outbox_bytes:
            self._room.clear()
            await self._room.wait()

    def wake(self) -> None:
        """There may be something new in the outbox."""
        self._rung = True
        self._write()

    def _write(self) -> None:
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        try:
            while self._frames or self._rung:
                while self._frames:
                    frame = self._frames.pop(0)
                    await self._put(frame)
                    self._queued -= len(frame)
                    self._room.set()
                if self._rung:
                    await self._deliver()
        except ClientGone:
            self._frames.clear()
            self._queued = 0
            self._room.set()
        except ApiError as failure:
            log.warning("outbox_unreadable", session=self.caller.session, reason=failure.message)
        finally:
            self._writer = None

    async def _deliver(self) -> None:
        """Send what the outbox has for this socket."""
        self._rung = False
        entries = await self.gateway.sessions.read(self.caller.tenant.id, self.caller.session, self.offset, _BATCH)
        for entry in entries:
            frame = await self._frame(entry)
            self.offset = entry.offset
            if frame:
                await self._put(self._body(frame))
            self.open.pop(entry.uuid, None)
            self._deliveries.append((time.monotonic(), entry.offset))
        if len(entries) == _BATCH:
            self._rung = True
        else:
            self._replaying = False

    async def _frame(self, entry: Entry) -> v1.Frame | None:
        if entry.request is None or entry.outcome is None:
            return None
        if (eager := self._eager.get(entry.uuid)) and not eager.done():
            eager.set_result(entry)
            return None
        if entry.delivery == "async":
            return ack_frame(entry.request) if self._replaying else None
        # A failure of a task that the client no longer knows can be fatal to all its others.
        if "failure" in entry.outcome and entry.uuid not in self.open and self._unsafe(entry):
            return None
        frame = await outcome_frame(self.gateway, entry.request, entry.outcome)
        return v1.as_object(frame) if self.wire.single else frame

    def _body(self, frame: v1.Frame) -> bytes:
        """A frame as it goes out; one that this client's library would hang up on is refused with what to do."""
        body = v1.dumps(frame)
        if len(body) <= _SMALL_FRAME or not frame.get("data") or not self.wire.client.startswith("runware-python"):
            return body
        item = frame["data"] if self.wire.single else frame["data"][0]
        sentence = f"The answer has {len(body)} bytes; this client takes 1 MiB a message. Ask for outputType URL."
        return v1.dumps(v1.errors([ValueTooLarge(sentence, parameter="outputType").as_dict()], item))

    def _unsafe(self, entry: Entry) -> bool:
        return entry.offset <= self._errors_sent or self.wire.client.startswith("runware-python")

    async def _put(self, frame: bytes) -> None:
        """Send one frame. A reader that takes nothing for long is closed; what it misses stays in its outbox."""
        if self.wire.ready:
            await self.wire.send(frame)
            return
        while True:
            before = self.wire.backlog
            try:
                async with asyncio.timeout(self.gateway.config.slow_reader_timeout):
                    await self.wire.send(frame)
                return
            except TimeoutError:
                if self.wire.backlog >= before:
                    log.warning("slow_reader_closed", session=self.caller.session)
                    self.wire.close(1013, "slow consumer; resume the session or use getResponse")
                    raise ClientGone from None

    def resume(self, resumed: Resumed) -> None:
        """Go on where an earlier socket of this session stopped."""
        self.offset = self.confirmed = resumed.confirmed
        self._errors_sent = resumed.sent
        self._replaying = True
        for sent in resumed.waiting:
            self.answer(ack_frame(sent))
        self.wake()

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
        self.wake()
        return lost is not None

    def confirm(self, now: float) -> None:
        """The client was heard: what was sent some time before has reached it."""
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
        if done:
            self.answer(await outcome_frame(self.gateway, sent, soon.result().outcome or {}, status="success"))
        else:
            self.answer(ack_frame(sent))

    def stop(self) -> None:
        """The socket is gone."""
        if self._writer:
            self._writer.cancel()
