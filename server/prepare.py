"""A task object checked: its parameters read, and the bytes that came with it set apart. Only CPU work.

Nothing is queued before all of an object's parameters are right; inline images become staged blobs first, so that
a job is small and its bytes stay out of Redis.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

import orjson
from blake3 import blake3

from server.addresses import Guard, read_url
from server.addresses import Refused as NotReachable
from server.blobs import staged_blob
from server.catalog import Catalog, read
from server.errors import ApiError, InvalidParameter, InvalidRequest, MissingParameter
from server.fetch import decode, kind
from server.log import incident
from server.queue import Job
from server.schema import Params, Place, references, spelled
from server.task import Task
from server.tenants import Tenant

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.I)
ENVELOPE = ("taskType", "taskUUID", "deliveryMethod", "includeCost", "webhookURL", "uploadEndpoint", "strict")
_DEPTH = 32


@dataclass(frozen=True)
class Caller:
    """Who asks, where the answers go, and the address that image URLs begin with."""

    tenant: Tenant
    session: str
    base_url: str


@dataclass(frozen=True)
class Request:
    """One task object: as the client sent it, and levelled to our names (see `api/v1.py`)."""

    sent: dict[str, Any]
    fields: dict[str, Any]
    spelling: dict[str, str] = field(default_factory=dict[str, str])
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    """Images that came as bytes, by the reference that stands for them in `fields`."""
    limits: dict[str, int] = field(default_factory=dict[str, int])
    """Limits of the face's own, by their names in `task.Limits`."""
    face: Literal["v1", "v3"] = "v1"
    """The dialect in which a receiver (`webhookURL`) is told of the outcome."""


@dataclass(frozen=True)
class Prepared:
    """A task whose parameters are right, and the bytes that came with it, by their staged names."""

    request: Request
    job: Job
    delivery: Literal["sync", "async"]
    fingerprint: str
    payloads: dict[str, bytes]


@dataclass(frozen=True)
class Refused:
    """A task that was not accepted, with every reason."""

    request: Request
    failures: list[dict[str, Any]]


def prepare(catalog: Catalog, guard: Guard, caller: Caller, request: Request) -> Prepared | Refused:
    """Check one object. A large one may be checked in a thread. `guard` is the one of later deliveries."""
    try:
        return _checked(catalog, guard, caller, request)
    except ApiError as refusal:
        return refuse(request, [refusal])
    except Exception as bug:
        return refuse(request, [incident("dispatch_failed", bug, tenant=caller.tenant.id)])


def _checked(catalog: Catalog, guard: Guard, caller: Caller, request: Request) -> Prepared | Refused:
    if not request.sent:
        raise InvalidRequest("An element of the array is no task object, or has nothing in it.")
    if _deeper(request.sent, _DEPTH):
        raise InvalidRequest(f"A task may be nested {_DEPTH} levels deep.")
    failures = _envelope_failures(request.fields) + _receiver_failures(guard, request.fields)
    try:
        task = catalog.named(request.fields.get("taskType"))
    except ApiError as unsupported:
        return refuse(request, [*failures, unsupported])
    fields = {name: value for name, value in request.fields.items() if name not in ENVELOPE}
    params = read(task, fields, strict=request.fields.get("strict") is True)
    if isinstance(params, list) or failures:
        return refuse(request, failures + (params if isinstance(params, list) else []))
    return _prepared(caller, request, task, params)


def refuse(request: Request, refusals: list[ApiError]) -> Refused:
    """The refusals of an object, each naming its parameter as the client wrote it."""
    failures = [refusal.as_dict() for refusal in refusals]
    for failure in failures:
        if isinstance(parameter := failure.get("parameter"), str):
            failure["parameter"] = request.spelling.get(parameter, parameter)
    return Refused(request, failures)


