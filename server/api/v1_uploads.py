"""PUT /v1/uploads/{taskUUID}: an imageUpload whose body is the file itself, whole or in pieces one after the other.

A piece says by Content-Range where it belongs. Until the last byte is there, the answer is 308 with the Range that
has come; what was cut off goes on behind that. Then it is the answer of POST /v1 to the same upload.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from server.api import v1
from server.api.body import arriving, bearer
from server.api.exchange import exchange
from server.api.outcomes import outcome_frame
from server.api.v1_http import response
from server.blobs import BlobMissing, staged_blob
from server.catalog import checked
from server.content import CONTENT
from server.envelope import Envelope
from server.errors import (
    ApiError,
    ConflictTaskUUID,
    InvalidParameter,
    InvalidRequest,
    MaxRequestSizeExceeded,
    MissingParameter,
    ResponseTimeout,
    ServiceUnavailable,
    UploadFailed,
)
from server.frames import PART_BYTES
from server.gateway import Gateway
from server.prepare import Refused
from server.prepare import Request as Task
from server.tenants import Tenant
from server.uploads import MOST_PARTS, Staged, Upload

_FILE = "file:body"
_PIECE = re.compile(r"bytes (?:(\d{1,15})-(\d{1,15})|\*)/(\d{1,15})")


@dataclass(frozen=True)
class Piece:
    """What a request says of its body: which bytes it has, from `start` up to `end`, of how many; `size` is 0 for a
    whole file whose size nobody has told. One that only asks how much has come has no bytes."""

    whole: bool
    start: int
    end: int
    size: int
    digest: str


class _OutOfPlace(Exception):
    """A piece does not begin where what has come ends."""


class RawUpload:
    """The endpoint of PUT /v1/uploads/{taskUUID}."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.uploads = gateway.uploads

    async def __call__(self, request: Request) -> Response:
        sent = {"taskType": "imageUpload", "taskUUID": request.path_params["taskUUID"]}
        try:
            tenant = await self.gateway.tenants.identify(bearer(request))
            wrong = checked(Envelope, sent)
            if isinstance(wrong, list):
                raise wrong[0]
            return await self._take(request, tenant, sent, _piece(request, self.gateway.config.max_message))
        except ApiError as refusal:
            return response([v1.errors([refusal.as_dict()], sent)])
        except ClientDisconnect:
            return Response(status_code=499)

    async def _take(self, request: Request, tenant: Tenant, sent: dict[str, Any], piece: Piece) -> Response:
        upload = await self._begun(tenant, sent["taskUUID"].lower(), piece)
        if upload is None:
            return Response(status_code=308)
        if upload.content:  # its task was taken before: the same answer again
            frame, _ = await self._run(request, tenant, sent, Staged(staged_blob(tenant.id), upload.content))
            return response([frame])
        try:
            if piece.start != upload.got and piece.end:
                raise _OutOfPlace
            await self._receive(request, upload, piece)
        except _OutOfPlace:
            return await self._out_of_place(upload, sent)
        if upload.got < piece.size:
            return Response(status_code=308, headers=_range(upload))
        return await self._complete(request, tenant, sent, upload, piece)

    async def _begun(self, tenant: Tenant, uuid: str, piece: Piece) -> Upload | None:
        """The upload that a body belongs to. One that brings the whole file begins anew; None where one only asks, and
        there is nothing."""
        found = await self.uploads.find(tenant.id, uuid)
        if found and (piece.whole or (found.content and not await self.gateway.queue.known(tenant.id, uuid))):
            await self.uploads.close(found)
            found = None
        if found is None and not piece.end and not piece.whole:
            return None
        return await self.uploads.open(tenant.id, uuid, size=piece.size)

    async def _receive(self, request: Request, upload: Upload, piece: Piece) -> None:
        """Keep the body, part by part; of one that is cut off, what has come."""
        buffer, most = bytearray(), piece.end if piece.end or not piece.whole else self.gateway.config.max_message
        try:
            async for chunk in arriving(request):
                buffer += chunk
                if chunk and upload.got + len(buffer) > most:
                    raise (
                        _too_long(most) if piece.whole else InvalidRequest("The body has more than its Content-Range.")
                    )
                while len(buffer) >= PART_BYTES:
                    await self._keep(upload, bytes(buffer[:PART_BYTES]))
                    del buffer[:PART_BYTES]
        except ClientDisconnect:
            if buffer:
                await self._keep(upload, bytes(buffer))
            raise
        if buffer:
            await self._keep(upload, bytes(buffer))

    async def _keep(self, upload: Upload, part: bytes) -> None:
        if upload.have >= MOST_PARTS:
            raise InvalidRequest(f"A file may come in {MOST_PARTS} pieces. Begin anew, with larger ones.")
        if not await self.uploads.add(upload, upload.have, part, upload.got):
            raise _OutOfPlace

    async def _out_of_place(self, upload: Upload, sent: dict[str, Any]) -> Response:
        if not await self.uploads.look(upload):
            raise ConflictTaskUUID("Another request has begun this upload anew, or ended it.", parameter="taskUUID")
        sentence = f"{upload.got} bytes of this file have come. Send what follows them."
        failure = InvalidParameter(sentence, parameter="contentRange", expected=upload.got)
        refused = response([v1.errors([failure.as_dict()], sent)])
        refused.status_code = 416
        refused.headers.update(_range(upload))
        return refused

    async def _complete(
        self, request: Request, tenant: Tenant, sent: dict[str, Any], upload: Upload, piece: Piece
    ) -> Response:
        """All has come: the answer of the task."""
        try:
            if not upload.got:
                raise MissingParameter("The body is empty. Send the file in it.", parameter="image")
            file = await self._whole(upload, piece.digest)
        except (InvalidParameter, MissingParameter):
            await self.uploads.close(upload)
            raise
        frame, refusal = await self._run(request, tenant, sent, file)
        if not (refusal and refusal["retryable"]):  # else what has come is kept for another try
            with suppress(ServiceUnavailable):
                await self.uploads.close(upload, "" if refusal else file.hash)
        return response([frame])

    async def _whole(self, upload: Upload, digest: str) -> Staged:
        try:
            return await self.uploads.whole(upload, digest, "contentHash")
        except BlobMissing:  # the same request has come twice, and the other one was faster
            if await self.uploads.look(upload) and upload.content:
                return Staged(staged_blob(upload.tenant), upload.content)
            await self.uploads.close(upload)
            raise UploadFailed("Parts of the upload are no longer kept. Send it again.") from None

    async def _run(
        self, request: Request, tenant: Tenant, sent: dict[str, Any], file: Staged
    ) -> tuple[v1.Frame, dict[str, Any] | None]:
        """Have the task done: its frame, and why it was not taken."""
        async with exchange(self.gateway, request, tenant) as found:
            asked = Task(sent, {**sent, "image": _FILE}, files={_FILE: file})
            prepared = self.gateway.dispatch.prepare(found.caller, asked)
            end = await found.run(prepared, self.gateway.config.sync_wait)
            if isinstance(end, Refused):
                return v1.errors(end.failures, sent), end.failures[0]
            if end is None:
                return v1.errors([ResponseTimeout().as_dict()], sent), None
            return await outcome_frame(self.gateway, found.caller, sent, end.outcome or {}, end.oversized), None


