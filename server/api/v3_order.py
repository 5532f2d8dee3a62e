"""What a submission asks for: the model, its inputs, how the answer is to come; and the task that this makes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import orjson
from blake3 import blake3

from server.api import v1
from server.api.v3_models import MODELS, OWN, unknown
from server.catalog import Catalog
from server.dispatch import shortened
from server.envelope import ENVELOPE
from server.errors import InvalidParameter
from server.prepare import Prepared, Request
from server.schema import OutputParams

_KEPT_BYTES = 200 * 1024
_FLAGS = ("enable_sync_mode", "enable_base64_output", "webhook_url")


@dataclass(frozen=True)
class Order:
    """One submission."""

    model: str
    inputs: dict[str, Any]
    sync: bool
    base64: bool
    webhook: Any


def order(model: str, query: str, body: dict[str, Any]) -> Order:
    """The submission of a body. Raises InvalidParameter."""
    sync, base64 = (_flag(body, name) for name in _FLAGS[:2])
    inputs = {name: value for name, value in body.items() if name not in _FLAGS}
    return Order(model, inputs, sync, base64, receiver(query) or body.get("webhook_url") or None)


def receiver(query: str) -> str:
    """The URL in `webhook=…`, percent-encoded or, as some clients send it, raw, with a query of its own."""
    _, _, found = f"&{query}".partition("&webhook=")
    if "://" in found.partition("&")[0]:
        return found if "?" in found.partition("&")[0] else found.partition("&")[0]
    return unquote(found.partition("&")[0])


def _flag(body: dict[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise InvalidParameter(f"{name} is true or false.", parameter=name, type="boolean")
    return bool(value)


def requested(catalog: Catalog, order: Order) -> Request:
    """The task of a submission, under a taskUUID of ours. Raises ModelNotFound, InvalidParameter."""
    if model := MODELS.get(order.model):
        task, fields, spelling = catalog.named(model.task_type), model.fields(order.inputs), model.names
    elif order.model.startswith(OWN) and order.model.removeprefix(OWN) in catalog.by_name:
        levelled = v1.level(order.inputs)
        task, fields, spelling = catalog.by_name[order.model.removeprefix(OWN)], levelled.fields, levelled.spelling
    else:
        raise unknown(order.model)
    fields = {name: value for name, value in fields.items() if name not in ENVELOPE}
    known_by = {"taskType": task.task_type, "taskUUID": str(uuid4())}
    if issubclass(task.params, OutputParams):
        fields["outputType"] = "URL"
    if order.webhook:
        fields["webhookURL"] = order.webhook
    sent = known_by | {"prediction": {"model": order.model, "base64": order.base64}, "input": order.inputs}
    return Request(sent, fields | known_by | {"deliveryMethod": "async"}, spelling, face="v3")


def lean(prepared: Prepared) -> Prepared:
    """The same with what is remembered of its inputs short enough to be kept: without pixels, or not at all."""
    sent = shortened(prepared.request.sent)
    if len(orjson.dumps(sent)) > _KEPT_BYTES:
        del sent["input"]
    return replace(prepared, request=replace(prepared.request, sent=sent))


def mark(order: Order, prepared: Prepared) -> str:
    """What two submissions that ask for the same have in common."""
    return blake3(orjson.dumps([order.model, order.sync, order.base64, prepared.fingerprint])).hexdigest()
