"""All that a task file may use: how a task says what it takes, what it does and what it gives.

A task file declares one `Params`, one `Result` and one handler marked with `@task`. The annotations are the
schema, the docstring is the line in the docs, the field names are snake_case and the wire names are computed.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Protocol, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Annotated",
    "Context",
    "Field",
    "ImageRef",
    "Limits",
    "NewImage",
    "Params",
    "Result",
    "Task",
    "rule",
    "task",
]

_ACRONYMS = {"uuid": "UUID", "url": "URL", "uri": "URI", "cfg": "CFG", "nsfw": "NSFW"}


def wire_name(name: str) -> str:
    """The wire spelling of a field: `output_image_url` is `outputImageURL`, `cfg_scale` is `CFGScale`."""
    head, *rest = name.split("_")
    return _ACRONYMS.get(head, head) + "".join(_ACRONYMS.get(word, word.capitalize()) for word in rest)


class Schema(BaseModel):
    """What Params and Result have in common: strict types, both spellings of a name, nothing changes."""

    model_config = ConfigDict(
        extra="ignore", strict=True, frozen=True, alias_generator=wire_name, validate_by_name=True
    )


class Params(Schema):
    """What a task takes."""


class Result(Schema):
    """What a task gives: one item of the answer. Its first field ending in `_uuid` is the item's own UUID."""


class _Reference:
    """Marks a field as naming an image, so that the server brings the image before the handler runs."""


ImageRef = Annotated[
    str,
    _Reference(),
    Field(min_length=1, description="An image: its UUID, a public URL, a data URI or base64."),
]


def references(params: Params) -> Iterator[tuple[str, str]]:
    """Every image named in params, as (field name, value)."""
    for name, field in type(params).model_fields.items():
        value = getattr(params, name)
        if value is not None and any(isinstance(mark, _Reference) for mark in field.metadata):
            yield name, value


def rule(parameter: str) -> Callable[[Callable[..., bool]], Callable[..., bool]]:
    """A condition across fields. Its docstring is the refusal, told about `parameter` (wire spelling)."""

    def mark(holds: Callable[..., bool]) -> Callable[..., bool]:
        holds.refuses = parameter  # type: ignore[attr-defined]
        return holds

    return mark


def broken_rules(params: Params) -> list[tuple[str, str]]:
    """The rules that params break, each as (parameter, sentence)."""
    found = [value for value in vars(type(params)).values() if hasattr(value, "refuses")]
    return [(check.refuses, inspect.getdoc(check) or "") for check in found if not check(params)]


@dataclass(frozen=True)
class Limits:
    """How large an image may be. 0 is no limit."""

    max_side: int = 2048
    """Images are stored at no more than this many pixels a side."""
    max_pixels: int = 1_000_000_000
    """Width times height (times frames) of an input, as its header says, before anything is decoded."""
    max_decoded: int = 512 * 2**20
    """Bytes in memory that an input may need once decoded, where its format cannot be read in stripes."""


@dataclass(frozen=True)
class NewImage:
    """An image file that a handler made: where it lies, what it is.

    `path` lies in the handler's scratch folder, or is an input that is kept as it came; `width` and `height`
    are in pixels; `format` is `JPG`, `PNG`, `WEBP` or `SVG`.
    """

    path: Path
    format: str
    width: int
    height: int


@dataclass(frozen=True)
class Stored:
    """A new image as its answer names it: `uuid`, and `url`, which downloads without a key."""

    uuid: str
    url: str


class Context(Protocol):
    """What the worker lends a handler while it runs."""

    limits: Limits

    def file(self, ref: str) -> Path:
        """The bytes of an input, as a file. `ref` is the value of an ImageRef field."""
        ...

    def scratch(self, suffix: str) -> Path:
        """A fresh path for a file to be written; the folder is gone after the task."""
        ...

    def store(self, image: NewImage) -> Stored:
        """Register an image as this task's next result. It is kept when the task succeeds, and only then."""
        ...

    def forget(self, ref: str) -> None:
        """Delete an input of this task from the registry when the task succeeds."""
        ...

    def progress(self, fraction: float, stage: str = "") -> None:
        """Say how far the task is, 0 to 1, and what it is doing. Call it between steps: a cancel ends here."""
        ...


P = TypeVar("P", bound=Params)
R = TypeVar("R", bound=Result)


@dataclass(frozen=True)
class Task(Generic[P, R]):
    """One kind of task, as its file declares it."""

    task_type: str
    params: type[P]
    result: type[R]
    handler: Callable[[P, Context], R | list[R]]
    summary: str
    aliases: tuple[str, ...]
    seconds: float

    @property
    def uuid_member(self) -> str | None:
        """The wire name of the result's own UUID, `imageUUID` for most; None for a task that makes no image."""
        return next((wire_name(name) for name in self.result.model_fields if name.endswith("_uuid")), None)


def task(
    task_type: str, *, aliases: tuple[str, ...] = (), seconds: float = 300
) -> Callable[[Callable[[P, Context], R | list[R]]], Task[P, R]]:
    """Make a Task of a handler. `seconds` is how long one run may take before it is ended."""

    def declare(handler: Callable[[P, Context], R | list[R]]) -> Task[P, R]:
        hints: dict[str, Any] = get_type_hints(handler)
        first = next(iter(inspect.signature(handler).parameters))
        result = hints["return"]
        result = getattr(result, "__args__", (result,))[0]
        summary = (inspect.getdoc(handler) or "").partition("\n")[0]
        if not re.fullmatch(r"[A-Z].*\.", summary):
            raise TypeError(f"task {task_type!r} needs a docstring that starts with a sentence")
        return Task(task_type, hints[first], result, handler, summary, aliases, seconds)

    return declare
