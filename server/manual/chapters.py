"""What is told of one task type, of every task, and of the objects of the conversation, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from server.api.answers import CONVERSATION
from server.manual.failures import Risks, risks
from server.manual.tables import Table, tables
from server.openapi.task_array import pascal
from server.rows import Part
from server.schema import OutputParams, wire_name
from server.task import Task

_ENDS = {
    "UUID": "The UUID of the image: later tasks name it by this.",
    "URL": "Its address, if `outputType` asked for it. Whoever has it can download.",
    "Base64Data": "Its bytes in base64, if `outputType` asked for them.",
    "DataURI": "The same as a data URI.",
}
"""What the members of a result are that end so, where nothing else is said of them."""


@dataclass(frozen=True)
class Chapter:
    """The parameters, those of its pictures, the members of an item of the answer, and what can go wrong."""

    parameters: list[Table]
    output: list[Table]
    result: list[Table]
    risks: Risks | None = None


def chapters_of(task: Task[Any, Any], definitions: Mapping[str, Part]) -> Chapter:
    """What is told of a task type."""
    params, result = (definitions[f"{pascal(task.task_type)}{word}"] for word in ("Params", "Result"))
    shared = {wire_name(name) for name in OutputParams.model_fields} if issubclass(task.params, OutputParams) else set()
    own = {name: about for name, about in params["properties"].items() if name not in shared}
    output = {name: about for name, about in params["properties"].items() if name in shared}
    parameters = list(tables(params | {"properties": own}, definitions, "param"))
    pictures = list(tables(params | {"properties": output}, definitions, "param")) if shared else []
    return Chapter(
        parameters,
        pictures,
        list(tables(_told(result), definitions, "result")),
        risks(task, [*parameters, *pictures]),
    )


def _told(result: Part) -> Part:
    """A result with a word on members that say nothing of themselves."""
    properties = {
        name: {"description": next((text for end, text in _ENDS.items() if name.endswith(end)), "")} | about
        for name, about in result.get("properties", {}).items()
    }
    return result | {"properties": properties}


def every_task(definitions: Mapping[str, Part]) -> Chapter:
    """What every task may say, and what every item of an answer may have."""
    asked = list(tables(definitions["TaskEnvelope"], definitions, "member"))
    return Chapter(asked, [], list(tables(definitions["TaskState"], definitions, "item")))


def conversation(definitions: Mapping[str, Part]) -> list[tuple[str, Chapter]]:
    """The objects that are no tasks, by their task type. One without an item of its own has no result."""
    found = list[tuple[str, Chapter]]()
    for name in CONVERSATION:
        head, without = f"{name[:1].upper()}{name[1:]}", ("taskType",)
        asked = list(tables(definitions[f"{head}Object"], definitions, f"{name}-send", without=without))
        item = definitions.get(f"{head}Item")
        told = list(tables(item, definitions, f"{name}-item", without=without)) if item else []
        found.append((name, Chapter(asked, [], told)))
    return found
