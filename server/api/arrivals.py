"""The uploads that one socket has announced, from there until their tasks are taken or refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import TypeGuard
from uuid import UUID

from server.api import v1
from server.api.binary import FILE, Announced, Announcement
from server.blobs import BlobMissing, staged_blob
from server.errors import ApiError, InvalidParameter, ServiceUnavailable, TaskNotFound, UploadFailed
from server.frames import HEAD, PART_BYTES
from server.gateway import Gateway
from server.graph import Step
from server.prepare import Caller, Prepared, Refused, refuse
from server.uploads import HASHED, Staged, Upload

_SILENT_SECONDS = 10.0
_REMEMBERED = 1024


class _Arrival:
    """An upload that its socket has announced."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.upload: Upload | None = None
        self.failure: ApiError | None = None
        self.told: list[int] | None = None
        """What was last said to be missing, since a frame came."""
        self.ready, self.news, self.over = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @property
    def file(self) -> Announced:
        request = self.prepared.request
        assert isinstance(request, Announcement)
        return request.file


def awaited(step: Step) -> TypeGuard[Prepared]:
    """Whether this is a task whose file is still to come."""
    return isinstance(step, Prepared) and isinstance(step.request, Announcement) and not step.dry


class Arrivals:
    """The uploads of one socket. `tell` sends a frame to its client."""

    def __init__(self, gateway: Gateway, caller: Caller, tell: Callable[[v1.Frame], None]) -> None:
        self.gateway = gateway
        self.uploads = gateway.uploads
        self.caller = caller
        self.tell = tell
        self._arrivals = dict[str, _Arrival]()
        self._over = dict[str, None]()
        """Uploads of which no more is said: what is still under way of them is dropped."""

    def expect(self, steps: Iterable[Step]) -> bool:
        """Frames of the uploads among these may come from now on. False when there is none."""
        return len([self._expected(step) for step in steps if awaited(step)]) > 0

    def _expected(self, prepared: Prepared) -> _Arrival:
        """Of several announcements of one taskUUID, the first goes first."""
        self._over.pop(prepared.job.uuid, None)
        return self._arrivals.setdefault(prepared.job.uuid, _Arrival(prepared))

    async def take(self, message: bytes) -> None:
        """A binary frame has come. What is wrong with it is told under its task, and harms no other."""
        uuid = str(UUID(bytes=message[:16])) if len(message) >= 16 else ""
        if len(message) <= HEAD.size:
            sentence = f"A binary frame has {HEAD.size + 1} bytes at least: taskUUID, index, and a part of the file."
            self._refuse(uuid, InvalidParameter(sentence, parameter="binary"))
        elif arrival := self._arrivals.get(uuid):
            await arrival.ready.wait()
            if arrival.upload and not arrival.failure:
                await self._keep(arrival, arrival.upload, message)
        elif uuid not in self._over:
            self._forget(uuid)
            sentence = "No upload was announced under this taskUUID. Send its imageUpload first."
            self._refuse(uuid, TaskNotFound(sentence, parameter="taskUUID"))

    async def _keep(self, arrival: _Arrival, upload: Upload, message: bytes) -> None:
        index, size = HEAD.unpack_from(message)[1], len(message) - HEAD.size
        if index >= upload.frames or size > PART_BYTES:
            sentence = f"Frame {index} has {size} bytes. Indexes go from 0 to {upload.frames - 1}, and a frame has up"
            sentence += f" to {PART_BYTES} bytes of the file."
            self._refuse(upload.uuid, InvalidParameter(sentence, parameter="binary"))
            return
        try:
            if index not in upload.parts and not await self.uploads.add(upload, index, message[HEAD.size :]):
                await self._look(upload)  # another socket was faster
            if upload.got > upload.bytes:
                sentence = f"{upload.got} bytes have come; {upload.bytes} were announced."
                raise InvalidParameter(sentence, parameter="binary", expected=upload.bytes, found=upload.got)
        except ApiError as failure:
            arrival.failure = failure
        arrival.news.set()

    def _refuse(self, uuid: str, failure: ApiError) -> None:
        arrival = self._arrivals.get(uuid)
        sent = arrival.prepared.request.sent if arrival else {"taskUUID": uuid} if uuid else {}
        self.tell(v1.errors([failure.as_dict()], sent))

    def _forget(self, uuid: str) -> None:
        self._arrivals.pop(uuid, None)
        self._over[uuid] = None
        if len(self._over) > _REMEMBERED:
            del self._over[next(iter(self._over))]

    async def carry(
        self, prepared: Prepared, submit: Callable[[Prepared], Awaitable[Refused | None]]
    ) -> Refused | None:
        """Wait for the file of an announced upload, and submit its task."""
        while (arrival := self._expected(prepared)).prepared is not prepared:
            await arrival.ready.wait()
            if arrival.upload and arrival.upload.have:
                self._remind(arrival)
            await arrival.over.wait()
        try:
            return await self._carried(arrival, submit)
        finally:
            self._forget(prepared.job.uuid)
            arrival.ready.set()
            arrival.over.set()

    async def _carried(
        self, arrival: _Arrival, submit: Callable[[Prepared], Awaitable[Refused | None]]
    ) -> Refused | None:
        prepared, content = arrival.prepared, ""
        try:
            file = await self._file(arrival)
            content = file.hash
            found = self.gateway.dispatch.prepare(self.caller, replace(prepared.request, files={FILE: file}))
            refused = found if isinstance(found, Refused) else await submit(replace(found, graph=prepared.graph))
        except ApiError as failure:
            refused = refuse(prepared.request, [failure])
        # Where it is worth another try, what has come is kept for it.
        if arrival.upload and not (refused and refused.failures[0]["retryable"]):
            with suppress(ServiceUnavailable):
                await self.uploads.close(arrival.upload, "" if refused else content)
        return refused

    async def _file(self, arrival: _Arrival) -> Staged:
        """The file of an upload, once it is there. Of a task that is known already, no bytes are needed."""
        tenant, uuid, announced = self.caller.tenant.id, arrival.prepared.job.uuid, arrival.file
        known = await self.gateway.queue.known(tenant, uuid)
        if known and announced.hash:
            return _again(tenant, announced.hash.removeprefix(HASHED))
        upload = await self._open(tenant, uuid, announced)
        if upload.content and known:
            return _again(tenant, upload.content)
        if upload.content:
            await self.uploads.close(upload)
            upload = await self._open(tenant, uuid, announced)
        arrival.upload = upload
        arrival.ready.set()
        if upload.have:
            self._remind(arrival)
        return await self._complete(arrival, upload)

    async def _open(self, tenant: str, uuid: str, announced: Announced) -> Upload:
        return await self.uploads.open(
            tenant, uuid, frames=announced.frames, size=announced.bytes, digest=announced.hash
        )

    async def _complete(self, arrival: _Arrival, upload: Upload) -> Staged:
        """The file, when its last frame has come, here or at another gateway."""
        try:
            while upload.missing and not upload.content:
                if upload.have < upload.frames and await self._news(arrival):
                    continue
                await self._look(upload)
                if upload.missing != arrival.told and not upload.content:
                    arrival.told = upload.missing
                    self._remind(arrival)
            if not upload.content:
                return await self.uploads.whole(upload, upload.hash, "binary")
        except BlobMissing:
            await self._look(upload)
        if not upload.content:
            await self.uploads.close(upload)
            raise UploadFailed("Parts of the upload are no longer kept. Send it again.")
        arrival.upload = None  # another socket has brought it to its end
        return _again(upload.tenant, upload.content)

    async def _news(self, arrival: _Arrival) -> bool:
        """Wait for the next frame; False when none has come for long."""
        try:
            async with asyncio.timeout(_SILENT_SECONDS):
                await arrival.news.wait()
        except TimeoutError:
            return False
        arrival.news.clear()
        arrival.told = None
        if arrival.failure:
            raise arrival.failure
        return True

    async def _look(self, upload: Upload) -> None:
        """See how an upload stands for all gateways."""
        if not await self.uploads.look(upload):
            raise TaskNotFound("Nothing has come of this upload for long, and it is gone. Send it again.")

    def _remind(self, arrival: _Arrival) -> None:
        if arrival.upload:
            uuid = arrival.prepared.request.sent["taskUUID"]
            self.tell({"events": [{"type": "upload.missing", "taskUUID": uuid, "frames": arrival.upload.missing}]})


def _again(tenant: str, content: str) -> Staged:
    """What stands for the file of a task that is known: only what it was is needed."""
    return Staged(staged_blob(tenant), content)
