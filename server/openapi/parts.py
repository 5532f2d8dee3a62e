"""What the descriptions of all faces are made of: references, bodies, answers, and failures by their status."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from server.errors import CODES, ApiError, InvalidParameter, MissingParameter

Part = dict[str, Any]
"""A piece of the document."""


_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_LENGTHS = {"minLength": "minItems", "maxLength": "maxItems"}


class _Schema(GenerateJsonSchema):
    """Without the titles of members, which only say their names again; and with the bounds of what may have several
    types in the words of JSON Schema."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def generate_inner(self, schema: Any) -> Part:
        found = super().generate_inner(schema)
        words = _BOUNDS | (_LENGTHS if found.get("type") == "array" else {})
        return {words.get(name, name): value for name, value in found.items()}


def component(name: str) -> Part:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def schemas_of(model: type[BaseModel], name: str, head: str, mode: JsonSchemaMode) -> dict[str, Part]:
    """A model as the schema of this name, with those it refers to, whose names begin with `head`."""
    template = f"#/components/schemas/{head}{{model}}"
    schema = model.model_json_schema(ref_template=template, schema_generator=_Schema, mode=mode)
    inner = schema.pop("$defs", {})
    return {name: schema} | {f"{head}{found}": about for found, about in inner.items()}


def members(required: Iterable[str] = (), **properties: Any) -> Part:
    """An object with these members, and perhaps more."""
    needed = list(required)
    return {"type": "object", "properties": properties} | ({"required": needed} if needed else {})


def array(items: Part, **bounds: Any) -> Part:
    return {"type": "array", "items": items} | bounds


def text(description: str = "", **bounds: Any) -> Part:
    return {"type": "string"} | ({"description": description} if description else {}) | bounds


def content(schema: Part, kind: str = "application/json") -> Part:
    """A body of this kind."""
    return {kind: {"schema": schema}}


def answer(description: str, found: Part | None = None) -> Part:
    """An answer with a body, or none."""
    return {"description": description} | ({"content": found} if found else {})


def body(found: Part) -> Part:
    """A body that a request must have."""
    return {"required": True, "content": found}


def parameter(where: str, name: str, schema: Part, description: str = "") -> Part:
    """A parameter in the path, the query or a header."""
    told = {"description": description} if description else {}
    return {"name": name, "in": where, "required": where == "path", "schema": schema} | told


def summary(endpoint: Callable[..., Any]) -> str:
    """The first sentence that a function says of itself."""
    return " ".join((inspect.getdoc(endpoint) or "").partition("\n\n")[0].split())


def failures() -> Iterable[ApiError]:
    """One failure of every class, as the faces translate them."""
    for kind in CODES.values():
        named = issubclass(kind, InvalidParameter | MissingParameter)
        yield kind("…", parameter="parameter") if named else kind("…")


def by_status(told: Iterable[tuple[int, str]]) -> dict[int, list[str]]:
    """The words of failures by their status, each once."""
    found = dict[int, list[str]]()
    for status, word in sorted(set(told)):
        found.setdefault(status, []).append(word)
    return found


def refusals(words: dict[int, list[str]], head: str, schema: Part) -> dict[str, Part]:
    """The answers to what fails, as parts of the document with names that begin with `head`."""
    return {f"{head}{status}": answer(", ".join(found), content(schema)) for status, found in words.items()}


def refused(found: dict[str, Part], *only: int) -> Part:
    """References to these answers, or to some of them, by their status."""
    named = {name[-3:]: {"$ref": f"#/components/responses/{name}"} for name in found}
    return {status: named[status] for status in sorted(named) if not only or int(status) in only}
