"""The reference, written by what it describes: the catalogue, the envelope, the failures, the settings.

The README holds its tables between two markers each; a test fails when one of them is stale.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from server.catalog import Catalog
from server.config import Config, spelled, variable_of
from server.envelope import Envelope
from server.errors import CODES, ApiError
from server.rows import rows
from server.schema import OutputParams, wire_name
from server.task import Task

_BLOCK = r"(<!-- {name} -->\n).*?(<!-- end -->)"


def tasks_table() -> str:
    """The task types with their parameters."""
    head = ["| taskType | what it does | parameters | answer |", "|---|---|---|---|"]
    tasks = {task.task_type: task for task in Catalog.discover().by_name.values()}
    return "\n".join([*head, *(_task_row(task) for task in tasks.values())])


def errors_table() -> str:
    """The codes that a client can get."""
    lines = ["| code | HTTP | try again | when |", "|---|---|---|---|"]
    for code, failure in sorted(CODES.items()):
        shown, sentence = code.replace("*", "‹Parameter›"), sentence_of(failure)
        lines.append(f"| `{shown}` | {failure.status} | {'yes' if failure.retryable else 'no'} | {sentence} |")
    return "\n".join(lines)


def settings_table() -> str:
    """The settings with their defaults."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Config.model_fields.items():
        lines.append(f"| `{variable_of(name)}` | {_default(field)} | {field.description} |")
    return "\n".join(lines)


def envelope_table() -> str:
    """The members that every task may have besides its own parameters."""
    head = ["| member | value | default | meaning |", "|---|---|---|---|"]
    schema = Envelope.model_json_schema()
    return "\n".join([*head, *_member_rows(schema, schema["$defs"])])


BLOCKS: dict[str, Callable[[], str]] = {
    "tasks": tasks_table,
    "envelope": envelope_table,
    "errors": errors_table,
    "settings": settings_table,
}


def sentence_of(failure: type[ApiError]) -> str:
    """When a failure happens, in one paragraph."""
    return " ".join((inspect.getdoc(failure) or "").split())


def refreshed(readme: str) -> str:
    """The README with every table written anew."""
    for name, table in BLOCKS.items():
        written = table()
        readme = re.sub(
            _BLOCK.format(name=name), lambda found, text=written: f"{found[1]}{text}\n{found[2]}", readme, flags=re.S
        )
    return readme


def _task_row(task: Task[Any, Any]) -> str:
    names = ", ".join(f"`{name}`" for name in (task.task_type, *task.aliases))
    makes_images = issubclass(task.params, OutputParams)
    shared = OutputParams.model_fields if makes_images else {}
    parameters = [
        f"**`{wire_name(name)}`**" if field.is_required() else f"`{wire_name(name)}`"
        for name, field in task.params.model_fields.items()
        if name not in shared
    ]
    parameters += ["[output](#output)"] if makes_images else []
    # What stands in the place of a URL is told once, under the table.
    answer = [
        f"`{wire_name(name)}`" for name in task.result.model_fields if not name.endswith(("_base64_data", "_data_uri"))
    ]
    return f"| {names} | {task.summary} | {', '.join(parameters)} | {', '.join(answer)} |"


def _member_rows(schema: dict[str, Any], definitions: dict[str, Any], head: str = "") -> Iterator[str]:
    """A row for each member of an object, and for the members of one that is an object itself."""
    for row in rows(schema, definitions, head):
        shown = f"**`{row.place}`**" if row.required else f"`{row.place}`"
        default = f"`{row.default}`" if row.default else "–"
        yield f"| {shown} | {_value(row.schema)} | {default} | {row.description} |"
        for inner in row.inside:
            yield from _member_rows(inner.schema, definitions, f"{inner.place}.")


def _value(schema: dict[str, Any]) -> str:
    """What a member may be, in words."""
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    match schema:
        case {"minimum": least, "maximum": most}:
            return f"{least} to {most}"
        case {"items": item, "maxItems": most}:
            return f"list of at most {most}: {_value(item)}"
        case {"format": "uuid"}:
            return "UUID v4"
        case {"format": "uri"}:
            return "URL"
        case {"type": "boolean"}:
            return "`true`, `false`"
        case {"type": "string"}:
            return "text"
        case _:
            return "object"


def _default(field: FieldInfo) -> str:
    text = spelled(field.default, field)
    return f"`{text}`" if text else "–"


if __name__ == "__main__":
    _readme = Path("README.md")
    _readme.write_text(refreshed(_readme.read_text()))
