"""What the task array's faces answer without a worker: how a task stands, what an account did, an outcome as frames."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any
from uuid import NAMESPACE_OID, uuid5

from pydantic import Field

from server.api import v1
from server.api.outcomes import outcome_frame
from server.api.standing import differs, shown
from server.batches import batch
from server.catalog import checked
from server.config import Config
from server.dispatch import Checked
from server.errors import ApiError, InvalidParameter, MaxRequestSizeExceeded, MissingParameter, TaskNotFound
from server.gateway import Gateway
from server.graph import Step
from server.jobs import Known, Standing
from server.log import incident
from server.prepare import Caller, Prepared, Refused, Request
from server.schema import Params, Uuid4

_POLL_SECONDS = 0.02
ENDED = ("success", "error")
"""The `status` in the answer to getResponse about a task that has ended."""
MOST_TARGETS = 1000
"""Tasks that one `taskCancel` may name."""
_UUID = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"


def silent(sent: dict[str, Any], outcome: dict[str, Any]) -> bool:
    """Whether this end of a task is one that its client does not want to be told of."""
    return sent.get("returnOutput") is False and "failure" not in outcome


async def check_frame(gateway: Gateway, caller: Caller, prepared: Prepared) -> v1.Frame:
    """The frame of a task that is only checked."""
    answer, sent = await gateway.dispatch.check(caller, prepared), prepared.request.sent
    if not isinstance(answer, Checked):
        return v1.errors(answer.failures, sent)
    expected = {} if answer.seconds is None else {"estimatedSeconds": round(answer.seconds, 3)}
    return v1.data([v1.echo(sent) | {"valid": True} | expected | {"cost": 0}])


def steps_of(
    config: Config, objects: list[dict[str, Any]], check: Callable[[Request], Prepared | Refused]
) -> list[Step]:
    """Each object of an array: checked, refused, or, as it was sent, a task of the conversation or one too many."""
    return [
        sent if sent.get("taskType") in CONVERSATION or place >= config.max_tasks_per_array else check(v1.level(sent))
        for place, sent in enumerate(objects)
    ]


def too_many(config: Config, sent: dict[str, Any]) -> v1.Frame:
    """The refusal of an object beyond the length that an array may have; those before it are taken."""
    limit = config.max_tasks_per_array
    refusal = MaxRequestSizeExceeded(f"An array may hold {limit} tasks (TASKARRAY_MAX_TASKS_PER_ARRAY).", max=limit)
    return v1.errors([refusal.as_dict()], sent)


def ack_frame(sent: dict[str, Any]) -> v1.Frame:
    """The frame that says an async task was taken."""
    return v1.data([v1.echo(sent)])


async def news(gateway: Gateway, caller: Caller, asked: dict[str, Any]) -> None:
    """Wait a moment for a task that still runs to stand otherwise than it does."""
    with suppress(ApiError):  # whoever answers says so
        if isinstance(uuid := asked.get("taskUUID"), str):
            await _news(gateway, caller, uuid)


async def get_response(gateway: Gateway, caller: Caller, asked: dict[str, Any]) -> v1.Frame:
    """How a task of this key stands: its items so far, or its error."""
    try:
        known = await _known(gateway, caller, asked)
        if known.outcome is None:
            (standing,) = await gateway.queue.standings(caller.tenant.id, [asked["taskUUID"]])
            known = await _known(gateway, caller, asked)
            if known.outcome is None:
                return v1.data(_processing(gateway, known, standing))
    except ApiError as failure:
        return v1.errors([failure.as_dict()], asked)
    frame = await outcome_frame(gateway, caller, known.request, known.outcome, known.oversized)
    status = "error" if "errors" in frame else "success"
    return {kind: [item | {"status": status} for item in items] for kind, items in frame.items()}


async def get_task_details(gateway: Gateway, caller: Caller, asked: dict[str, Any]) -> v1.Frame:
    """A task's request as it was sent (pixels cut short) and the answer to it."""
    try:
        known = await _known(gateway, caller, asked)
        if known.outcome is None:
            (standing,) = await gateway.queue.standings(caller.tenant.id, [asked["taskUUID"]])
            response = v1.data(_processing(gateway, known, standing))
        else:
            plain = replace(caller, features=frozenset[str]())  # no binary frames follow a frame within a frame
            response = await outcome_frame(gateway, plain, known.request, known.outcome, known.oversized)
    except ApiError as failure:
        return v1.errors([failure.as_dict()], asked)
    return v1.data([v1.echo(asked) | {"request": [known.request], "response": response}])


