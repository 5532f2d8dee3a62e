"""A task object checked: its parameters read, and the bytes that came with it set apart. Only CPU work.

Nothing is queued before all of an object's parameters are right; inline images become staged blobs first, so that
a job is small and its bytes stay out of Redis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from uuid import uuid4

import orjson
from blake3 import blake3

from server.addresses import Guard, read_url
from server.addresses import Refused as NotReachable
from server.blobs import staged_blob
from server.catalog import Catalog, checked, read
from server.envelope import ENVELOPE, Envelope
from server.errors import ApiError, InvalidParameter, InvalidRequest
from server.fetch import decode, kind
from server.jobs import Job, Outcome, Reference
from server.log import incident, refused
from server.schema import BatchParams, OutputParams, Params, deeper, put, references, spelled
from server.tally import tally
from server.task import Task
from server.tenants import Tenant
from server.uploads import Staged
from server.webhooks import owed

_DEPTH = 32
_OF_ONE_TIME = ("taskUUID", "traceparent", "validateOnly")
"""Members that may be others when the same task is sent again."""
_NO_FRAMES = (
    "Only an imageUpload on a socket that authenticated with the feature binary is followed by binary frames. Over"
    " HTTP, PUT the file to /v1/uploads/‹taskUUID›."
)
_NO_BINARY = "Images come as binary only on a socket that authenticated with the feature binary. Ask for URL."
_NO_TEST = "This server is not in test mode. Start it with TASKARRAY_TEST_MODE=1, or leave simulate out."


@dataclass(frozen=True)
class Caller:
    """Who asks, where the answers go, and the address that image URLs begin with."""

    tenant: Tenant
    session: str
    base_url: str
    features: frozenset[str] = frozenset()
    """What its socket asked for beyond the protocol (see `api/entrance.py`)."""
    dry: bool = False
    """Its tasks are only checked."""
    frame_bytes: int = 0
    """It hangs up on a message of more; 0: that is not known."""
    traceparent: str = ""
    """The span that it is part of (W3C Trace Context); a task may name its own."""


@dataclass(frozen=True)
class Request:
    """One task object: as the client sent it, and levelled to our names (see `api/v1.py`)."""

    sent: dict[str, Any]
    fields: dict[str, Any]
    spelling: dict[str, str] = field(default_factory=dict[str, str])
    files: Mapping[str, bytes | Staged] = field(default_factory=dict[str, bytes | Staged])
    """Images that came as bytes, or lie in the blob store, by the reference that stands for them in `fields`."""
    limits: dict[str, int] = field(default_factory=dict[str, int])
    """Limits of the face's own, by their names in `task.Limits`."""
    face: Literal["v1", "v2", "v3"] = "v1"
    """The dialect in which it came, and in which a receiver (`webhookURL`) is told of the outcome."""


class Siblings(Protocol):
    """What the tasks of one array say to each other (see `graph`)."""

    async def turn(self, prepared: Prepared) -> None:
        """Wait until those that a task builds on are queued."""
        ...

    def outside(self, prepared: Prepared) -> list[Reference]:
        """What a task builds on that is to be found in the queue."""
        ...

    def told(self, uuid: str, failure: dict[str, Any] | None) -> None:
        """A task is queued, or was refused."""
        ...


@dataclass(frozen=True)
class Prepared:
    """A task whose parameters are right, and the bytes that came with it, by their staged names."""

    request: Request
    job: Job
    delivery: Literal["sync", "async"]
    fingerprint: str
    payloads: dict[str, bytes]
    references: list[Reference] = field(default_factory=list[Reference])
    """Other tasks that it builds on."""
    failing: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """What is owed to its receiver if it fails before a worker has it (`webhooks.record`)."""
    graph: Siblings | None = None
    """The other tasks of its array, where it builds on them or they on it."""
    dry: bool = False
    """It is only checked."""


@dataclass(frozen=True)
class Refused:
    """A task that was not accepted, with every reason."""

    request: Request
    failures: list[dict[str, Any]]


def prepare(
    catalog: Catalog, guard: Guard, caller: Caller, request: Request, *, test_mode: bool = False
) -> Prepared | Refused:
    """Check one object. A large one may be checked in a thread. `guard` is the one of later deliveries."""
    try:
        return _checked(catalog, guard, caller, request, test_mode)
    except ApiError as refusal:
        return refuse(request, [refusal])
    except Exception as bug:
        return refuse(request, [incident("dispatch_failed", bug, hide=request.sent, tenant=caller.tenant.id)])


