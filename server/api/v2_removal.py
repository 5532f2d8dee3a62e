"""POST /v2: the background of one image removed, the BackgroundErase dialect. And /v2/account, /v2/health."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pybase64
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.api.exchange import exchange
from server.api.v2_door import Door
from server.api.v2_errors import MAX_IMAGE, MAX_PIXELS, Failure, translated, unavailable
from server.api.v2_form import read_form
from server.api.v2_order import Order, image_of, read_order
from server.blobs import BlobMissing
from server.gateway import Gateway
from server.images import Image
from server.prepare import Refused
from server.prepare import Request as Asked
from server.tenants import Tenant, hashed

_KEPT_SECONDS = 3600
"""The answer has the image itself, so nobody needs it, or what came in, for long."""
_LONGEST = 10_000
"""Pixels a side that are worked on: what `size=full` may give."""
_FILE = "file:image"
_BYTES = ("application/octet-stream", "image/")


def routes(gateway: Gateway) -> list[Route]:
    """The addresses of this face. None of them leads to another: many clients do not follow."""
    removal = Removal(gateway)
    return [
        Route("/v2", Door("POST", removal.remove)),
        Route("/v2/", Door("POST", removal.remove)),
        Route("/v2/account", Door("GET", removal.account)),
        Route("/v2/health", Door("GET", removal.health)),
    ]


class Removal:
    """The actions of this face."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def remove(self, request: Request, uuid: str) -> Response:
        """The image without its background, or its mask, in one answer."""
        tenant = await self._tenant(request)
        form = await read_form(request)
        order = read_order(form)
        asked = _asked(order, await asyncio.to_thread(image_of, order), uuid)
        async with exchange(self.gateway, request, tenant) as found:
            prepared = await asyncio.to_thread(self.gateway.dispatch.prepare, found.caller, asked)
            end = await found.run(prepared, self.gateway.config.sync_wait)
        if end is None:
            wait = f"{self.gateway.config.sync_wait:g} s (TASKARRAY_SYNC_WAIT)"
            raise unavailable(f"The image was not ready within {wait}. Send it again later, or smaller.", seconds=5)
        outcome = {"failure": end.failures[0]} if isinstance(end, Refused) else end.outcome or {}
        if failure := outcome.get("failure"):
            raise translated(failure)
        image, data = await self._made(tenant, outcome)
        raw = not form.json or _wants_bytes(request)
        return Response(data, media_type=image.mime) if raw else _in_json(order, image, data)

    async def _made(self, tenant: Tenant, outcome: dict[str, Any]) -> tuple[Image, bytes]:
        """The result as it lies in the registry."""
        gone = unavailable("The result is no longer kept. Send the image again.")
        if not outcome or not (image := await self.gateway.images.use(tenant.id, outcome["items"][0]["imageUUID"])):
            raise gone
        try:
            return image, b"".join([chunk async for chunk in self.gateway.blobs.read(image.blob)])
        except BlobMissing:
            raise gone from None

    async def account(self, request: Request, uuid: str) -> Response:
        """Whose key it is. Clients show the address as the name of their connection."""
        tenant = await self._tenant(request)
        fingerprint = f"tok_fp_{hashed(request.headers['x-api-key'])[:8]}"
        email = tenant.name if "@" in tenant.name else f"{tenant.name}@taskarray.invalid"
        account = {"email": email, "plan": "Self-hosted", "subscription_status": "active"}
        return _json(
            {
                "status": "ok",
                "api_key": {"valid": True, "mode": "live", "fingerprint": fingerprint},
                "account": account | {"billing_model": "none", "usage_unit": "image"},
            }
        )

    async def health(self, request: Request, uuid: str) -> Response:
        """Whether an image sent now would be worked on."""
        failing = dict.fromkeys((await self.gateway.readiness()).values())
        failing.pop("", None)
        if failing:
            raise unavailable(" ".join(failing))
        return _json({"status": "ok"})

    async def _tenant(self, request: Request) -> Tenant:
        key = request.headers.get("x-api-key", "").strip()
        if not key:
            raise Failure(401, "missing_api_key", "Missing API key.")
        return await self.gateway.tenants.identify(key)


def _asked(order: Order, image: str | bytes, uuid: str) -> Asked:
    """An order as a task object."""
    fields: dict[str, Any] = {
        "taskType": "removeBackground",
        "taskUUID": uuid,
        "inputImage": image if isinstance(image, str) else _FILE,
        "outputFormat": "PNG" if order.mask else order.format.upper(),
        "returnOnlyMask": order.mask,
        "maxMegapixels": order.megapixels,
        "crop": order.crop,
        "despill": order.despill,
        "ttl": _KEPT_SECONDS,
    }
    if order.background and not order.mask:
        fields["rgba"] = [*order.background, 255]
    files = {_FILE: image} if isinstance(image, bytes) else {}
    limits = {
        "max_bytes": MAX_IMAGE, "max_area": MAX_PIXELS, "input_seconds": _KEPT_SECONDS, "max_working_side": _LONGEST,
    }  # fmt: skip
    return Asked(fields, fields, files=files, limits=limits, face="v2")


def _wants_bytes(request: Request) -> bool:
    return any(kind.strip().lower().startswith(_BYTES) for kind in request.headers.get("accept", "").split(","))


def _in_json(order: Order, image: Image, data: bytes) -> Response:
    member, kind = ("mask", "png") if order.mask else ("image", order.format)
    text = pybase64.b64encode_as_string(data)
    return _json({member: text, "width": image.width, "height": image.height, "format": kind})


def _json(body: object) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
