"""POST /api/v3/‹model›: run a model. GET /api/v3/predictions/‹id›: how it stands.

A client that goes away does not end its task. When it sends the same request again soon, it takes the task up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pybase64
from starlette.requests import ClientDisconnect, Request

from server.api.exchange import Exchange, exchange
from server.api.v3_answers import address, body_object, exactly, refused
from server.api.v3_order import Order, lean, mark, order, requested
from server.api.v3_prediction import SYNC_TIMEOUT, filled, prediction, results, task_uuid, wants_base64
from server.blobs import BlobMissing
from server.errors import MediaNotFound, TaskNotFound
from server.gateway import Gateway
from server.jobs import TERMINAL, Known
from server.prepare import Prepared, Refused
from server.tenants import Tenant

_NO_BASE64 = "webhook callback does not support base64 output, please use the normal API to use base64 output"
_LATE = "Sync mode timed out after {:g} seconds. The prediction is still processing asynchronously."
_POLL_SECONDS = 0.1


async def submit(gateway: Gateway, request: Request, tenant: Tenant) -> Any:
    """Have a model run. In sync mode the answer waits for the end, within bounds."""
    body = await body_object(gateway, request)
    asked = order(request.path_params["model"], request.url.query, body)
    if asked.webhook and asked.base64:
        return exactly(_NO_BASE64)
    task = requested(gateway.catalog, asked)
    async with exchange(gateway, request, tenant) as found:
        prepared = await asyncio.to_thread(gateway.dispatch.prepare, found.caller, task)
        if isinstance(prepared, Refused):
            return refused(prepared.failures, asked.model)
        return await _attended(request, found, asked, lean(prepared))


async def _attended(request: Request, found: Exchange, asked: Order, prepared: Prepared) -> Any:
    """Run a task for as long as the client is there."""
    gateway, tenant, fingerprint = found.gateway, found.caller.tenant, mark(asked, prepared)
    seconds = gateway.config.sync_wait if asked.sync else 0
    uuid = await gateway.predictions.take_up(tenant.id, fingerprint)
    if uuid and await gateway.queue.known(tenant.id, uuid):
        work = _ended(gateway, tenant, uuid, seconds)
    else:
        uuid = prepared.job.uuid
        await gateway.predictions.foresee(tenant.id, uuid, asked.model)
        work = found.run(prepared, seconds)
    end = await _unless_gone(request, work)
    if end is _GONE:
        await gateway.predictions.dropped(tenant.id, fingerprint, uuid)
        raise ClientDisconnect
    if isinstance(end, Refused):
        return refused(end.failures, asked.model)
    return await _answer(gateway, request, tenant, asked, uuid)


_GONE = object()


async def _unless_gone(request: Request, work: Coroutine[Any, Any, Any]) -> Any:
    """What the work gives, or `_GONE` when the client has left by then."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)
        return _GONE if leaving.done() else working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _ended(gateway: Gateway, tenant: Tenant, uuid: str, seconds: float) -> None:
    """Wait for the end of a task that somebody else submitted, perhaps by another gateway."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not await _is_over(gateway, tenant, uuid):  # noqa: ASYNC110  no session of this gateway is told
                await asyncio.sleep(_POLL_SECONDS)


async def _is_over(gateway: Gateway, tenant: Tenant, uuid: str) -> bool:
    known = await gateway.queue.known(tenant.id, uuid)
    return known is None or known.state in TERMINAL


async def _answer(gateway: Gateway, request: Request, tenant: Tenant, asked: Order, uuid: str) -> Any:
    known = await _known(gateway, tenant, uuid)
    if not asked.sync:
        known = replace(known, state="queued", outcome=None, seconds=0)
    shown = await shown_to(gateway, request, tenant, uuid, known)
    if asked.sync and known.outcome is None:
        late = _LATE.format(gateway.config.sync_wait)
        return shown | {"status": "processing", "code": SYNC_TIMEOUT, "error": late}
    return shown


async def result(gateway: Gateway, request: Request, tenant: Tenant) -> Any:
    """A prediction as it stands now."""
    uuid = task_uuid(request.path_params["id"]) or ""
    return await shown_to(gateway, request, tenant, uuid, await _known(gateway, tenant, uuid))


async def cancel(gateway: Gateway, request: Request, tenant: Tenant) -> Any:
    """A prediction as it then stands, ended if it had not: it has failed, for having been cancelled."""
    uuid = task_uuid(request.path_params["id"]) or ""
    await gateway.queue.cancel(tenant.id, [uuid])
    return await shown_to(gateway, request, tenant, uuid, await _known(gateway, tenant, uuid))


async def _known(gateway: Gateway, tenant: Tenant, uuid: str) -> Known:
    """A task of the tenant, which may have been deleted a short while ago. Raises TaskNotFound."""
    if known := await gateway.queue.known(tenant.id, uuid):
        return known
    created = await gateway.predictions.erased(tenant.id, uuid)
    if created is None:
        raise TaskNotFound
    return Known({"prediction": {"model": ""}}, "deleted", "async", [], None, "", None, created)


async def shown_to(gateway: Gateway, request: Request, tenant: Tenant, uuid: str, known: Known) -> dict[str, Any]:
    """A task as a prediction, with the bytes of its outputs where they were asked for. Raises MediaNotFound."""
    shown = prediction(uuid, known, address(gateway, request))
    items: list[dict[str, Any]] = (known.outcome or {}).get("items", [])
    encoded = wants_base64(known.request)
    if not encoded and not any("inline" in item for item in items):
        return shown
    outputs = list[str]()
    for item in items:
        found = results(item)
        for output in found:
            outputs.append(await _in_base64(gateway, tenant, output) if encoded else output)
        for _, blob, _ in item.get("inline", ()) if not found else ():
            outputs.append(await _bytes(gateway, blob))
    return filled(shown, outputs)


async def _in_base64(gateway: Gateway, tenant: Tenant, output: str) -> str:
    """The file behind a URL of ours; a text stays what it is."""
    _, ours, name = output.partition(f"/im/{tenant.id}/")
    if not ours:
        return output
    image = await gateway.images.use(tenant.id, name.partition(".")[0])
    if image is None:
        raise MediaNotFound("The image that this task made is no longer kept.")
    return await _bytes(gateway, image.blob)


async def _bytes(gateway: Gateway, blob: str) -> str:
    try:
        content = b"".join([chunk async for chunk in gateway.blobs.read(blob)])
    except BlobMissing:
        raise MediaNotFound("The image that this task made is no longer kept.") from None
    return pybase64.b64encode_as_string(content)
