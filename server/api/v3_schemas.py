"""GET /api/v3/models: the models with the schemas of their inputs, of which clients make forms."""

from __future__ import annotations

from functools import cache
from typing import Any

from starlette.requests import Request

from server.api.v3_answers import address
from server.api.v3_models import MODELS, OWN
from server.gateway import Gateway
from server.schema import OutputParams, wire_name
from server.task import Task
from server.tenants import Tenant

_FLAGS = {
    "enable_sync_mode": {
        "type": "boolean", "default": False, "description": "Answer when the result is there.",
    },
    "enable_base64_output": {
        "type": "boolean", "default": False, "description": "Outputs as base64 instead of URLs.",
    },
}  # fmt: skip
_KEPT = ("type", "description", "default", "enum", "const", "minimum", "maximum", "minLength", "maxLength", "items",
         "minItems", "maxItems", "properties", "required", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
         "oneOf", "anyOf")  # fmt: skip


async def models(gateway: Gateway, request: Request, tenant: Tenant) -> Any:
    """Every model, in the order of a menu."""
    base_url = address(gateway, request)
    tasks = {task.task_type: task for task in gateway.catalog.by_name.values()}
    shown = [
        _model(base_url, name, model.name, model.kind, model.description, model.properties, list(model.required))
        for name, model in MODELS.items()
        if model.task_type in tasks
    ]
    for task in tasks.values():
        properties, required = inputs_of(task)
        kind = _kind(task, required)
        shown.append(
            _model(base_url, f"{OWN}{task.task_type}", task.task_type, kind, task.summary, properties, required)
        )
    return [model | {"sort_order": place} for place, model in enumerate(shown)]


def _model(
    base_url: str, name: str, title: str, kind: str, description: str, properties: dict[str, Any], required: list[str]
) -> dict[str, Any]:
    properties = properties | _FLAGS
    schema = {
        "type": "object",
        "properties": properties,
        "required": required,
        "x-order-properties": list(properties),
    }
    run = {
        "type": "model_run",
        "method": "POST",
        "server": base_url,
        "api_path": f"/api/v3/{name}",
        "request_schema": schema,
    }
    about = {"model_id": name, "name": title, "description": description, "type": kind}
    return about | {"base_price": 0, "formula": "", "api_schema": {"api_schemas": [run]}}


def _kind(task: Task[Any, Any], required: list[str]) -> str:
    """What goes in and what comes out, as this API sorts models."""
    told = required or [wire_name(name) for name in task.params.model_fields]
    given = "image" if any(word in name.lower() for name in told for word in ("image", "media")) else "text"
    return f"{given}-to-{'image' if task.uuid_member else 'text'}"


@cache
def inputs_of(task: Task[Any, Any]) -> tuple[dict[str, Any], list[str]]:
    """The parameters of a task as properties without references, and those that are required."""
    schema = task.params.model_json_schema(by_alias=True)
    properties = _plain(schema, schema.get("$defs", {})).get("properties", {})
    if issubclass(task.params, OutputParams):
        del properties["outputType"]
    return properties, schema.get("required", [])


def _plain(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A schema with every definition in its place, and without the alternative of null."""
    if reference := schema.get("$ref"):
        schema = definitions[reference.rpartition("/")[2]] | {k: v for k, v in schema.items() if k != "$ref"}
    for way in ("anyOf", "oneOf"):
        choices = [choice for choice in schema.get(way, ()) if choice.get("type") != "null"]
        if len(choices) == 1:
            rest = {name: value for name, value in schema.items() if name != way}
            return _plain(choices[0] | rest, definitions)
        if choices:
            schema = schema | {way: [_plain(choice, definitions) for choice in choices]}
    found = {name: value for name, value in schema.items() if name in _KEPT and (name, value) != ("default", None)}
    if isinstance(items := found.get("items"), dict):
        found["items"] = _plain(items, definitions)
    if "properties" in found:
        found["properties"] = {name: _plain(member, definitions) for name, member in found["properties"].items()}
    return found
