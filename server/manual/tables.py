"""The members of an object as a page shows them: what each may be in words, and a table of its own for each object
that lies within."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from server.rows import Inner, Part, Row, rows, value_of

_WORDS = {"integer": "whole number", "number": "number", "boolean": "true or false", "string": "text"}
_COUNTED = ("image", "object", "number", "whole number")
_FORMATS = {"uuid": "UUID v4", "uri": "URL"}


@dataclass(frozen=True)
class Member:
    """A row with its words. `images`: it names images; `choices` are all that it may be, as they are written."""

    row: Row
    anchor: str
    kind: str
    limits: str
    choices: list[str]
    images: bool


@dataclass(frozen=True)
class Table:
    """The members of one object. The first table of a page is that of the object itself and has no `place`."""

    place: str
    choice: tuple[str, str] | None
    anchor: str
    about: str
    members: list[Member]


def tables(
    schema: Part, definitions: Mapping[str, Part], anchor: str, *, without: Collection[str] = ()
) -> Iterator[Table]:
    """The table of an object and those of the objects within. Anchors begin with `anchor`."""
    found = [row for row in rows(schema, definitions) if row.name not in without]
    yield from _table(Inner("", schema), found, definitions, anchor)


def _table(inner: Inner, found: list[Row], definitions: Mapping[str, Part], anchor: str) -> Iterator[Table]:
    members = [_member(row, definitions, anchor) for row in found]
    yield Table(inner.place, inner.choice, anchor, inner.schema.get("description", ""), members)
    for row in found:
        for within in row.inside:
            told, word = within.choice or ("", "")
            head = f"{anchor}-{row.name}" + (f"-{word}" if word else "")
            # The heading of the table says by what it is told from the others.
            members = [inner for inner in rows(within.schema, definitions) if inner.name != told]
            yield from _table(within, members, definitions, head)


def _member(row: Row, definitions: Mapping[str, Part], anchor: str) -> Member:
    schema = row.schema
    return Member(
        row,
        f"{anchor}-{row.name}",
        kind(schema, definitions),
        ", ".join(limits(schema, definitions)),
        _choices(schema, definitions),
        names_images(schema, definitions),
    )


def kind(schema: Part, definitions: Mapping[str, Part]) -> str:
    """What a value is, in words."""
    schema = value_of(schema, definitions)
    if schema.get("x-image"):
        return "image"
    if "anyOf" in schema:
        kinds = list(dict.fromkeys(kind(choice, definitions) for choice in schema["anyOf"]))
        return " or ".join(kinds if kinds != ["number", "whole number"] else ["number"])
    if isinstance(items := schema.get("items"), dict):
        one = kind(items, definitions)
        return f"list of {one}s" if one in _COUNTED else f"list of {one}"
    return _FORMATS.get(schema.get("format", "")) or _WORDS.get(schema.get("type", ""), "object")


def limits(schema: Part, definitions: Mapping[str, Part]) -> Iterator[str]:
    """What bounds a value, part by part."""
    schema = value_of(schema, definitions)
    yield from _span(schema.get("minimum"), schema.get("maximum"), "")
    if (above := schema.get("exclusiveMinimum")) is not None:
        yield f"more than {above}"
    if (below := schema.get("exclusiveMaximum")) is not None:
        yield f"less than {below}"
    if step := schema.get("multipleOf"):
        yield f"a multiple of {step}"
    if not schema.get("x-image") and "pattern" not in schema:
        yield from _span(schema.get("minLength"), schema.get("maxLength"), " characters")
    yield from _span(schema.get("minItems"), schema.get("maxItems"), " items")
    if isinstance(items := schema.get("items"), dict) and (each := list(limits(items, definitions))):
        yield f"each {', '.join(each)}"
    for choice in schema.get("anyOf", ()):
        yield from limits(choice, definitions)


def _span(least: float | None, most: float | None, unit: str) -> Iterator[str]:
    least = None if unit and least == 1 and most is None else least  # some text, as everything that is given has
    if least is not None and least == most:
        yield f"{least}{unit}"
    elif least is not None and most is not None:
        yield f"{least} to {most}{unit}"
    elif most is not None:
        yield f"at most {most}{unit}"
    elif least is not None:
        yield f"at least {least}{unit}"


def _choices(schema: Part, definitions: Mapping[str, Part]) -> list[str]:
    schema = value_of(schema, definitions)
    if "const" in schema:
        return [str(schema["const"]).lower() if isinstance(schema["const"], bool) else str(schema["const"])]
    if "enum" in schema:
        return [str(word) for word in schema["enum"]]
    parts = [*schema.get("anyOf", ()), *([schema["items"]] if isinstance(schema.get("items"), dict) else ())]
    return list(dict.fromkeys(word for part in parts for word in _choices(part, definitions)))


def names_images(schema: Part, definitions: Mapping[str, Part]) -> bool:
    """Whether a value names an image, or is a list of those that do."""
    schema = value_of(schema, definitions)
    parts = [*schema.get("anyOf", ()), *([schema["items"]] if isinstance(schema.get("items"), dict) else ())]
    return bool(schema.get("x-image")) or any(names_images(part, definitions) for part in parts)
