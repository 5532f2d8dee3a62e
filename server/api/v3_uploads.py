"""Files that clients send before they name them: in a form, or by a ticket and a PUT that needs no key.

Each becomes an image of the registry through the task imageUpload. A ticket says beforehand which image that is, so
that its URL can be told before there is one.
"""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import Response

from server.api.body import FormParser, limited, read_body
from server.api.exchange import exchange
from server.api.v3_answers import address, body_object, forbidden, refused, success
from server.errors import (
    InvalidParameter,
    InvalidRequest,
    MaxRequestSizeExceeded,
    MissingParameter,
    ResponseTimeout,
)
from server.gateway import Gateway
from server.predictions import TICKET_SECONDS, Ticket
from server.prepare import Prepared, Refused
from server.prepare import Request as Task
from server.tenants import Tenant

_FILE = "file:file"
_NAMES = 255
_EXTENSIONS = {"image/jpeg": "jpg", "image/webp": "webp"}
_LATE = "The file has come, but is not ready yet. Send it again."


async def ticket(gateway: Gateway, request: Request, tenant: Tenant) -> Any:
    """Leave to PUT one file at an address, and the URL that it will have."""
    asked = await body_object(gateway, request)
    filename, size = asked.get("filename") or "upload", asked.get("size") or 0
    if not isinstance(filename, str):
        raise InvalidParameter("filename is a name.", parameter="filename", type="string")
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise InvalidParameter("size is a number of bytes.", parameter="size", type="integer")
    if size > (limit := gateway.config.max_message):
        raise MaxRequestSizeExceeded(f"A file may have {limit} bytes (TASKARRAY_MAX_MESSAGE).", max=limit)
    kind = asked.get("content_type")
    kind = kind if isinstance(kind, str) else mimetypes.guess_type(filename)[0] or ""
    base_url = address(gateway, request)
    leave = Ticket(str(uuid4()), filename[:_NAMES])
    token = await gateway.predictions.issue(tenant.id, leave)
    place = f"{base_url}/im/{tenant.id}/{leave.uuid}.{_EXTENSIONS.get(kind, 'png')}"
    upload = {
        "method": "PUT",
        "url": f"{base_url}/api/v3/media/uploads/{tenant.id}/{token}/{quote(leave.filename, safe='')}",
        "headers": {"Content-Type": kind} if kind else {},
        "expires_at": _soon(TICKET_SECONDS),
    }
    return _described(leave.filename, size, place) | {"upload": upload}


async def put(gateway: Gateway, request: Request) -> Any:
    """Take the file of a ticket. Sent again, it changes nothing."""
    tenant, token = Tenant(request.path_params["tenant"], ""), request.path_params["token"]
    leave = await gateway.predictions.ticket(tenant.id, token)
    if leave is None:
        return forbidden("This address takes no file, or does not any more. Ask for a new one.")
    content = await read_body(request, gateway.config.max_message)
    image = await _registered(gateway, request, tenant, content, leave.uuid)
    if isinstance(image, Response):
        return image
    return success(_described(leave.filename, len(content), image["imageURL"]))


async def form(gateway: Gateway, request: Request, tenant: Tenant) -> Any:
    """Take the file of a form."""
    filename, content = await _file(request, gateway.config.max_message)
    image = await _registered(gateway, request, tenant, content, str(uuid4()))
    if isinstance(image, Response):
        return image
    return _described(filename[:_NAMES], len(content), image["imageURL"])


async def _file(request: Request, limit: int) -> tuple[str, bytes]:
    """The name and the bytes of the part `file`, else of the first file. Raises ApiError."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise InvalidRequest("Send multipart/form-data with the file as its part file.")
    try:
        parts = await FormParser(request.headers, limited(request, limit), max_files=10, max_fields=10).parse()
    except (MultiPartException, FormParserError) as broken:
        raise InvalidRequest(f"The form cannot be read: {broken}") from None
    try:
        files: Mapping[str, UploadFile] = {
            name: part for name, part in reversed(parts.multi_items()) if isinstance(part, UploadFile)
        }
        found = files.get("file") or next(reversed(files.values()), None)
        if found is None:
            raise MissingParameter("The form has no file.", parameter="file")
        return found.filename or "upload", await found.read()
    finally:
        await parts.close()


async def _registered(
    gateway: Gateway, request: Request, tenant: Tenant, content: bytes, uuid: str
) -> dict[str, Any] | Response:
    """The image that a file becomes, under this UUID; the task has the same."""
    if not content:
        raise InvalidParameter("The file is empty.", parameter="file")
    fields = {"taskType": "imageUpload", "taskUUID": uuid, "image": _FILE}
    async with exchange(gateway, request, tenant) as found:
        asked = Task(fields, fields, {"image": "file"}, {_FILE: content})
        prepared = await asyncio.to_thread(gateway.dispatch.prepare, found.caller, asked)
        if isinstance(prepared, Prepared):
            # Its own UUID stays behind as the next: by these the queue tells a second PUT from one that is said again.
            prepared = replace(prepared, job=replace(prepared.job, uuids=[uuid, *prepared.job.uuids]))
        end = await found.run(prepared, gateway.config.sync_wait)
    if isinstance(end, Refused):
        return refused(end.failures)
    if end is None or end.outcome is None:
        return refused([ResponseTimeout(_LATE).as_dict()])
    failure = end.outcome.get("failure")
    return refused([failure]) if failure else end.outcome["items"][0]


def _described(filename: str, size: int, url: str) -> dict[str, Any]:
    """A file as every kind of upload is answered."""
    return {"type": "image", "filename": filename, "size": size, "download_url": url, "url": url}


def _soon(seconds: int) -> str:
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
