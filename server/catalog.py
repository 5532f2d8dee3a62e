"""The task types this server knows, found by walking the folders they lie in."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import pydantic

from server.errors import ApiError, InvalidParameter, MissingParameter, UnknownParameter, UnsupportedTaskType
from server.schema import Params, Place, broken_rules, spelled, wire_name
from server.task import Task

_TYPES = {
    "int": "integer", "float": "number", "bool": "boolean", "string": "string", "list": "array", "tuple": "array",
    "dict": "object", "model": "object", "model_attributes": "object",
}  # fmt: skip
_ALTERNATIVES = {"int", "float", "bool", "str", "list", "tuple", "dict", "none"}
"""What pydantic calls the types of a union in a fault's place; others are no identifiers, or capitalised."""
_SENTENCES = {"array": "input should be a list", "object": "input should be an object"}
"""What is said in place of pydantic's sentence, which speaks of tuples and classes."""


P = TypeVar("P", bound=Params)


class Catalog:
    """All task types by each of their names. Raises ValueError at start for a file that breaks the rules."""

    def __init__(self, tasks: Iterable[Task[Any, Any]]) -> None:
        self.by_name: dict[str, Task[Any, Any]] = {}
        for task in tasks:
            for name in (task.task_type, *task.aliases):
                if name in self.by_name:
                    raise ValueError(f"two files declare taskType {name!r}")
                self.by_name[name] = task

    @classmethod
    def discover(cls, packages: Sequence[str] = ()) -> Catalog:
        """The catalogue of the folder `tasks` and of further packages."""
        return cls(task for package in ("tasks", *packages) for task in _declared(package))

    def named(self, task_type: object) -> Task[Any, Any]:
        """The task of a name. Raises UnsupportedTaskType."""
        if not isinstance(task_type, str) or task_type not in self.by_name:
            raise UnsupportedTaskType(
                f"There is no taskType {reprlib.repr(task_type)} here. Known are: {', '.join(sorted(self.by_name))}.",
                parameter="taskType",
            )
        return self.by_name[task_type]


def _declared(package: str) -> Iterable[Task[Any, Any]]:
    folder = importlib.import_module(package)
    for found in pkgutil.iter_modules(folder.__path__):
        module = importlib.import_module(f"{package}.{found.name}")
        tasks = [value for value in vars(module).values() if isinstance(value, Task)]
        if len(tasks) != 1:
            raise ValueError(f"{module.__name__} declares {len(tasks)} tasks; a task file declares one")
        yield tasks[0]


def read(task: Task[Any, Any], fields: dict[str, Any], *, strict: bool = False) -> Params | list[ApiError]:
    """Fields in their wire spelling as the task's params, or every refusal at once.

    With `strict`, a field that the task does not have is refused too.
    """
    known = {wire_name(name) for name in task.params.model_fields} if strict else fields
    unknown: list[ApiError] = [
        UnknownParameter(f"{task.task_type} has no parameter {name!r}.", parameter=name)
        for name in fields
        if name not in known
    ]
    found = checked(task.params, fields)
    return unknown + found if isinstance(found, list) else unknown or found


def checked(schema: type[P], fields: dict[str, Any]) -> P | list[ApiError]:
    """Fields in their wire spelling as this schema has them, or every refusal at once."""
    try:
        params = schema.model_validate(fields, by_alias=True, by_name=False)
    except pydantic.ValidationError as invalid:
        return [_refusal(place, found) for place, found in _distinct(invalid, fields).items()]
    broken: list[ApiError] = [
        (MissingParameter if missing else InvalidParameter)(sentence, parameter=parameter)
        for parameter, missing, sentence in broken_rules(params)
    ]
    return broken or params


def _distinct(invalid: pydantic.ValidationError, fields: dict[str, Any]) -> dict[Place, Any]:
    """One fault a place: a value that fits none of several types is told of once."""
    found = dict[Place, Any]()
    for fault in invalid.errors(include_url=False):
        found.setdefault(_place(fault["loc"], fields), fault)
    return found


def _refusal(place: Place, found: Any) -> ApiError:
    parameter = spelled(place)
    kind, context = found["type"], found.get("ctx", {})
    if kind == "missing" or (kind == "string_too_short" and found["input"] == ""):
        return MissingParameter(f"{parameter} is required.", parameter=parameter)
    if kind == "extra_forbidden":
        return UnknownParameter(
            f"There is no {parameter} here. Leave it out, or mend its spelling.", parameter=parameter
        )
    told_type = _TYPES.get(kind.removesuffix("_type"))
    sentence = _SENTENCES.get(told_type or "") or found["msg"].removeprefix("Value error, ").rstrip(".")
    if kind.startswith("union_tag"):
        told = context["discriminator"].strip("'")
        sentence = f"say by its member {told} which kind it is"
        context = {"expected": context.get("expected_tags")}
    return InvalidParameter(
        f"{parameter}: {sentence[:1].lower()}{sentence[1:].replace(' after validation', '')}.",
        parameter=parameter,
        type=told_type,
        min=context.get("ge", context.get("gt")),
        max=context.get("le", context.get("lt")),
        multiplier=context.get("multiple_of"),
        allowedValues=_choices(context.get("expected")),
    )


def _choices(expected: object) -> list[Any] | None:
    """The values in pydantic's enumeration of them: `'JPG', 'PNG' or 'WEBP'`, `2, 3 or 4`."""
    if not isinstance(expected, str):
        return None
    return list(ast.literal_eval(f"({expected.replace(' or ', ', ')},)"))


def _place(found: Sequence[int | str], fields: Any) -> Place:
    """A fault's place in the client's object: without the names of alternatives, which pydantic puts between."""
    place, value = list[str | int](), fields
    for index, part in enumerate(found):
        if isinstance(part, int):
            if not isinstance(value, list):
                continue  # a value that stands for a list of one
            value = value[part] if part < len(value) else None
        elif not isinstance(value, dict) or (part not in value and (index < len(found) - 1 or not _is_member(part))):
            continue
        else:
            value = value.get(part)
        place.append(part)
    return tuple(place)


def _is_member(part: str) -> bool:
    """Whether the end of a fault's place names a member that is absent, and not a type that was tried."""
    return part.isidentifier() and part[0].islower() and part not in _ALTERNATIVES
