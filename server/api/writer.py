"""The writer of one socket: one task, which lives while there is something to write.

Replies go first; they wait in memory, within a bound. Then what the outbox has is looked for, then news: neither is
looked for before the socket takes it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from server.api import v1
from server.api.binary import Parcel
from server.api.news import News
from server.api.protocol import ClientGone
from server.api.sent import Sent
from server.api.wire import Wire
from server.blobs import BlobMissing
from server.errors import ApiError, MediaNotFound
from server.gateway import Gateway
from server.log import log
from server.prepare import Caller


class Writer:
    """Sends on one socket. `deliver` sends a part of the outbox with `put`, and says whether more may be there."""

    def __init__(self, gateway: Gateway, wire: Wire, caller: Caller, deliver: Callable[[], Awaitable[bool]]) -> None:
        self.gateway = gateway
        self.wire = wire
        self.caller = caller
        self.news = News(gateway, caller, self._start)
        self.sent = Sent()
        self._deliver = deliver
        self._frames: list[tuple[bytes, str, Sequence[Parcel]]] = []
        self._queued = 0
        self._rung = False
        self._task: asyncio.Task[None] | None = None
        self._room = asyncio.Event()

    @property
    def busy(self) -> bool:
        """Whether something is still to go."""
        return bool(self._frames or self._rung)

    def send(self, frame: bytes, uuid: str = "", following: Sequence[Parcel] = ()) -> None:
        """Have a frame sent after those before it; `uuid` is the task that it answers."""
        self._frames.append((frame, uuid, following))
        self._queued += len(frame)
        self._start()

    def ring(self) -> None:
        """There may be something new in the outbox."""
        self._rung = True
        self._start()

    async def room(self) -> None:
        """Wait until the replies in memory are within their bound."""
        while self._queued > self.gateway.config.outbox_bytes:
            self._room.clear()
            await self._room.wait()

    async def put(self, frame: bytes, uuid: str = "", following: Sequence[Parcel] = ()) -> None:
        """Send a frame now, and the images that belong to it."""
        if uuid:
            self.sent.note(uuid, len(frame))
        await self._free()
        await self.wire.send(frame)
        for parcel in following:
            await self._carry(parcel, uuid)
        if uuid:
            self.gateway.sent.append((uuid.lower(), time.time()))

    async def _carry(self, parcel: Parcel, uuid: str) -> None:
        """Send an image in binary frames, read no faster than they are taken."""
        try:
            async for part in parcel.read(self.gateway.blobs):
                self.sent.note(uuid, len(part))
                await self._free()
                await self.wire.send(part, binary=True)
        except BlobMissing:  # gone since its frame was made
            gone = MediaNotFound("The image that this task made is no longer kept.")
            await self.wire.send(v1.dumps(v1.errors([gone.as_dict()], {"taskUUID": uuid})))

    def _start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        try:
            while self.busy or self.news.ready:
                while self._frames:
                    frame, uuid, following = self._frames.pop(0)
                    await self.put(frame, uuid, following)
                    self._queued -= len(frame)
                    self._room.set()
                if self._rung:
                    self._rung = False
                    if await self._deliver():
                        self._rung = True
                else:
                    await self._tell()
        except ClientGone:
            self._let_go()
        except ApiError as failure:
            log.warning("outbox_unreadable", session=self.caller.session, reason=failure.message)
        finally:
            self._task = None

    def _let_go(self) -> None:
        """What waits can reach nobody any more; whoever waits for room goes on."""
        self._frames.clear()
        self._queued = 0
        self._room.set()

    async def _tell(self) -> None:
        await self._free()
        if events := self.news.take():
            await self.wire.send(v1.dumps({"events": events}))

    async def _free(self) -> None:
        """Wait until the socket takes a frame. A reader that takes nothing for long is closed; what it misses stays in
        its outbox."""
        while not self.wire.ready:
            before = self.wire.backlog
            self.gateway.metrics.outbox.observe(before + self._queued)
            try:
                async with asyncio.timeout(self.gateway.config.slow_reader_timeout):
                    await self.wire.drained()
            except TimeoutError:
                if self.wire.backlog >= before:
                    self.gateway.metrics.slow.inc()
                    log.warning("slow_reader_closed", session=self.caller.session)
                    self.wire.close(1013, "slow consumer; resume the session or use getResponse")
                    raise ClientGone from None

    async def stop(self) -> None:
        """The socket is gone. An answer that its client hung up on for its size comes in another form next time."""
        self.news.stop()
        if self._task:
            self._task.cancel()
        self._let_go()
        if self.wire.overwhelmed and (uuid := self.sent.largest()):
            log.info("answer_too_large", session=self.caller.session, task_uuid=uuid, client=self.wire.client)
            with suppress(ApiError):
                await self.gateway.sessions.oversized(self.caller.tenant.id, uuid)