async def account_management(gateway: Gateway, caller: Caller, asked: dict[str, Any]) -> v1.Frame:
    """Who the key belongs to, and what it has had done here. Nothing costs anything on a server of one's own."""
    tenant = caller.tenant
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


class Cancel(Params):
    """What `taskCancel` takes: tasks by their UUIDs, or all of a batch."""

    targets: Annotated[
        list[Annotated[str, Field(min_length=1, pattern=_UUID)]] | None,
        Field(min_length=1, max_length=MOST_TARGETS, description="The tasks that are to end."),
    ] = None
    batch_uuid: Annotated[Uuid4 | None, Field(description="Or all tasks with this batchUUID.")] = None


async def task_cancel(gateway: Gateway, caller: Caller, asked: dict[str, Any]) -> v1.Frame:
    """End tasks of this key that have not ended; what became of each. Another key's are as unknown as none."""
    wanted = checked(Cancel, {name: asked[name] for name in ("targets", "batchUUID") if asked.get(name) is not None})
    if isinstance(wanted, Cancel) and wanted.targets is None and wanted.batch_uuid is None:
        wanted = [MissingParameter("targets is required: the taskUUIDs that are to end.", parameter="targets")]
    if isinstance(wanted, list):
        return v1.errors([refusal.as_dict() for refusal in wanted], asked)
    tenant = caller.tenant.id
    try:
        grouped = await batch(gateway.store, tenant, wanted.batch_uuid) if wanted.batch_uuid else []
        targets = [*(wanted.targets or ()), *grouped]
        uuids, became = list({target.lower(): None for target in targets}), dict[str, str]()
        for start in range(0, len(uuids), MOST_TARGETS):  # in steps: while Redis takes one, nobody else is served
            part = uuids[start : start + MOST_TARGETS]
            became |= zip(part, await gateway.queue.cancel(tenant, part), strict=True)
    except ApiError as failure:
        return v1.errors([failure.as_dict()], asked)
    results = [{"taskUUID": target, "status": became[target.lower()]} for target in targets]
    return v1.data([v1.echo(asked) | {"results": results}])


async def _known(gateway: Gateway, caller: Caller, asked: dict[str, Any]) -> Known:
    uuid = asked.get("taskUUID")
    known = await gateway.queue.known(caller.tenant.id, uuid) if isinstance(uuid, str) else None
    if known is None:
        raise TaskNotFound("There is no such task of this key, or its result is no longer kept.", parameter="taskUUID")
    return known


async def _news(gateway: Gateway, caller: Caller, uuid: str) -> None:
    loop = asyncio.get_running_loop()
    end, pause = loop.time() + gateway.config.poll_hold, _POLL_SECONDS
    (first,) = (now,) = await gateway.queue.standings(caller.tenant.id, [uuid])
    while now.state and not differs(first, now) and loop.time() + pause < end:
        await asyncio.sleep(pause)
        pause = min(pause * 2, 0.2)
        (now,) = await gateway.queue.standings(caller.tenant.id, [uuid])


def _processing(gateway: Gateway, known: Known, standing: Standing) -> list[dict[str, Any]]:
    """One item for each result to come, with its UUID: without it the old Python client waits half a minute."""
    item: dict[str, Any] = v1.echo(known.request) | {"status": "processing"} | shown(standing)
    member = gateway.catalog.named(known.request["taskType"]).uuid_member
    return [item | ({member: uuid} if member else {}) for uuid in known.uuids]


ASKED = {
    "getResponse": get_response,
    "getTaskDetails": get_task_details,
    "accountManagement": account_management,
    "taskCancel": task_cancel,
}
"""Task types that a gateway answers from what it finds in Redis."""
CONVERSATION = ("authentication", "ping", *ASKED)
"""Task types that are about the conversation and never queue behind work."""


async def answered(gateway: Gateway, caller: Caller, asked: dict[str, Any]) -> v1.Frame:
    """The answer to a task of ASKED. A bug in it is told under this task, and costs no other."""
    try:
        return await ASKED[asked["taskType"]](gateway, caller, asked)
    except Exception as bug:
        return v1.errors([incident("answer_failed", bug, hide=asked, tenant=caller.tenant.id).as_dict()], asked)
