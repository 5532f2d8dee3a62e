"""/api/v3 in the document: each model with its inputs, predictions, uploads, the account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import orjson

from server.api import v3_account, v3_answers, v3_listing, v3_predictions, v3_schemas, v3_uploads
from server.api.v3_models import MODELS, OWN
from server.catalog import Catalog
from server.openapi import parts
from server.openapi.parts import (
    Part,
    answer,
    array,
    body,
    by_status,
    component,
    content,
    failures,
    members,
    parameter,
    refused,
    summary,
    text,
)
from server.openapi.task_array import pascal, tasks

TAG = {"name": "predictions", "description": "/api/v3, and the same under /api/v2: models are run."}
WEBHOOKS: Part = {
    "prediction": {
        "post": {
            "summary": "An ended prediction, to its webhook_url.",
            "requestBody": body(content(component("Prediction"))),
            "responses": {"2XX": answer("Taken. Any other answer has the message sent again later.")},
        }
    }
}
_PREFIX = "/api/v3"
_WHOLE = {"type": "integer"}
_TIME = text("A time in ISO 8601; without a zone it is UTC.")
_DAY = text("A day, or a time of it, in ISO 8601.")
_ID = parameter("path", "id", text(), "The id of a prediction.")
_MODEL = members(["model_id"], model_id=text("The id of a model."))
_FORM = content(members(["file"], file=text(format="binary")), "multipart/form-data")
_FILTER: dict[str, Part] = {
    "page": {"type": "integer", "minimum": 1, "default": 1},
    "page_size": {"type": "integer", "minimum": 1, "maximum": 100, "default": 100},
    "model": text("The id of a model."),
    "status": text(enum=["completed", "failed", "processing", "created", "cancelled", "timeout", "deleted"]),
    "created_after": _TIME,
    "created_before": _TIME,
    "include_inputs": {"type": "boolean", "default": False},
}
_DAYS = {"start_date": _DAY, "end_date": _DAY, "model": text("The id of a model of the server's own.")}
_FLAGS: dict[str, Part] = {
    "enable_sync_mode": {"type": "boolean", "default": False, "description": "Answer when the result is there."},
    "enable_base64_output": {
        "type": "boolean", "default": False, "description": "Outputs as base64 instead of URLs.",
    },
    "webhook_url": text("Where the ended prediction is posted to.", format="uri"),
}  # fmt: skip


@dataclass(frozen=True)
class _Endpoint:
    """An address: what answers there, what it takes, and the `data` of its answer."""

    method: str
    path: str
    answers: Callable[..., Any]
    data: Part
    parameters: tuple[Part, ...] = ()
    takes: Part = field(default_factory=Part)
    keyless: bool = False


def _query(about: dict[str, Part]) -> tuple[Part, ...]:
    return tuple(parameter("query", name, schema) for name, schema in about.items())


_USAGE, _BILLINGS, _FILE = component("PredictionUsage"), component("PredictionBillings"), component("PredictionFile")
_SHOWN, _LISTED, _PRICE = component("Prediction"), component("PredictionPage"), component("PredictionPrice")
_BALANCE = members(["balance", "currency"], balance={"type": "number"}, currency=text())
_ENDPOINTS = (
    _Endpoint("get", "/predictions/{id}/result", v3_predictions.result, _SHOWN, (_ID,)),
    _Endpoint("get", "/predictions/{id}", v3_predictions.result, _SHOWN, (_ID,)),
    _Endpoint("post", "/predictions/{id}/cancel", v3_predictions.cancel, _SHOWN, (_ID,)),
    _Endpoint("delete", "/predictions/{id}", v3_listing.delete, members(["id"], id=text(), status=text()), (_ID,)),
    _Endpoint("post", "/predictions", v3_listing.posted, _LISTED, takes=content(members(**_FILTER))),
    _Endpoint("get", "/predictions", v3_listing.queried, _LISTED, _query(_FILTER)),
    _Endpoint(
        "post", "/predictions/delete", v3_listing.delete_many, members(["deleted_count"], deleted_count=_WHOLE),
        takes=content(members(["ids"], ids=array(text(), maxItems=1000))),
    ),
    _Endpoint(
        "post", "/media/uploads", v3_uploads.ticket, component("PredictionTicket"),
        takes=content(members(filename=text(), size={"type": "integer", "minimum": 0}, content_type=text())),
    ),
    _Endpoint("post", "/media/upload/binary", v3_uploads.form, _FILE, takes=_FORM),
    _Endpoint("post", "/upload", v3_uploads.form, _FILE, takes=_FORM),
    _Endpoint(
        "put", "/media/uploads/{tenant}/{token}/{filename}", v3_uploads.put, _FILE,
        tuple(parameter("path", name, text()) for name in ("tenant", "token", "filename")),
        content(text(format="binary"), "application/octet-stream"), keyless=True,
    ),
    _Endpoint("get", "/models", v3_schemas.models, array(component("PredictionModel"))),
    _Endpoint("post", "/model/price", v3_account.price, _PRICE, takes=content(_MODEL)),
    _Endpoint("post", "/model/pricing", v3_account.price, _PRICE, takes=content(_MODEL)),
    _Endpoint("get", "/balance", v3_account.balance, _BALANCE),
    _Endpoint("get", "/account/balance", v3_account.balance, _BALANCE),
    _Endpoint("get", "/account/usage", v3_account.usage, _USAGE, _query(_DAYS)),
    _Endpoint("post", "/user/usage_stats", v3_account.usage, _USAGE, takes=content(members(**_DAYS))),
    _Endpoint("get", "/account/billings", v3_account.billings, _BILLINGS),
    _Endpoint("post", "/billings/search", v3_account.billings, _BILLINGS),
    _Endpoint("get", "/webhook/secret", v3_account.secret, members(["secret"], secret=text())),
)  # fmt: skip


def paths(catalog: Catalog) -> dict[str, Part]:
    """The addresses of this face."""
    found = dict[str, Part]()
    for endpoint in _ENDPOINTS:
        found.setdefault(_PREFIX + endpoint.path, {})[endpoint.method] = _operation(endpoint)
    webhook = parameter("query", "webhook", _FLAGS["webhook_url"], "The same as webhook_url, which it precedes.")
    for name, (about, inputs) in _models(catalog).items():
        taken = content(inputs | {"properties": inputs["properties"] | _FLAGS})
        run = _Endpoint("post", f"/{name}", v3_predictions.submit, _SHOWN, (webhook,), taken)
        found[_PREFIX + run.path] = {"post": _operation(run) | {"summary": about}}
    return found


def schemas(catalog: Catalog) -> dict[str, Part]:
    """The schemas of this face."""
    failure = members(["error"], code=_WHOLE, message=text(), error=text("The same as message; without it, all."))
    counts = {"total_requests": _WHOLE, "total_cost": {"type": "number"}}
    file = {"type": {"const": "image"}, "filename": text(), "size": _WHOLE, "download_url": text(), "url": text()}
    upload = members(["method", "url", "headers", "expires_at"], method={"const": "PUT"}, url=text(),
                     headers={"type": "object", "additionalProperties": text()}, expires_at=text())  # fmt: skip
    day = members(["date"], date=text(), **counts)
    per_model = members(["model"], model_uuid=text(), model=text(), **counts)
    usage = {"per_model_usage": array(per_model), "daily_usage": array(day), "summary": members(counts, **counts)}
    price = {name: {"type": "number"} for name in ("price", "discounted_price", "discount_rate", "unit_price")}
    page = {"page": _WHOLE, "total": _WHOLE, "items": array(_SHOWN)}
    return {
        "Prediction": _prediction(),
        "PredictionPage": members(page, **page),
        "PredictionFile": members(file, **file),
        "PredictionTicket": members([*file, "upload"], **file, upload=upload),
        "PredictionModel": members(
            ["model_id"], model_id=text(), name=text(), description=text(), type=text(), base_price={"type": "number"},
            formula=text(), sort_order=_WHOLE, api_schema={"type": "object"},
        ),
        "PredictionPrice": members(["model_id"], model_id=text(), currency=text(), **price),
        "PredictionUsage": members(usage, **usage),
        "PredictionBillings": members(page=_WHOLE, has_more={"type": "boolean"}, total=_WHOLE, items=array({})),
        "PredictionFailure": failure,
    }  # fmt: skip


def _prediction() -> Part:
    found: dict[str, Part] = {
        "id": text(),
        "model": text("The model that was run; empty when the prediction is deleted."),
        "input": {"type": "object", "description": "The inputs, with pixels cut short. Lists tell them when asked to."},
        "inputs": {"type": "object"},
        "status": text(enum=["created", "processing", "completed", "failed", "deleted"]),
        "outputs": array(text(), description="URLs, base64 or texts; empty until the status is completed."),
        "output": array(text(), description="The same as outputs."),
        "has_nsfw_contents": array({"type": "boolean"}),
        "urls": members(["get"], get=text("Where the prediction is asked for.")),
        "created_at": text(format="date-time"),
        "error": text("Why it failed; else empty."),
        "code": {"type": "integer", "description": "The code of a failure; else 0."},
        "executionTime": {"type": "integer", "description": "Milliseconds."},
        "timings": members(["inference"], inference=_WHOLE),
    }
    return members([name for name in found if name not in ("input", "inputs")], **found)


def _models(catalog: Catalog) -> dict[str, tuple[str, Part]]:
    """What every model does, and its inputs."""
    own = tasks(catalog)
    found = {
        name: (model.description, members(model.required, **model.properties))
        for name, model in MODELS.items()
        if model.task_type in catalog.by_name
    }
    for task in own:
        properties, required = v3_schemas.inputs_of(task)
        found[OWN + task.task_type] = (task.summary, members(required, **properties))
    return found


def _operation(endpoint: _Endpoint) -> Part:
    envelope = members(["code", "message", "data"], code={"const": 200}, message=text(), data=endpoint.data)
    words = "".join(f" {part}" for part in endpoint.path.replace("-", "/").replace("_", "/").split("/"))
    found: Part = {
        "operationId": endpoint.method + "".join(pascal(word) for word in words.split()),
        "summary": summary(endpoint.answers),
        "security": [] if endpoint.keyless else [{"bearer": []}, {"x-api-key": []}],
        "responses": {"200": answer("It went well.", content(envelope)), **refused(refusals())},
    }
    if endpoint.parameters:
        found["parameters"] = list(endpoint.parameters)
    if endpoint.takes:
        found["requestBody"] = {"content": endpoint.takes}
    return found


@cache
def refusals() -> dict[str, Part]:
    """The answers of this face to what fails."""
    told = [(403, "not allowed")]
    for failure in failures():
        response = v3_answers.refused([failure.as_dict()])
        code = orjson.loads(bytes(response.body))["code"]
        told.append((response.status_code, f"code {code}"))
    return parts.refusals(by_status(told), "Prediction", component("PredictionFailure"))