def _deeper(value: object, levels: int) -> bool:
    """Whether there are objects or arrays in each other more than so many levels deep."""
    found = [value]
    for _ in range(levels):
        nested = [item for item in found if isinstance(item, dict | list)]
        if not nested:
            return False
        found = [child for item in nested for child in (item.values() if isinstance(item, dict) else item)]
    return any(isinstance(item, dict | list) for item in found)


def _envelope_failures(fields: dict[str, Any]) -> list[ApiError]:
    """What is wrong with the members that every task has."""
    failures: list[ApiError] = []
    uuid = fields.get("taskUUID")
    if uuid is None or uuid == "":
        failures.append(MissingParameter("taskUUID is required: a fresh random UUID v4.", parameter="taskUUID"))
    elif not isinstance(uuid, str) or not UUID4.fullmatch(uuid):
        failures.append(InvalidParameter("taskUUID must be a UUID v4.", parameter="taskUUID", type="string"))
    allowed = ["sync", "async"]
    if fields.get("deliveryMethod", "sync") not in allowed:
        failures.append(
            InvalidParameter("deliveryMethod is sync or async.", parameter="deliveryMethod", allowedValues=allowed)
        )
    for name in ("includeCost", "strict"):
        if not isinstance(fields.get(name, False), bool):
            failures.append(InvalidParameter(f"{name} is true or false.", parameter=name, type="boolean"))
    return failures


def _receiver_failures(guard: Guard, fields: dict[str, Any]) -> list[ApiError]:
    """What is wrong with the URLs that the outcome goes to, as far as it shows without a look-up."""
    failures: list[ApiError] = []
    for name in ("webhookURL", "uploadEndpoint"):
        url = fields.get(name)
        try:
            if isinstance(url, str):
                guard.check(read_url(url))
            elif url is not None:
                failures.append(InvalidParameter(f"{name} is a URL.", parameter=name, type="string"))
        except NotReachable as refused:
            failures.append(InvalidParameter(f"Nothing can be sent to {name}: {refused}.", parameter=name))
    return failures


def _prepared(caller: Caller, request: Request, task: Task[Any, Any], params: Params) -> Prepared:
    wire = params.model_dump(by_alias=True, exclude_unset=True)
    hashes, payloads = dict[str, str](), dict[str, bytes]()
    for place, reference in references(params):
        form = kind(reference)
        if form == "uuid":
            _put(wire, place, reference.lower())
        elif form in ("data", "base64"):
            data = request.files.get(reference) or decode(reference, spelled(place))
            staged = staged_blob(caller.tenant.id)
            payloads[staged] = data
            _put(wire, place, f"staged:{staged}")
            hashes[spelled(place)] = blake3(data).hexdigest()
    webhook = request.fields.get("webhookURL", "")
    delivery = "async" if webhook else request.fields.get("deliveryMethod", "sync")
    job = Job(
        tenant=caller.tenant.id,
        uuid=request.fields["taskUUID"].lower(),
        task_type=task.task_type,
        params=wire,
        uuids=[str(uuid4()) for _ in range(getattr(params, "number_results", 1))],
        base_url=caller.base_url,
        staged=list(payloads),
        spelling=request.spelling,
        limits=request.limits,
        include_cost=request.fields.get("includeCost", False),
        submitted=time.time(),
        face=request.face,
        webhook=webhook,
        upload=request.fields.get("uploadEndpoint", ""),
    )
    fingerprint = _fingerprint({**request.fields, **hashes})
    return Prepared(request, job, delivery, fingerprint, payloads)


def _put(wire: Any, place: Place, value: str) -> None:
    """Replace what stands at a place, in lists and tuples too."""
    head, *rest = place
    if rest and isinstance(wire[head], tuple):
        wire[head] = list(wire[head])
    if rest:
        _put(wire[head], tuple(rest), value)
    else:
        wire[head] = value


def _fingerprint(fields: dict[str, Any]) -> str:
    """What makes two objects under one taskUUID the same task."""
    fields = {name: value for name, value in fields.items() if name != "taskUUID"}
    return blake3(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)).hexdigest()
