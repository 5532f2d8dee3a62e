"""The members of an object as rows of a table, read from its JSON Schema: what the README and the manual both show."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Part = dict[str, Any]
"""A piece of a schema."""


@dataclass(frozen=True)
class Inner:
    """An object that a member is, or holds: `place` is where its members stand, `choice` the member and the value by
    which it is told from others that may stand there."""

    place: str
    schema: Part
    choice: tuple[str, str] | None = None


@dataclass(frozen=True)
class Row:
    """A member. `place` is its name after those that it lies in, `default` is JSON, `schema` what it may be."""

    name: str
    place: str
    required: bool
    default: str
    description: str
    schema: Part
    inside: list[Inner]


def rows(schema: Part, definitions: Mapping[str, Part], head: str = "") -> list[Row]:
    """The members of an object, in their order; their places begin with `head`."""
    required = schema.get("required", ())
    return [
        _row(name, about, definitions, f"{head}{name}", name in required)
        for name, about in schema.get("properties", {}).items()
    ]


def _row(name: str, about: Part, definitions: Mapping[str, Part], place: str, required: bool) -> Row:
    value = value_of(about, definitions)
    told_by = [about, value, *value.get("anyOf", ())]
    default = next((part["default"] for part in told_by if part.get("default") is not None), None)
    described = next((part["description"] for part in told_by if part.get("description")), "")
    told = "" if default is None else default if isinstance(default, str) else json.dumps(default, ensure_ascii=False)
    return Row(name, place, required, told, described, value, list(_inside(value, definitions, place)))


def value_of(schema: Part, definitions: Mapping[str, Part]) -> Part:
    """What a value may be besides null, with the definition that it refers to in its place."""
    if reference := schema.get("$ref"):
        schema = definitions[reference.rpartition("/")[2]] | schema
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    if len(choices) == 1:
        rest = {name: told for name, told in schema.items() if name not in ("anyOf", "$ref")}
        return value_of(choices[0], definitions) | rest
    return schema | {"anyOf": choices} if choices else schema


def _inside(value: Part, definitions: Mapping[str, Part], place: str) -> Iterator[Inner]:
    if isinstance(items := value.get("items"), dict):
        yield from _inside(value_of(items, definitions), definitions, f"{place}[]")
    elif "oneOf" in value and "discriminator" in value:
        member = value["discriminator"]["propertyName"]
        for word, reference in value["discriminator"]["mapping"].items():
            yield Inner(place, value_of({"$ref": reference}, definitions), (member, word))
    elif value.get("properties"):
        yield Inner(place, value)
