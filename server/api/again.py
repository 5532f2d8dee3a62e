"""The work of an earlier task once more, from what is kept of its request: as a task of its own, that nobody waits for.

The request is kept without pixels. Where it was more than that, the work cannot be done again, and this is said.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from uuid import uuid4

from starlette.requests import Request

from server.api import v1
from server.api.v3_answers import address
from server.api.v3_order import Order, requested
from server.errors import TaskExpired, TaskNotFound
from server.gateway import Gateway
from server.prepare import Caller, Prepared, Refused
from server.prepare import Request as Asked
from server.tenants import Tenant

_CUT = re.compile(r"… \(\d+ characters\)$")
"""How a long string ends that is not kept (`dispatch.shortened`)."""
_LEFT_OUT = ("webhookURL", "uploadEndpoint", "batchUUID", "deadlineMs", "startWithinMs", "validateOnly")
"""Whoever asked for the work gets nothing more of it, and its time is over."""
_GONE = "What came with this task is no longer kept, so it cannot be done again here. Have its client send it again."


async def rerun(gateway: Gateway, request: Request, tenant: Tenant, uuid: str) -> str | Refused:
    """Queue the work of a task again; the UUID of the new one, or why it was not taken. Raises TaskNotFound and
    TaskExpired."""
    known = await gateway.queue.known(tenant.id, uuid)
    if known is None:
        raise TaskNotFound(parameter="taskUUID")
    if _incomplete(known.request):
        raise TaskExpired(_GONE)
    asked = _asked(gateway, known.request)
    caller = Caller(tenant, "", address(gateway, request), frozenset({"binary"}))
    before = gateway.dispatch.prepare(caller, asked)
    if isinstance(before, Refused):
        return before
    if asked.face == "v1" and before.fingerprint != known.fingerprint:
        raise TaskExpired(_GONE)
    fresh = str(uuid4())
    prepared = gateway.dispatch.prepare(caller, _anew(asked, fresh))
    answer = await gateway.dispatch.submit(caller, prepared) if isinstance(prepared, Prepared) else prepared
    return answer if isinstance(answer, Refused) else fresh


def _asked(gateway: Gateway, sent: dict[str, Any]) -> Asked:
    """What a task was asked to do, from its request as it is kept."""
    about = sent.get("prediction")
    if not isinstance(about, dict):
        return v1.level(sent)
    return requested(gateway.catalog, Order(str(about["model"]), sent["input"], sync=False, base64=False, webhook=None))


def _anew(asked: Asked, uuid: str) -> Asked:
    """The same under another UUID, and really done."""
    fresh = {"taskUUID": uuid, "deliveryMethod": "async", "cache": "refresh"}
    fields = {name: value for name, value in asked.fields.items() if name not in _LEFT_OUT}
    sent = {name: value for name, value in asked.sent.items() if name not in _LEFT_OUT}
    return replace(asked, sent=sent | fresh, fields=fields | fresh)


def _incomplete(value: Any) -> bool:
    """Whether a part of a request is not as it was sent."""
    match value:
        case str():
            return bool(_CUT.search(value))
        case dict():
            return ("prediction" in value and "input" not in value) or any(map(_incomplete, value.values()))
        case list():
            return any(map(_incomplete, value))
        case _:
            return False