def _piece(request: Request, limit: int) -> Piece:
    """What the headers say. Raises InvalidRequest, InvalidParameter, MaxRequestSizeExceeded."""
    digest, told = request.headers.get("x-content-hash", ""), request.headers.get("content-range")
    if digest and not re.fullmatch(CONTENT, digest):
        raise InvalidParameter("X-Content-Hash is blake3: and 64 hexadecimal digits.", parameter="contentHash")
    if told is None:
        length = request.headers.get("content-length", "")
        piece = Piece(True, 0, int(length or 0), int(length or 0), digest)
    else:
        found = _PIECE.fullmatch(told)
        if not found:
            raise InvalidRequest("Content-Range is bytes ‹first›-‹last›/‹size›, or bytes */‹size› to ask.")
        first, last, size = found.groups()
        piece = Piece(False, int(first or 0), int(last) + 1 if last else 0, int(size), digest)
        if not piece.size or piece.end > piece.size or (last and piece.start >= piece.end):
            raise InvalidRequest(f"There is no such piece of a file: {told}.")
    if piece.size > limit:
        raise _too_long(limit)
    return piece


def _too_long(limit: int) -> MaxRequestSizeExceeded:
    return MaxRequestSizeExceeded(f"A file may have {limit} bytes (TASKARRAY_MAX_MESSAGE).", max=limit)


def _range(upload: Upload) -> dict[str, str]:
    """What has come, from the first byte on."""
    return {"range": f"bytes=0-{upload.got - 1}"} if upload.got else {}
