"""The body of a request to /v2 as fields: JSON, a multipart form, or a plain form. Nobody may send without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson
from python_multipart.exceptions import FormParserError
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from server.api.body import FormParser, arriving
from server.api.v2_errors import MAX_IMAGE, Failure, misshapen, too_many_bytes

_MAX_BODY = MAX_IMAGE * 4 // 3 + 4 * 2**20
"""An image of the largest size in base64, and room for the rest: so that it is the image that is refused."""
_PARTS = 100
_ESCAPES = 1_500_000
"""Characters of a plain form that may be written as %41: what base64 of the largest image has. Each costs memory."""
_ALIASES = {"imageurl": "image_url"}


@dataclass(frozen=True)
class Form:
    """What a client sent. Names are in lower case, what is null or empty is absent, and the last of a name counts.

    A value is text, the bytes of a file, or, in JSON, anything.
    """

    fields: dict[str, Any]
    json: bool


class _InMemory(FormParser):
    """Keeps files in memory, which hold no more than a body may have."""

    spool_max_size = _MAX_BODY
    ended = False

    def on_end(self) -> None:
        self.ended = True


async def read_form(request: Request) -> Form:
    """The fields of a body, which is read no further than its limit. Raises Failure."""
    kind = request.headers.get("content-type", "")
    match kind.partition(";")[0].strip().lower():
        case "multipart/form-data":
            return Form(_levelled(await _parts(request)), json=False)
        case "application/json":
            return Form(_levelled(_parsed(await _body(request)).items()), json=True)
        case "application/x-www-form-urlencoded":
            return Form(_levelled(await asyncio.to_thread(_pairs, await _body(request))), json=False)
        case _:
            sentence = "Send multipart/form-data or application/json."
            raise misshapen("content_type", ["header", "content-type"], sentence, kind)


async def _parts(request: Request) -> list[tuple[str, str | bytes]]:
    parser = _InMemory(request.headers, _limited(request), max_files=_PARTS, max_fields=_PARTS, max_part_size=_MAX_BODY)
    try:
        items = (await parser.parse()).multi_items()
    except (MultiPartException, FormParserError) as broken:
        raise _unread(broken) from None
    if not parser.ended:
        raise _unread("it ends before its last boundary.")
    return [(name, value if isinstance(value, str) else await value.read()) for name, value in items]


def _pairs(body: bytes) -> list[tuple[str, str]]:
    if body.count(b"%") > _ESCAPES:
        raise _unread("it has too many escaped characters. Send multipart/form-data.")
    try:
        return parse_qsl(body.decode("latin-1"), max_num_fields=_PARTS)
    except ValueError as broken:
        raise _unread(broken) from None


def _unread(broken: Exception | str) -> Failure:
    return misshapen("form_parsing", ["body"], f"The form cannot be read: {broken}")


async def _body(request: Request) -> bytes:
    return b"".join([chunk async for chunk in _limited(request)])


async def _limited(request: Request) -> AsyncGenerator[bytes, None]:
    length, size = request.headers.get("content-length", ""), 0
    if length.isdecimal() and int(length) > _MAX_BODY:
        raise too_many_bytes()
    async for chunk in arriving(request):
        size += len(chunk)
        if size > _MAX_BODY:
            raise too_many_bytes()
        yield chunk


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Failure(400, "invalid_json", "Request body is not valid JSON.") from None
    if not isinstance(found, dict):
        raise misshapen("dict_type", ["body"], "Input should be a valid dictionary")
    return found


def _levelled(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    named = [(name.lower(), value) for name, value in items if value is not None and value != "" and value != b""]
    return {_ALIASES.get(name, name): value for name, value in named}
