"""WebSocket /v1 as one AsyncAPI 3.0 document, written from the same schemas as the OpenAPI document."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from server.asyncapi.channel import channel, operations
from server.asyncapi.frames import frames
from server.asyncapi.messages import MESSAGES
from server.catalog import Catalog
from server.openapi import task_array
from server.openapi.parts import Part

_ABOUT = (
    "Arrays of image tasks over one WebSocket. `receive` is what the server takes from a client, `send` what a client"
    " gets. The HTTP faces are in /openapi.json, with the same schemas."
)


def document(catalog: Catalog, public_url: str = "") -> dict[str, Any]:
    """The whole document of a server with these tasks, at this address if it knows one."""
    schemas = task_array.schemas(catalog) | frames()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "taskarray",
            "version": version("taskarray"),
            "description": _ABOUT,
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {"this": _server(public_url)},
        "channels": {"v1": channel()},
        "operations": operations(),
        "components": {"schemas": _in_words_of_draft_07(schemas), "messages": MESSAGES},
    }


def _server(public_url: str) -> Part:
    address = urlsplit(public_url)
    about: Part = {"protocol": "wss" if address.scheme == "https" else "ws", "description": "This server."}
    if address.netloc:
        return about | {"host": address.netloc, "pathname": address.path or "/"}
    default = {"default": "127.0.0.1:8000", "description": "Where this document came from."}
    return about | {"host": "{host}", "variables": {"host": default}}


def _in_words_of_draft_07(schema: Any) -> Any:
    """Schemas as AsyncAPI has them: a discriminator is the name of a member and no more."""
    match schema:
        case {"propertyName": str(name), **rest} if set(rest) <= {"mapping"}:
            return name
        case dict():
            return {name: _in_words_of_draft_07(value) for name, value in schema.items()}
        case list():
            return [_in_words_of_draft_07(value) for value in schema]
        case _:
            return schema
