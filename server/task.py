"""All that a task file may use: how a task says what it takes, what it does and what it gives.

A task file declares one `Params`, one `Result` and one handler marked with `@task`. The annotations are the
schema, the docstring is the line in the docs, the field names are snake_case and the wire names are computed.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, Protocol, TypeVar, get_type_hints

from pydantic import Field

from server.schema import (
    AnyFormat,
    BatchParams,
    Format,
    ImageRef,
    ImageResult,
    OutputParams,
    Params,
    Result,
    Schema,
    image_ref,
    rule,
    wire_name,
)

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "Annotated",
    "AnyFormat",
    "BatchParams",
    "Context",
    "Field",
    "Format",
    "ImageRef",
    "ImageResult",
    "Limits",
    "Member",
    "Model",
    "NewImage",
    "OutputParams",
    "Params",
    "Result",
    "Schema",
    "Stored",
    "Task",
    "image_ref",
    "rule",
    "task",
]


@dataclass(frozen=True)
class Limits:
    """How large an image may be. 0 is no limit."""

    max_side: int = 2048
    """Images are stored at no more than this many pixels a side."""
    max_pixels: int = 1_000_000_000
    """Width times height (times frames) of an input, as its header says, before anything is decoded."""
    max_decoded: int = 512 * 2**20
    """Bytes in memory that an input may need once decoded, where its format cannot be read in stripes."""
    max_working_side: int = 4096
    """Tasks work on images of no more than this many pixels a side; a larger input is reduced first."""
    max_area: int = 0
    """Width times height of an input's one frame, where the face that took the task promises a bound."""
    max_bytes: int = 0
    """Bytes of an input's file, likewise."""
    input_seconds: int = 0
    """An input that came with the task is deleted after so many seconds; 0: it is kept as any image is."""


@dataclass(frozen=True)
class NewImage:
    """An image file that a handler made: where it lies, what it is.

    `path` lies in the handler's scratch folder, or is an input that is kept as it came; `width` and `height`
    are in pixels; `format` is `JPG`, `PNG`, `WEBP`, `BMP`, `TIFF`, `GIF` or `SVG`. `source` is the client's file that
    it is a form of: the image is found by the content of either.
    """

    path: Path
    format: str
    width: int
    height: int
    source: Path | None = None


@dataclass(frozen=True)
class Stored:
    """A new image as its answer names it: `uuid`, and `url`, which downloads without a key."""

    uuid: str
    url: str


@dataclass(frozen=True)
class Model:
    """A model whose weights are installed (see `models.toml`). `path` is its file or folder."""

    air: str
    name: str
    kind: str
    engine: str
    path: Path
    options: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Member:
    """A task of a batch that has ended: its state, `succeeded` or `failed`, its failure's code, and how long it ran."""

    uuid: str
    task_type: str
    state: str
    code: str
    seconds: float


class Context(Protocol):
    """What the worker lends a handler while it runs."""

    limits: Limits

    def open(self, ref: str) -> Image:
        """An input decoded: mode RGB, or RGBA where some pixel is not opaque; 8 bit, upright, sRGB, at most
        `limits.max_working_side` a side. Raises InvalidParameter, UnsupportedImageFormat, ValueTooLarge."""
        ...

    def save(self, picture: Image, params: OutputParams, name: str = "image") -> dict[str, str]:
        """Encode a picture (RGB, RGBA or L) as params say and register it as this task's next result.

        Gives members for the Result: `image_uuid`, and `image_url` where asked for (with another `name`:
        `guide_image_uuid`, …). What goes out as base64 is put in when the answer is sent. JPG, BMP and GIF
        have no transparency: what is transparent becomes white.
        """
        ...

    def save_file(self, image: NewImage, params: OutputParams, name: str = "image") -> dict[str, str]:
        """The same for a file that is written already."""
        ...

    def uuid(self, ref: str) -> str:
        """The UUID of an input. One that came inline or from elsewhere is registered when the task succeeds."""
        ...

    def stored(self, ref: str) -> Stored:
        """The same with its URL."""
        ...

    def model(
        self, air: str | int | None, kind: str, *, required: bool = False, parameter: str = "model"
    ) -> Model | None:
        """The installed model of a name; None where the built-in engine is to work.

        Without a name, the default of its kind, if it is installed. `required` says that there is no built-in
        engine; `parameter` is where the task names it. Raises ModelNotFound, which says what to install, and
        InvalidParameter for a model of another kind.
        """
        ...

    def models(self) -> list[dict[str, Any]]:
        """Every model of the table, as dicts: air, name, kind, engine, architecture, licence, source, installed."""
        ...

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

    def members(self) -> list[Member]:
        """How each task of the batch ended that this task is about (`BatchParams`), in the order of their receipt."""
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
    deterministic: bool | Callable[[P], bool] = False

    def repeats(self, params: P) -> bool:
        """Whether the same params, images and models always give the same result."""
        return self.deterministic(params) if callable(self.deterministic) else self.deterministic

    @property
    def uuid_member(self) -> str | None:
        """The wire name of the result's own UUID, `imageUUID` for most; None for a task that makes no image."""
        return next((wire_name(name) for name in self.result.model_fields if name.endswith("_uuid")), None)


def task(
    task_type: str,
    *,
    aliases: tuple[str, ...] = (),
    seconds: float = 300,
    deterministic: bool | Callable[[P], bool] = False,
) -> Callable[[Callable[[P, Context], R | list[R]]], Task[P, R]]:
    """Make a Task of a handler. `seconds` is how long one run may take before it is ended. `deterministic` says, for
    all params or for each, that the same work always gives the same result: then it is done once, and an earlier
    result answers whoever asks for it again."""

    def declare(handler: Callable[[P, Context], R | list[R]]) -> Task[P, R]:
        hints: dict[str, Any] = get_type_hints(handler)
        first = next(iter(inspect.signature(handler).parameters))
        result = hints["return"]
        result = getattr(result, "__args__", (result,))[0]
        summary = (inspect.getdoc(handler) or "").partition("\n")[0]
        if not re.fullmatch(r"[A-Z].*\.", summary):
            raise TypeError(f"task {task_type!r} needs a docstring that starts with a sentence")
        return Task(task_type, hints[first], result, handler, summary, aliases, seconds, deterministic)

    return declare