def _checked(catalog: Catalog, guard: Guard, caller: Caller, request: Request, test_mode: bool) -> Prepared | Refused:
    if not request.sent:
        raise InvalidRequest("An element of the array is no task object, or has nothing in it.")
    if deeper(request.sent, _DEPTH):
        raise InvalidRequest(f"A task may be nested {_DEPTH} levels deep.")
    failures = list[ApiError]()
    envelope = checked(Envelope, {name: request.fields[name] for name in ENVELOPE if name in request.fields})
    if isinstance(envelope, list):
        failures += envelope
    elif envelope.simulate and not test_mode:
        failures.append(InvalidParameter(_NO_TEST, parameter="simulate"))
    failures += _receiver_failures(guard, request.fields)
    if "binary" in request.fields and request.face == "v1":
        failures.append(InvalidParameter(_NO_FRAMES, parameter="binary"))
    try:
        task = catalog.named(request.fields.get("taskType"))
    except ApiError as unsupported:
        return refuse(request, [*(failure for failure in failures if failure.parameter != "taskType"), unsupported])
    fields = {name: value for name, value in request.fields.items() if name not in ENVELOPE}
    params = read(task, fields, strict=request.fields.get("strict") is True)
    if isinstance(params, OutputParams) and "binary" in params.output_type and "binary" not in caller.features:
        failures.append(InvalidParameter(_NO_BINARY, parameter="outputType"))
    if isinstance(params, list) or isinstance(envelope, list) or failures:
        return refuse(request, failures + (params if isinstance(params, list) else []))
    return _prepared(caller, request, task, envelope, params)


def refuse(request: Request, refusals: list[ApiError]) -> Refused:
    """The refusals of an object, each naming its parameter as the client wrote it."""
    failures = [refusal.as_dict() for refusal in refusals]
    for failure in failures:
        if isinstance(parameter := failure.get("parameter"), str):
            failure["parameter"] = request.spelling.get(parameter, parameter)
    refused(request.sent, failures)
    return Refused(request, failures)


def _receiver_failures(guard: Guard, fields: dict[str, Any]) -> list[ApiError]:
    """What is wrong with the URLs that the outcome goes to, as far as it shows without a look-up."""
    failures: list[ApiError] = []
    for name in ("webhookURL", "uploadEndpoint"):
        url = fields.get(name)
        try:
            if isinstance(url, str):
                guard.check(read_url(url))
        except NotReachable as refused:
            tally.add("fetch_blocked", refused.rule)
            failures.append(InvalidParameter(f"Nothing can be sent to {name}: {refused}.", parameter=name))
    return failures


def _prepared(caller: Caller, request: Request, task: Task[Any, Any], envelope: Envelope, params: Params) -> Prepared:
    wire = params.model_dump(by_alias=True, exclude_unset=True)
    hashes, payloads, staged, named = dict[str, str](), dict[str, bytes](), list[str](), list[Reference]()
    for place, reference in references(params):
        form = kind(reference)
        if form in ("uuid", "result"):
            put(wire, place, reference.lower())
            uuid, _, n = reference.lower().partition("#")
            named.append(Reference(uuid, spelled(place), int(n or 0), bare=form == "uuid"))
        elif form in ("data", "base64"):
            found, data = _staged(caller, request, reference, spelled(place))
            payloads |= data
            staged.append(found.blob)
            put(wire, place, f"staged:{found.blob}")
            hashes[spelled(place)] = found.hash
    named += [Reference(uuid.lower(), f"dependsOn[{at}]") for at, uuid in enumerate(envelope.depends_on)]
    job = _job(caller, request, task, envelope, params, params=wire, staged=staged)
    delivery = "async" if job.webhook else envelope.delivery_method
    owing, dry = owed(job, Outcome(failure={})), caller.dry or envelope.validate_only
    return Prepared(request, job, delivery, _fingerprint({**request.fields, **hashes}), payloads, named, owing, dry=dry)


def _job(
    caller: Caller, request: Request, task: Task[Any, Any], envelope: Envelope, asked: Params, **brought: Any
) -> Job:
    """The job of a task. `brought`: its parameters as they go to the handler, and what came with it."""
    return Job(
        **brought,
        tenant=caller.tenant.id,
        uuid=envelope.task_uuid.lower(),
        task_type=task.task_type,
        uuids=[str(uuid4()) for _ in range(getattr(asked, "number_results", 1))],
        base_url=caller.base_url,
        spelling=request.spelling,
        limits=request.limits,
        include_cost=envelope.include_cost,
        include_receipt=envelope.include_receipt,
        start_within=envelope.start_within_ms or 0,
        end_within=envelope.deadline_ms or 0,
        priority=envelope.priority,
        batch=(envelope.batch_uuid or "").lower(),
        of=asked.of.lower() if isinstance(asked, BatchParams) else "",
        cache=envelope.cache,
        simulate=envelope.simulate.model_dump(exclude_defaults=True) if envelope.simulate else {},
        face=request.face,
        webhook=envelope.webhook_url or "",
        upload=envelope.upload_endpoint or "",
        traceparent=envelope.traceparent or caller.traceparent,
    )


def _staged(caller: Caller, request: Request, reference: str, parameter: str) -> tuple[Staged, dict[str, bytes]]:
    """An image that came with the task, as the blob that it is; its bytes by that name where they are still to be put
    there."""
    found = request.files.get(reference) or decode(reference, parameter)
    if isinstance(found, Staged):
        return found, {}
    staged = Staged(staged_blob(caller.tenant.id), blake3(found).hexdigest())
    return staged, {staged.blob: found}


def _fingerprint(fields: dict[str, Any]) -> str:
    """What makes two objects under one taskUUID the same task."""
    fields = {name: value for name, value in fields.items() if name not in _OF_ONE_TIME}
    return blake3(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)).hexdigest()
