"""The list of a tenant's predictions, and their deletion."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

from server.api.v3_answers import address, body_object
from server.api.v3_prediction import identifier, prediction, task_uuid
from server.errors import InvalidParameter, InvalidRequest, TaskNotFound
from server.gateway import Gateway
from server.tenants import Tenant

_STATES = {
    "completed": ("succeeded",),
    "failed": ("failed",),
    "processing": ("held", "queued", "running"),
    "created": ("held", "queued"),
}
_NEVER = ("cancelled", "timeout", "deleted")
"""Statuses of this API that no prediction has here."""
_MOST_DELETED = 1000


@dataclass(frozen=True)
class _Filter:
    page: int
    size: int
    model: str
    states: tuple[str, ...]
    after: float | None
    before: float | None
    inputs: bool


async def posted(gateway: Gateway, request: Request, tenant: Tenant) -> Any:
    """The list, filtered as the body says."""
    return await _page(gateway, request, tenant, _read(await body_object(gateway, request)))


async def queried(gateway: Gateway, request: Request, tenant: Tenant) -> Any:
    """The list, filtered as the query says."""
    return await _page(gateway, request, tenant, _read(request.query_params))


async def _page(gateway: Gateway, request: Request, tenant: Tenant, wanted: _Filter) -> dict[str, Any]:
    found = [
        entry.uuid
        for entry in await gateway.predictions.listed(tenant.id, wanted.after, wanted.before)
        if wanted.model in ("", entry.model) and entry.state in wanted.states
    ]
    uuids = found[(wanted.page - 1) * wanted.size :][: wanted.size]
    known = await asyncio.gather(*(gateway.queue.known(tenant.id, uuid) for uuid in uuids))
    base_url = address(gateway, request)
    items = [prediction(uuid, task, base_url) for uuid, task in zip(uuids, known, strict=True) if task]
    for item in items:
        given = item.pop("input")
        item |= {"input": given, "inputs": given} if wanted.inputs else {}
    return {"page": wanted.page, "total": len(found), "items": items}


async def delete_many(gateway: Gateway, request: Request, tenant: Tenant) -> Any:
    """Remove ended predictions and what they made; others are skipped."""
    ids = (await body_object(gateway, request)).get("ids")
    if not isinstance(ids, list) or len(ids) > _MOST_DELETED or not all(isinstance(name, str) for name in ids):
        sentence = f"ids is a list of at most {_MOST_DELETED} ids of predictions."
        raise InvalidParameter(sentence, parameter="ids", type="array")
    uuids = {uuid for name in ids if (uuid := task_uuid(name))}
    erased = await asyncio.gather(*(gateway.predictions.erase(tenant.id, uuid) for uuid in uuids))
    return {"deleted_count": sum(erased)}


async def delete(gateway: Gateway, request: Request, tenant: Tenant) -> Any:
    """Remove one prediction and what it made."""
    uuid = task_uuid(request.path_params["id"]) or ""
    if not await gateway.predictions.erase(tenant.id, uuid):
        if await gateway.queue.known(tenant.id, uuid) is None:
            raise TaskNotFound
        raise InvalidRequest("This prediction is still being made. Delete it when it has ended.")
    return {"id": identifier(uuid), "status": "deleted"}


def _read(asked: Mapping[str, Any]) -> _Filter:
    status, inputs = asked.get("status"), asked.get("include_inputs")
    if status and status not in (*_STATES, *_NEVER):
        allowed = [*_STATES, *_NEVER]
        raise InvalidParameter(f"status is one of {', '.join(allowed)}.", parameter="status", allowedValues=allowed)
    return _Filter(
        page=_whole(asked, "page", 1, 10**6),
        size=_whole(asked, "page_size", 100, 100),
        model=str(asked.get("model") or ""),
        states=_STATES.get(status, ()) if status else tuple(state for states in _STATES.values() for state in states),
        after=_time(asked, "created_after"),
        before=_time(asked, "created_before"),
        inputs=inputs is True or str(inputs).lower() in ("true", "1"),
    )


def _whole(asked: Mapping[str, Any], name: str, default: int, most: int) -> int:
    value = asked.get(name)
    text = str(default if value is None or value == "" else value)
    if not text.isdecimal() or len(text) > 7 or not 1 <= int(text) <= most:
        raise InvalidParameter(f"{name} is a whole number from 1 to {most}.", parameter=name, min=1, max=most)
    return int(text)


def _time(asked: Mapping[str, Any], name: str) -> float | None:
    """A time in seconds since 1970; one without a zone is UTC."""
    value = asked.get(name)
    if value is None or value == "":
        return None
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise InvalidParameter(f"{name} is a time in ISO 8601.", parameter=name, type="string") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
