"""What a server's tasks take and give, read from the JSON Schemas that it hands out."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any, Self

from server.exits import wrong

Schema = dict[str, Any]
Place = tuple[str | int, ...]
_FORMATS = {"JPEG": "JPG", "TIF": "TIFF"}


class TaskType:
    """One task type of the server."""

    def __init__(self, about: Schema, envelope: Schema) -> None:
        self.name: str = about["taskType"]
        self.params: Schema = about["params"]
        self.properties: dict[str, Schema] = self.params.get("properties", {})
        self.required: list[str] = self.params.get("required", [])
        self.known = [*self.properties, *envelope["properties"]]
        """What may be set, of every task as well."""
        self.gives: dict[str, Schema] = about["result"].get("properties", {})

    @classmethod
    def named(cls, schemas: Schema, name: str) -> Self:
        """Ends the command for a name that the server does not know."""
        known = [one for about in schemas["tasks"].values() for one in (about["taskType"], *about["aliases"])]
        near = difflib.get_close_matches(name, known, 1)
        return cls.found(schemas, name) or wrong(
            f"There is no task type {name!r} there"
            + (f"; did you mean {near[0]}?" if near else f". Known are: {', '.join(sorted(known))}.")
        )

    @classmethod
    def found(cls, schemas: Schema, name: str) -> Self | None:
        """The task type of a name; None where the server does not know it."""
        for about in schemas["tasks"].values():
            if name in (about["taskType"], *about["aliases"]):
                return cls(about, schemas["envelope"])
        return None

    @property
    def picture(self) -> str:
        """The parameter for the picture that it works on; empty where it takes none."""
        return next((name for name, schema in self.properties.items() if _is_picture(schema)), "")

    @property
    def needs_picture(self) -> bool:
        """Whether it is about a picture, and not only led by one: without anything else, that is what it needs."""
        return bool(self.picture) and (self.picture in self.required or not self.required)

    @property
    def makes_pictures(self) -> bool:
        """Whether pictures are among what it gives."""
        return any(name.endswith("URL") for name in self.gives)

    @property
    def formats(self) -> list[str]:
        """The file types it can make; none where one cannot choose."""
        schema = self.properties.get("outputFormat", {})
        return schema.get("enum") or ([schema["const"]] if "const" in schema else [])

    @property
    def format(self) -> str:
        """The file type it makes unasked; empty where nobody knows before."""
        return str(self.properties.get("outputFormat", {}).get("default", ""))

    def format_of(self, suffix: str) -> str:
        """The file type of an extension, as the task calls it; empty where it is left to the task. Ends the command for
        one that it cannot make."""
        name = suffix.removeprefix(".").upper()
        name = _FORMATS.get(name, name)
        if not name or not self.formats:
            return ""
        if name not in self.formats:
            wrong(f"{self.name} makes {', '.join(self.formats)}, and no {suffix} file.")
        return name

    def value(self, name: str, text: str) -> object:
        """What a parameter is set to by a word of the command line: JSON, but where only text may stand."""
        kinds = {one.get("type") for one in choices(self.properties.get(name, {}), {})} - {"null", None}
        if kinds == {"string"}:
            return text
        try:
            return json.loads(text)
        except ValueError:
            return text

    def pictures(self, task: dict[str, Any]) -> Iterator[Place]:
        """Where in a task object images are named, in its own spelling or nested in `inputs`."""
        yield from _named(self.params, task, self.params.get("$defs", {}), ())
        for name, value in task.get("inputs", {}).items() if isinstance(task.get("inputs"), dict) else ():
            if isinstance(value, str):
                yield "inputs", name
            elif isinstance(value, list):
                yield from (("inputs", name, index) for index, one in enumerate(value) if isinstance(one, str))


def choices(schema: Schema, inner: dict[str, Schema]) -> Iterator[Schema]:
    """A schema, and those that it is one of."""
    yield schema
    if reference := schema.get("$ref"):
        yield from choices(inner[reference.rpartition("/")[2]], inner)
    for word in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(word, ()):
            yield from choices(one, inner)


def _is_picture(schema: Schema) -> bool:
    return any(one.get("x-image") and one.get("type") == "string" for one in choices(schema, {}))


def _named(schema: Schema, value: object, inner: dict[str, Schema], place: Place) -> Iterator[Place]:
    for one in choices(schema, inner):
        if isinstance(value, str) and one.get("x-image"):
            yield place
        elif isinstance(value, list) and isinstance(one.get("items"), dict):
            for index, item in enumerate(value):
                yield from _named(one["items"], item, inner, (*place, index))
        elif isinstance(value, dict):
            for name, item in value.items():
                if name in one.get("properties", {}):
                    yield from _named(one["properties"][name], item, inner, (*place, name))
