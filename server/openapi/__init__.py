"""The HTTP faces as one OpenAPI 3.1 document, written from the schemas of the catalogue and the table of failures."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from server.catalog import Catalog
from server.openapi import board, pages, predictions, removal, task_array

_ABOUT = (
    "Arrays of image tasks, in three dialects with the same keys, images and queue. POST /v1 takes the same objects"
    " as the WebSocket at /v1, which is described in /asyncapi.json."
)
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key of this server."},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "An API key of this server."},
}


def document(catalog: Catalog) -> dict[str, Any]:
    """The whole document of a server with these tasks."""
    faces = (task_array, removal, predictions, board, pages)
    schemas = dict[str, Any]()
    responses = dict[str, Any]()
    paths = dict[str, Any]()
    for face in faces:
        schemas |= face.schemas(catalog)
        responses |= face.refusals()
        paths |= {
            path: {method: {"tags": [face.TAG["name"]]} | operation for method, operation in operations.items()}
            for path, operations in face.paths(catalog).items()
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "taskarray",
            "version": version("taskarray"),
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "This server."}],
        "tags": [face.TAG for face in faces],
        "security": [{"bearer": []}],
        "paths": paths,
        "webhooks": task_array.WEBHOOKS | predictions.WEBHOOKS,
        "components": {"schemas": schemas, "responses": responses, "securitySchemes": _SECURITY},
    }
