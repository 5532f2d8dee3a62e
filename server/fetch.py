"""Where the bytes of an image reference come from: inline base64, or a URL fetched within limits.

No reference is ever taken for a path. A URL is fetched from public addresses, and from networks that the
operator allows.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Literal

import httpcore2
import pybase64

from server.addresses import Guard, Network, Refused, Resolver, Target, Unresolved, guarded_client, read_url
from server.errors import ApiError, DownloadFailed, InvalidImageURL, InvalidParameter, ValueTooLarge
from server.tally import tally

Kind = Literal["uuid", "result", "content", "url", "data", "base64"]

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NTH = re.compile(rf"{_UUID.pattern}#[1-9][0-9]?", re.IGNORECASE)
_RESULT, _CONTENT = 39, len("blake3:") + 64
_SCHEME = re.compile(r"\s*[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_HEAD = 1024
"""Characters at the start of a reference within which a scheme or the head of a data URI must stand."""
_WHITESPACE = b" \t\r\n\f\v"
_WRITE = 2**20

_REDIRECTS = (301, 302, 303, 307, 308)
_BUSY = (408, 425, 429)
_COMPRESSED = ("br", "compress", "deflate", "gzip", "x-compress", "x-gzip", "zstd")
_HEADERS = (
    (b"User-Agent", b"taskarray"),
    (b"Accept", b"image/png, image/jpeg, image/webp, image/*;q=0.8, */*;q=0.5"),
    (b"Accept-Encoding", b"identity"),
)


def kind(reference: str) -> Kind:
    """What a reference is by its form: an image or a task by its `uuid`, a task's nth `result` (`‹uuid›#n`), an image
    by its `content` (`blake3:‹hex›`), … `base64` is all that remains; whether it decodes is another matter."""
    if len(reference) == 36 and _UUID.fullmatch(reference):
        return "uuid"
    if len(reference) <= _RESULT and _NTH.fullmatch(reference):
        return "result"
    if len(reference) == _CONTENT and reference[:7] == "blake3:":
        return "content"
    head = reference[:_HEAD]
    if head.lstrip()[:5].lower() == "data:":
        return "data"
    return "url" if _SCHEME.match(head) else "base64"


def decode(reference: str | bytes | memoryview, parameter: str) -> bytes:
    """The bytes in a data URI or in plain base64; whitespace and missing padding are forgiven.

    Takes 30 ms for 64 MB, a data URI in a str 80 ms; other threads run meanwhile. Raises InvalidParameter.
    """
    payload = _payload(reference, parameter)
    try:
        found = pybase64.b64decode(payload, validate=True)
    except ValueError:
        found = _decode_leniently(payload, parameter)
    if not found:
        raise InvalidParameter("The image has no data: its base64 is empty.", parameter=parameter)
    return found


def _payload(reference: str | bytes | memoryview, parameter: str) -> str | bytes | memoryview:
    """The base64 of a reference, cut out of the data URI where it is one."""
    head = reference[:_HEAD]
    head = head if isinstance(head, str) else bytes(head).decode("latin-1")
    if head.lstrip()[:5].lower() != "data:":
        return reference
    declared, comma, _ = head.partition(",")
    if not comma or not declared.rstrip().lower().endswith(";base64"):
        raise InvalidParameter("Only data URIs in base64 are read: data:image/png;base64,iVBOR…", parameter=parameter)
    return reference[len(declared) + 1 :]


def _decode_leniently(payload: str | bytes | memoryview, parameter: str) -> bytes:
    try:
        packed = payload.encode("ascii") if isinstance(payload, str) else bytes(payload)
        bare = packed.translate(None, _WHITESPACE).rstrip(b"=")
        return pybase64.b64decode(bare + b"=" * (-len(bare) % 4), validate=True)
    except ValueError:
        raise InvalidParameter(
            "This is neither a UUID v4, a URL, a data URI nor base64. The server never opens paths: upload "
            "the image and send its UUID, or send a URL, a data URI or the bytes in base64.",
            parameter=parameter,
        ) from None


class Fetcher:
    """Brings images from URLs. One for the whole process; `close` it at the end.

    `seconds` is for a whole fetch with its redirects, `first_byte_seconds` for the head of each answer.
    """

    def __init__(
        self,
        allow: Sequence[Network],
        max_bytes: int,
        seconds: float = 10,
        first_byte_seconds: float = 5,
        redirects: int = 3,
        ports: Sequence[int] = (80, 443),
        resolver: Resolver | None = None,
    ) -> None:
        self._client = guarded_client(Guard(allow, ports, resolver))
        self._max_bytes, self._redirects = max_bytes, redirects
        self._seconds, self._first_byte_seconds = seconds, first_byte_seconds

    async def close(self) -> None:
        """Close the connections that are kept for the next fetch."""
        await self._client.aclose()

    async def fetch(self, url: str, into: Path, parameter: str) -> None:
        """Write the body of a URL into a file. After a failure there is no file.

        Raises InvalidImageURL (not worth another try), DownloadFailed (worth one), ValueTooLarge.
        """
        try:
            await self._follow_in_time(url, into)
        except BaseException as failure:
            into.unlink(missing_ok=True)
            if isinstance(failure, ApiError):
                failure.parameter = parameter
            raise

    async def _follow_in_time(self, url: str, into: Path) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await self._follow(url, into)
        except Refused as refused:
            tally.add("fetch_blocked", refused.rule)
            raise InvalidImageURL(f"The URL was not fetched: {refused}. Send a public URL.") from None
        except Unresolved as unresolved:
            raise DownloadFailed(f"The URL was not fetched: {unresolved}. Check the host name.") from None
        except (TimeoutError, httpcore2.TimeoutException):
            raise DownloadFailed(
                f"The URL was not fetched: its server did not send all of it within {self._seconds:g} seconds, "
                f"or nothing within {self._first_byte_seconds:g}. Try again, or upload the image."
            ) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, ssl.SSLError):
            raise DownloadFailed(
                "The URL was not fetched: the connection to its server failed or ended before the whole "
                "image had come. Try again, or upload the image."
            ) from None

    async def _follow(self, url: str, into: Path) -> None:
        target = read_url(url)
        for _ in range(self._redirects + 1):
            location = await self._get(target, into)
            if location is None:
                return
            target = read_url(location, base=str(target))
        raise InvalidImageURL(
            f"The URL redirects more than {self._redirects} times, or in a circle. Use the address where it ends."
        )

    async def _get(self, target: Target, into: Path) -> str | None:
        """Save the body, or give the address that the answer redirects to."""
        request = httpcore2.Request("GET", target.url, headers=[(b"Host", target.host.encode()), *_HEADERS])
        async with asyncio.timeout(self._first_byte_seconds):
            response = await self._client.handle_async_request(request)
        async with aclosing(response):
            headers = {name.lower(): value.decode(errors="replace") for name, value in response.headers}
            if response.status in _REDIRECTS and headers.get(b"location"):
                return headers[b"location"]
            self._check(response.status, headers, target.host)
            await self._save(response, into, target.host)
        return None

    def _check(self, status: int, headers: dict[bytes, str], host: str) -> None:
        """Whether the head of an answer lets one expect an image that is not too large."""
        if status in _BUSY or status >= 500:
            sentence = f"{host} answered {status}. Try again later, or upload the image."
            raise DownloadFailed(sentence, httpStatus=status)
        if status not in (200, 203):
            sentence = f"{host} answered {status}. Check that the URL opens for everybody, without signing in."
            raise InvalidImageURL(sentence, httpStatus=status)
        encoding = headers.get(b"content-encoding", "").strip().lower()
        if any(word.strip() in _COMPRESSED for word in encoding.split(",")):
            raise InvalidImageURL(
                f"{host} sends the image compressed ({encoding}) although it was asked not to. "
                "Use a URL that gives the image as it is."
            )
        length = headers.get(b"content-length", "")
        if length.isdecimal() and int(length) > self._max_bytes:
            raise self._too_large(host)

    async def _save(self, response: httpcore2.Response, into: Path, host: str) -> None:
        size, waiting = 0, bytearray()
        with await asyncio.to_thread(into.open, "wb") as file:
            async with aclosing(response.aiter_stream()) as chunks:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > self._max_bytes:
                        raise self._too_large(host)
                    waiting += chunk
                    if len(waiting) >= _WRITE:
                        await asyncio.to_thread(file.write, waiting)
                        waiting = bytearray()
            await asyncio.to_thread(file.write, waiting)
        tally.add("fetch_bytes", by=size)
        if not size:
            raise InvalidImageURL(f"{host} answered without any data. Check that the URL leads to an image.")

    def _too_large(self, host: str) -> ValueTooLarge:
        return ValueTooLarge(
            f"{host} sends more than {self._max_bytes} bytes, which is the limit for an image from a URL. "
            "Send a smaller one, or ask the operator to raise TASKARRAY_FETCH_MAX_BYTES.",
            maxBytes=self._max_bytes,
        )
