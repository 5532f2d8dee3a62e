"""One attempt of a delivery: its body made of the kept outcome, signed, sent through the guard, the answer judged.

Webhooks of the task array are signed after Standard Webhooks; those of predictions as their clients check them,
which no library for the standard does. An image goes as its bare bytes: an address to put it at carries its own
permission. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpcore2
import orjson
from standardwebhooks.webhooks import Webhook

from server.addresses import RECEIVER_PORTS, Guard, Refused, Unresolved, guarded_client, read_url
from server.api import v1
from server.api.v3_prediction import prediction
from server.blobs import BlobMissing, Blobs
from server.config import Config
from server.errors import MediaNotFound
from server.images import Images
from server.jobs import Known
from server.queue import Queue
from server.store import Store
from server.tally import tally
from server.tenants import Tenant, Tenants
from server.webhooks import Delivery

_READ_BYTES = 16 * 1024
_READ_SECONDS = 2.0
"""How much of an answer's body is read, so that a receiver which writes one is not cut off at once."""
Content = bytes | AsyncIterator[bytes]
Headers = dict[str, str]


class Undelivered(Exception):
    """The attempt failed. `after`: the receiver asks to be left alone for so many seconds; `final`: no further one."""

    def __init__(self, reason: str, *, after: float = 0, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after
        self.final = final


class Messenger:
    """Sends deliveries, one attempt at a time each. `close` it at the end."""

    def __init__(self, config: Config, store: Store) -> None:
        self.config = config
        self.queue = Queue(store)
        self.tenants = Tenants(store, config)
        self.images = Images(store, config.image_ttl)
        self.blobs = Blobs(config.blob_url)
        self._client = guarded_client(Guard(config.fetch_allow, RECEIVER_PORTS))

    async def close(self) -> None:
        """Close the connections that are kept for the next delivery."""
        await self._client.aclose()

    async def send(self, delivery: Delivery) -> int:
        """Make one attempt: the status of the answer. Raises Undelivered, or ServiceUnavailable without Redis."""
        if delivery.kind == "image":
            method, (headers, content) = "PUT", await self._image(delivery)
        else:
            method, (headers, content) = "POST", await self._message(delivery)
        limit = self.config.webhook_timeout
        try:
            async with asyncio.timeout(limit):
                return await self._exchange(delivery, method, headers, content)
        except Refused as refused:
            tally.add("fetch_blocked", refused.rule)
            raise Undelivered(f"not sent: {refused}", final=True) from None
        except Unresolved as unresolved:
            raise Undelivered(str(unresolved)) from None
        except (TimeoutError, httpcore2.TimeoutException):
            raise Undelivered(f"no answer within {limit:g} s (TASKARRAY_WEBHOOK_TIMEOUT)") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, ssl.SSLError):
            raise Undelivered("the connection failed or ended before the answer") from None
        except BlobMissing:
            raise Undelivered("the image is no longer kept", final=True) from None

    async def _message(self, delivery: Delivery) -> tuple[Headers, bytes]:
        known = await self.queue.known(delivery.tenant, delivery.task)
        if known is None or known.outcome is None:
            raise Undelivered("the task's outcome is no longer kept", final=True)
        body = await self._body(delivery, known)
        secret = await self.tenants.webhook_secret(Tenant(delivery.tenant, ""))
        trace = known.outcome.get("traceparent") or known.request.get("traceparent", "")
        about = {"content-type": "application/json", "content-length": str(len(body))}
        return about | ({"traceparent": trace} if trace else {}) | signed(
            "v3" if delivery.kind == "prediction" else "v1", secret, delivery.id, int(time.time()), body
        ), body

    async def _body(self, delivery: Delivery, known: Known) -> bytes:
        outcome, sent = known.outcome or {}, known.request
        if delivery.kind == "prediction":
            return orjson.dumps(prediction(delivery.task, known, delivery.base_url))
        if delivery.kind == "errors":
            return v1.dumps(v1.errors([outcome["failure"]], sent))
        try:
            items = await v1.items_of(self.blobs, sent, {"items": [outcome["items"][delivery.index]]})
            return v1.dumps(v1.data(items))
        except MediaNotFound as gone:
            return v1.dumps(v1.errors([gone.as_dict()], sent))

    async def _image(self, delivery: Delivery) -> tuple[Headers, Content]:
        image = await self.images.use(delivery.tenant, delivery.image)
        if image is None:
            raise Undelivered("the image is no longer kept", final=True)
        return {"content-type": image.mime, "content-length": str(image.bytes)}, self.blobs.read(image.blob)

    async def _exchange(self, delivery: Delivery, method: str, headers: Headers, content: Content) -> int:
        target = read_url(delivery.url)
        told = {"host": target.host, "user-agent": "taskarray"} | headers
        response = await self._client.handle_async_request(
            httpcore2.Request(method, target.url, headers=list(told.items()), content=content)
        )
        async with aclosing(response):
            _judge(response)
            with suppress(TimeoutError, httpcore2.NetworkError, httpcore2.ProtocolError):
                async with asyncio.timeout(_READ_SECONDS):
                    await _skim(response)
            return response.status


def signed(face: str, secret: str, id_: str, at: int, body: bytes) -> Headers:
    """The headers by which a receiver knows that a body comes from here. `at` is in seconds since 1970."""
    if face == "v3":
        # The secret is used as it is written, not as the bytes that it spells in base64.
        key, message = secret.removeprefix("whsec_").encode(), f"{id_}.{at}.".encode() + body
        signature = "v3," + hmac.new(key, message, hashlib.sha256).hexdigest()
    else:
        signature = Webhook(secret).sign(id_, datetime.fromtimestamp(at, UTC), body.decode())
    return {"webhook-id": id_, "webhook-timestamp": str(at), "webhook-signature": signature}


def _judge(response: httpcore2.Response) -> None:
    """Raises Undelivered for every answer but success."""
    status = response.status
    if 200 <= status < 300:
        return
    if status == 410:
        raise Undelivered("answered 410: the receiver wants nothing any more", final=True)
    if 300 <= status < 400:
        raise Undelivered(f"answered {status}; redirects are not followed")
    asked = next((value.decode("latin-1") for name, value in response.headers if name.lower() == b"retry-after"), "")
    raise Undelivered(f"answered {status}", after=_seconds(asked))


def _seconds(retry_after: str) -> float:
    """A Retry-After header, in seconds or as a date; 0 where it says nothing."""
    if retry_after.strip().isdecimal():
        return float(retry_after)
    with suppress(ValueError, OverflowError):
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    return 0.0


async def _skim(response: httpcore2.Response) -> None:
    size = 0
    async with aclosing(response.aiter_stream()) as chunks:
        async for chunk in chunks:
            size += len(chunk)
            if size > _READ_BYTES:
                return
