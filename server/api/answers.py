"""What the task array's faces answer without a worker: how a task stands, what an account did, an outcome as frames."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from server.api import v1
from server.config import Config
from server.errors import ApiError, InvalidParameter, MaxRequestSizeExceeded, MediaNotFound, TaskNotFound
from server.gateway import Gateway
from server.jobs import TERMINAL, Known
from server.log import incident
from server.tenants import Tenant

_POLL_SECONDS = 0.02


async def outcome_frame(gateway: Gateway, sent: dict[str, Any], outcome: dict[str, Any], **members: Any) -> v1.Frame:
    """The frame of a finished task."""
    if failure := outcome.get("failure"):
        return v1.errors([failure], sent, **members)
    try:
        return v1.data(await v1.items_of(gateway.blobs, sent, outcome, **members))
    except MediaNotFound as gone:
        return v1.errors([gone.as_dict()], sent, **members)


def too_many(config: Config, sent: dict[str, Any]) -> v1.Frame:
    """The refusal of an object beyond the length that an array may have; those before it are taken."""
    limit = config.max_tasks_per_array
    refusal = MaxRequestSizeExceeded(f"An array may hold {limit} tasks (TASKARRAY_MAX_TASKS_PER_ARRAY).", max=limit)
    return v1.errors([refusal.as_dict()], sent)


def ack_frame(sent: dict[str, Any]) -> v1.Frame:
    """The frame that says an async task was taken."""
    return v1.data([v1.echo(sent)])


async def get_response(gateway: Gateway, tenant: Tenant, asked: dict[str, Any]) -> v1.Frame:
    """How a task of this key stands: its items so far, or its error. Waits a moment for news of one that still runs."""
    try:
        known = await _awaited(gateway, tenant, asked)
    except ApiError as failure:
        return v1.errors([failure.as_dict()], asked)
    sent = known.request
    if known.outcome is None:
        return v1.data(_processing(gateway, known))
    frame = await outcome_frame(gateway, sent, known.outcome)
    status = "error" if "errors" in frame else "success"
    return {kind: [item | {"status": status} for item in items] for kind, items in frame.items()}


async def get_task_details(gateway: Gateway, tenant: Tenant, asked: dict[str, Any]) -> v1.Frame:
    """A task's request as it was sent (pixels cut short) and the answer to it."""
    try:
        known = await _known(gateway, tenant, asked)
    except ApiError as failure:
        return v1.errors([failure.as_dict()], asked)
    response: dict[str, Any] = {"data": _processing(gateway, known)}
    if known.outcome is not None:
        response = await outcome_frame(gateway, known.request, known.outcome)
    return v1.data([v1.echo(asked) | {"request": [known.request], "response": response}])


async def account_management(gateway: Gateway, tenant: Tenant, asked: dict[str, Any]) -> v1.Frame:
    """Who the key belongs to, and what it has had done here. Nothing costs anything on a server of one's own."""
    try:
        if asked.get("operation", "getDetails") != "getDetails":
            refusal = "This server answers the operation getDetails."
            raise InvalidParameter(refusal, parameter="operation", allowedValues=["getDetails"])
        usage = await gateway.tenants.usage(tenant)
        secret = await gateway.tenants.webhook_secret(tenant)
    except ApiError as failure:
        return v1.errors([failure.as_dict()], asked)
    about: dict[str, Any] = {"operation": "getDetails", "organizationName": tenant.name, "balance": 0, "usage": usage}
    about["organizationUUID"] = str(uuid5(NAMESPACE_OID, f"taskarray:{tenant.id}"))
    about["webhookSecret"] = secret
    about["team"] = about["apiKeys"] = [{"name": tenant.name}]
    return v1.data([v1.echo(asked) | about])


async def _known(gateway: Gateway, tenant: Tenant, asked: dict[str, Any]) -> Known:
    uuid = asked.get("taskUUID")
    known = await gateway.queue.known(tenant.id, uuid) if isinstance(uuid, str) else None
    if known is None:
        raise TaskNotFound("There is no such task of this key, or its result is no longer kept.", parameter="taskUUID")
    return known


async def _awaited(gateway: Gateway, tenant: Tenant, asked: dict[str, Any]) -> Known:
    loop = asyncio.get_running_loop()
    end, pause = loop.time() + gateway.config.poll_hold, _POLL_SECONDS
    first = known = await _known(gateway, tenant, asked)
    while known.state not in TERMINAL and known.progress == first.progress and loop.time() + pause < end:
        await asyncio.sleep(pause)
        pause = min(pause * 2, 0.2)
        known = await _known(gateway, tenant, asked)
    return known


def _processing(gateway: Gateway, known: Known) -> list[dict[str, Any]]:
    """One item for each result to come, with its UUID: without it the old Python client waits half a minute."""
    item: dict[str, Any] = v1.echo(known.request) | {"status": "processing"}
    if known.progress is not None:
        item["progress"] = round(known.progress * 100)
    if known.stage:
        item["stage"] = known.stage
    member = gateway.catalog.named(known.request["taskType"]).uuid_member
    return [item | ({member: uuid} if member else {}) for uuid in known.uuids]


ASKED = {"getResponse": get_response, "getTaskDetails": get_task_details, "accountManagement": account_management}
"""Task types that a gateway answers from what it finds in Redis."""
CONVERSATION = ("authentication", "ping", *ASKED)
"""Task types that are about the conversation and never queue behind work."""


async def answered(gateway: Gateway, tenant: Tenant, asked: dict[str, Any]) -> v1.Frame:
    """The answer to a task of ASKED. A bug in it is told under this task, and costs no other."""
    try:
        return await ASKED[asked["taskType"]](gateway, tenant, asked)
    except Exception as bug:
        return v1.errors([incident("answer_failed", bug, tenant=tenant.id).as_dict()], asked)
