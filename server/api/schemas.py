"""GET /schemas/{taskType}.json: what a task takes and gives as JSON Schema, for forms and for checks in clients."""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.catalog import Catalog
from server.envelope import Envelope
from server.errors import NotFound
from server.gateway import Gateway
from server.task import Task


def routes(gateway: Gateway) -> list[Route]:
    """The addresses of the schemas: of one task type, or of all of them."""
    written = cache(lambda: _all(gateway.catalog, gateway.config.test_mode))

    async def every(request: Request) -> Response:
        return _json(written())

    async def one(request: Request) -> Response:
        name = request.path_params["name"]
        task = gateway.catalog.by_name.get(name)
        if task is None:
            raise NotFound(f"There is no task type {name!r} here. GET /schemas.json has all of them.")
        return _json(about(task))

    return [Route("/schemas.json", every), Route("/schemas/{name}.json", one)]


def about(task: Task[Any, Any]) -> dict[str, Any]:
    """A task type in the words of its file. A parameter with `x-image` names an image."""
    return {
        "taskType": task.task_type,
        "aliases": list(task.aliases),
        "summary": task.summary,
        "params": task.params.model_json_schema(by_alias=True),
        "result": task.result.model_json_schema(by_alias=True, mode="serialization"),
    }


def _all(catalog: Catalog, test_mode: bool) -> dict[str, Any]:
    tasks = {task.task_type: task for task in catalog.by_name.values()}
    envelope = Envelope.model_json_schema(by_alias=True)
    if not test_mode:
        del envelope["properties"]["simulate"]  # it would be refused
    return {
        "envelope": envelope,
        "tasks": {name: about(task) for name, task in sorted(tasks.items())},
    }


def _json(body: object) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
