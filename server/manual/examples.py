"""Messages with the answers that a real server gave to them, as `examples.json` keeps them, and messages made from a
schema where there is none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from blake3 import blake3

from server.rows import Part, value_of
from server.task import Task

STORED = Path(__file__).with_name("examples.json")
Message = list[dict[str, Any]]


@dataclass(frozen=True)
class Example:
    """A message, and the frames of its answers. `before` and `after` are pictures: what went in and what came out."""

    message: Message
    answers: list[dict[str, Any]]
    before: str = ""
    after: str = ""


@cache
def stored() -> dict[str, Any]:
    """All that is kept: `pictures` by their names, `tasks` by task type, `protocol` by the name of the message."""
    return json.loads(STORED.read_text())


def of(task: Task[Any, Any], schema: Part, definitions: Mapping[str, Part]) -> Example:
    """The example of a task type; one that the server does not come with has a message only."""
    pictures, kept = stored()["pictures"], stored()["tasks"].get(task.task_type)
    if kept is None:
        return Example([_made(task, schema, definitions, pictures["cup"])], [])
    message = with_pictures(kept["message"], pictures)
    return Example(message, kept["answers"], pictures.get(kept.get("before", ""), ""), kept.get("after", ""))


def with_pictures(message: Any, pictures: Mapping[str, str]) -> Any:
    """A message with the picture that `@name` stands for in its place."""
    if isinstance(message, list):
        return [with_pictures(part, pictures) for part in message]
    if isinstance(message, dict):
        return {name: with_pictures(part, pictures) for name, part in message.items()}
    named = isinstance(message, str) and message.startswith("@")
    return pictures[message[1:]] if named else message


def uuid_of(*words: object) -> str:
    """A UUID v4 that is always the same for the same words."""
    return str(UUID(bytes=blake3(repr(words).encode()).digest()[:16], version=4))


def _made(task: Task[Any, Any], schema: Part, definitions: Mapping[str, Part], picture: str) -> dict[str, Any]:
    required = schema.get("required", ())
    members = {name: about for name, about in schema.get("properties", {}).items() if name in required}
    known_by = {"taskType": task.task_type, "taskUUID": uuid_of(task.task_type)}
    return known_by | {name: _value(about, definitions, picture) for name, about in members.items()}


def _value(schema: Part, definitions: Mapping[str, Part], picture: str) -> Any:
    """The plainest value that a schema allows, as far as it can be read from it."""
    schema = value_of(schema, definitions)
    if schema.get("x-image"):
        return picture
    for name in ("default", "const"):
        if name in schema:
            return schema[name]
    if choices := schema.get("enum") or schema.get("examples"):
        return choices[0]
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return _value(choices[0], definitions, picture)
    return _plain(schema, definitions, picture)


def _plain(schema: Part, definitions: Mapping[str, Part], picture: str) -> Any:
    match schema.get("type"):
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "array":
            return [_value(schema.get("items", {}), definitions, picture)] * max(1, schema.get("minItems", 1))
        case "object":
            members = {name: schema["properties"][name] for name in schema.get("required", ())}
            return {name: _value(about, definitions, picture) for name, about in members.items()}
        case _:
            return uuid_of("…") if schema.get("format") == "uuid" else "…"
