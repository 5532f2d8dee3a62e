"""What a task takes and gives, as schemas: names on the wire, references to images, conditions across fields.

The annotations of a task file are the only place where its parameters stand; everything else is read from them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import cache
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema

_ACRONYMS = {"uuid": "UUID", "url": "URL", "uri": "URI", "cfg": "CFG", "nsfw": "NSFW", "svg": "SVG"}

Place = tuple[str | int, ...]
"""Where a value stands in a task object: names of members and places in lists."""


def wire_name(name: str) -> str:
    """The wire spelling of a field: `output_image_url` is `outputImageURL`, `cfg_scale` is `CFGScale`."""
    head, *rest = name.split("_")
    return _ACRONYMS.get(head, head) + "".join(_ACRONYMS.get(word, word.capitalize()) for word in rest)


def spelled(place: Place) -> str:
    """A place as clients write it: `controlNet[0].guideImage`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


class Schema(BaseModel):
    """What Params, Result and their members have in common: strict types, both spellings of a name, no change."""

    model_config = ConfigDict(
        extra="ignore", strict=True, frozen=True, alias_generator=wire_name, validate_by_name=True
    )


class Params(Schema):
    """What a task takes."""


UUID4 = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"
Uuid4 = Annotated[str, Field(min_length=1, pattern=f"^{UUID4}$", json_schema_extra={"format": "uuid"})]


class BatchParams(Params):
    """What a task takes that is about the tasks of a batch: it starts when all of them have ended, whatever way."""

    of: Annotated[Uuid4, Field(description="The `batchUUID` of these tasks.")]


class Result(Schema):
    """What a task gives: one item of the answer. Its first field ending in `_uuid` is the item's own UUID."""


class _Reference:
    """Marks a string as naming an image, so that the server brings the image before the handler runs; with `unless`,
    only where that other field is not given."""

    def __init__(self, unless: str = "") -> None:
        self.unless = unless

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Forms made from a schema offer pictures here; what names one in place of another field is no picture."""
        return handler(core) if self.unless else {**handler(core), "x-image": True}


ImageRef = Annotated[
    str,
    _Reference(),
    Field(min_length=1, description="An image: its UUID, a public URL, a data URI or base64."),
]


def image_ref(*, unless: str) -> _Reference:
    """The mark of a field that names an image as an ImageRef does, but only where another field is not given."""
    return _Reference(unless)


def references(params: Schema) -> Iterator[tuple[Place, str]]:
    """Every image named in params, also in members of members, as (place in its wire spelling, value)."""
    for name, mark in _fields(type(params)):
        marked = mark is not None and (not mark.unless or getattr(params, mark.unless) is None)
        yield from _within((wire_name(name),), getattr(params, name), marked)


def _within(place: Place, value: object, marked: bool) -> Iterator[tuple[Place, str]]:
    if isinstance(value, Schema):
        for inner, reference in references(value):
            yield (*place, *inner), reference
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _within((*place, index), item, marked)
    elif marked and isinstance(value, str):
        yield place, value


@cache
def _fields(schema: type[Schema]) -> list[tuple[str, _Reference | None]]:
    return [(name, _mark(field)) for name, field in schema.model_fields.items()]


def _mark(annotation: object) -> _Reference | None:
    """What an annotation says of strings that name images, itself or in a list or a union."""
    parts: tuple[object, ...] = get_args(annotation)
    if isinstance(annotation, FieldInfo):
        parts = (annotation.annotation, *annotation.metadata)
    found = (part if isinstance(part, _Reference) else _mark(part) for part in parts)
    return next((mark for mark in found if mark), None)


def rule(parameter: str, *, missing: bool = False) -> Callable[[Callable[..., bool]], Callable[..., bool]]:
    """A condition across fields. Its docstring is the refusal, told about `parameter` (wire spelling): that it is
    invalid, or missing."""

    def mark(holds: Callable[..., bool]) -> Callable[..., bool]:
        holds.refuses = parameter, missing  # type: ignore[attr-defined]
        return holds

    return mark


def broken_rules(params: Params) -> list[tuple[str, bool, str]]:
    """The rules that params break, each as (parameter, whether it is missing, sentence)."""
    return [(*check.refuses, inspect.getdoc(check) or "") for check in _rules(type(params)) if not check(params)]


@cache
def _rules(schema: type[Params]) -> list[Any]:
    return [value for kind in schema.__mro__ for value in vars(kind).values() if hasattr(value, "refuses")]


def put(wire: Any, place: Place, value: str) -> None:
    """Replace what stands at a place of a task object, in lists and tuples too."""
    head, *rest = place
    if rest and isinstance(wire[head], tuple):
        wire[head] = list(wire[head])
    if rest:
        put(wire[head], tuple(rest), value)
    else:
        wire[head] = value


def _spelling(*spellings: str, **more: str) -> BeforeValidator:
    """Takes each of these words in any case, alone or in a list."""
    known = {word.lower(): word for word in spellings} | more

    def level(value: object) -> object:
        if isinstance(value, str):
            return known.get(value.lower(), value)
        return tuple(level(item) for item in value) if isinstance(value, list | tuple) else value

    return BeforeValidator(level)


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


OutputType = Literal["URL", "base64Data", "dataURI", "binary"]
Format = Annotated[Literal["JPG", "PNG", "WEBP"], _spelling("JPG", "PNG", "WEBP", jpeg="JPG")]
"""A file type, in any case; JPEG is JPG."""
AnyFormat = Annotated[
    Literal["JPG", "PNG", "WEBP", "BMP", "TIFF", "GIF"],
    _spelling("JPG", "PNG", "WEBP", "BMP", "TIFF", "GIF", jpeg="JPG", tif="TIFF"),
]
"""The same where pictures may also be had in older file types."""


class OutputParams(Params):
    """What a task takes that makes images: how they are encoded and handed over."""

    output_type: Annotated[
        tuple[OutputType, ...],
        BeforeValidator(_listed),
        _spelling("URL", "base64Data", "dataURI", "binary"),
        Field(
            min_length=1,
            max_length=4,
            description="How images come: URL, base64Data, dataURI, or a list of them. On a socket with the feature"
            " binary also as binary: in binary frames after the answer, which has the URL as well.",
        ),
    ] = ("URL",)
    output_format: Annotated[
        Format, Field(description="File type. Where JPG cannot show what is transparent, it is white.")
    ] = "JPG"
    output_quality: Annotated[int, Field(ge=20, le=99, description="Quality of JPG and WEBP.")] = 95
    ttl: Annotated[
        int | None,
        Field(ge=60, le=315_360_000, description="The result is deleted after so many seconds, used or not."),
    ] = None


class ImageResult(Result):
    """A new image; URL, base64 or data URI as `outputType` asked."""

    image_uuid: str
    image_url: str | None = None
    image_base64_data: str | None = None
    image_data_uri: str | None = None


def deeper(value: object, levels: int) -> bool:
    """Whether there are objects or arrays in each other more than so many levels deep."""
    found = [value]
    for _ in range(levels):
        nested = [item for item in found if isinstance(item, dict | list)]
        if not nested:
            return False
        found = [child for item in nested for child in (item.values() if isinstance(item, dict) else item)]
    return any(isinstance(item, dict | list) for item in found)
