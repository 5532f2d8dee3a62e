"""GET an image. Its URL is a capability: whoever has it may download, without a key, for as long as it lives."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from server.blobs import BlobMissing
from server.errors import ApiError, MediaNotFound, wire
from server.gateway import Gateway
from server.images import Image

_MONTH = 2_592_000
_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))")


class ImageFile:
    """The endpoint of GET and HEAD /im/{tenant}/{uuid}.{format}. A download is a use: the 30 days start again."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def __call__(self, request: Request) -> Response:
        tenant, name = request.path_params["tenant"], request.path_params["name"]
        try:
            image = await self.gateway.images.use(tenant, name.partition(".")[0])
        except ApiError as failure:
            return _failure(failure)
        if image is None:
            return _failure(MediaNotFound("There is no image at this address. It may have expired."))
        headers = _headers(image)
        known = request.headers.get("if-none-match", "")
        if headers["etag"] in known or known.strip() == "*":
            return Response(status_code=304, headers=headers)
        span = _span(request, image, headers)
        start, end = span or (0, image.bytes)
        if start >= end:
            return Response(status_code=416, headers=headers | {"content-range": f"bytes */{image.bytes}"})
        if span:
            headers["content-range"] = f"bytes {start}-{end - 1}/{image.bytes}"
        headers["content-length"] = str(end - start)
        return await self._stream(tenant, image, start, end, 206 if span else 200, headers, request.method == "HEAD")

    async def _stream(
        self, tenant: str, image: Image, start: int, end: int, status: int, headers: dict[str, str], head: bool
    ) -> Response:
        chunks = self.gateway.blobs.read(image.blob, start, start + 1 if head else end)
        try:
            first = await anext(chunks, b"")
        except BlobMissing:
            await self.gateway.images.forget(tenant, image.uuid)  # a record without a blob heals itself
            return _failure(MediaNotFound("There is no image at this address any more."))
        if head:
            return Response(status_code=status, headers=headers)

        async def body() -> AsyncIterator[bytes]:
            yield first
            async for chunk in chunks:
                yield chunk

        return StreamingResponse(body(), status, headers)


def _headers(image: Image) -> dict[str, str]:
    """Nothing in an image may run as a page of this server, and it never changes."""
    left = max(0, round(image.created + image.ttl - time.time())) if image.ttl else _MONTH
    return {
        "content-type": image.mime,
        "etag": f'"{image.uuid}"',
        "accept-ranges": "bytes",
        "cache-control": f"public, max-age={left}, immutable",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "content-disposition": f'inline; filename="{image.uuid}.{image.format.lower()}"',
        "cross-origin-resource-policy": "cross-origin",
        "access-control-allow-origin": "*",
    }


def _span(request: Request, image: Image, headers: dict[str, str]) -> tuple[int, int] | None:
    """The bytes asked for, as (start, end), which may be none; None for all, as where several ranges are asked for."""
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    condition = request.headers.get("if-range", headers["etag"])
    if not asked or condition != headers["etag"] or request.method != "GET":
        return None
    first, last, suffix = asked.groups()
    if suffix:
        return max(0, image.bytes - int(suffix)), image.bytes
    return int(first), min(int(last or image.bytes), image.bytes - 1) + 1


def _failure(failure: ApiError) -> Response:
    body = orjson.dumps({"error": wire(failure.as_dict())})
    return Response(body, failure.status, {"x-content-type-options": "nosniff"}, "application/json")
