"""What every HTTP face needs of a request: its body within a limit, a form's parts, and its key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.formparsers import MultiPartParser
from starlette.requests import ClientDisconnect, Request

from server.errors import MaxRequestSizeExceeded

_SILENT_SECONDS = 30


async def arriving(request: Request) -> AsyncGenerator[bytes]:
    """The body as it comes. Raises ClientDisconnect, also for a client that sends nothing for half a minute."""
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(_SILENT_SECONDS):
                chunk = await anext(stream, None)
        except TimeoutError:
            raise ClientDisconnect from None
        if chunk is None:
            return
        yield chunk


async def limited(request: Request, limit: int) -> AsyncGenerator[bytes]:
    """The body in chunks, read no further than the limit. Raises MaxRequestSizeExceeded."""
    refusal = MaxRequestSizeExceeded(f"A request may have {limit} bytes (TASKARRAY_MAX_MESSAGE).", max=limit)
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise refusal
    size = 0
    async for chunk in arriving(request):
        size += len(chunk)
        if size > limit:
            raise refusal
        yield chunk


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, read no further than the limit. Raises MaxRequestSizeExceeded."""
    return b"".join([chunk async for chunk in limited(request, limit)])


class FormParser(MultiPartParser):
    """A multipart form, whose text is UTF-8 whatever charset the client names: some of those that there are would hold
    up everybody for minutes, or fail."""

    def on_part_begin(self) -> None:
        self._charset = "utf-8"
        super().on_part_begin()


def bearer(request: Request) -> str | None:
    """The key of an `Authorization: Bearer` header."""
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" and key.strip() else None
