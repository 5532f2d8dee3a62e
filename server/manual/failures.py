"""The codes of failures, by where they come from; and those that a task type can give."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from server.docs import sentence_of
from server.errors import CODES, ApiError, InvalidParameter, MissingParameter
from server.manual.tables import Table
from server.task import Context, Task

_OF_A_PARAMETER = (InvalidParameter, MissingParameter)
_BY_NAME = {kind.__name__: kind for kind in CODES.values() if kind not in _OF_A_PARAMETER}


@dataclass(frozen=True)
class Failure:
    """A code as it is shown, with what its class says and what to do."""

    code: str
    anchor: str
    status: int
    retryable: bool
    sentence: str
    remedy: str


@dataclass(frozen=True)
class Group:
    """Failures of one origin. `every`: each task type can give them."""

    id: str
    title: str
    every: bool
    failures: list[Failure]


@cache
def groups() -> list[Group]:
    """All codes. Raises KeyError for one that is not in `errors.py`."""
    told = tomllib.loads(Path(__file__).with_name("remedies.toml").read_text())
    return [
        Group(
            group["id"],
            group["title"],
            group.get("every", False),
            [_failure(code, remedy) for code, remedy in group["remedies"].items()],
        )
        for group in told["group"]
    ]


def _failure(code: str, remedy: str) -> Failure:
    kind = CODES[code]
    return Failure(shown(code), anchor(code), kind.status, kind.retryable, sentence_of(kind), remedy)


def shown(code: str) -> str:
    """A code as it is written for people."""
    return code.replace("*", "‹Parameter›")


def anchor(code: str) -> str:
    """Where a code is told of on the page of all."""
    return code.replace("*", "Parameter")


def places() -> dict[str, str]:
    """The address of each code."""
    return {shown(code): f"/docs/errors#{anchor(code)}" for code in CODES}


@dataclass(frozen=True)
class Risks:
    """The codes that a task type can give, by why; those of its parameters in the words of clients."""

    required: list[str]
    wrong: list[str]
    images: list[str]
    own: list[str]
    every: list[str]


def risks(task: Task[Any, Any], tables: Iterable[Table]) -> Risks:
    """What can go wrong with a task of this type, whose parameters these tables show."""
    members = [member for table in tables for member in table.members]
    takes_images = any(member.images for member in members)
    starred = [shown(kind.code) for kind in _OF_A_PARAMETER]
    every = [told.code for group in groups() if group.every for told in group.failures if told.code not in starred]
    images = next(group for group in groups() if group.id == "images") if takes_images else None
    told = [failure.code for failure in images.failures] if images else []
    missing = [member.row.name for member in members if member.row.required] + [name for name in _missing(task)]
    return Risks(
        required=_codes(MissingParameter, missing),
        wrong=_codes(InvalidParameter, [member.row.name for member in members]),
        images=told,
        own=[code for code in raised(task) if code not in (*every, *told)],
        every=every,
    )


def _codes(kind: type[ApiError], parameters: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(kind("…", parameter=name).code for name in parameters))


def _missing(task: Task[Any, Any]) -> Iterator[str]:
    """Parameters that a rule of several wants."""
    for kind in task.params.__mro__:
        for value in vars(kind).values():
            parameter, missing = getattr(value, "refuses", ("", False))
            if missing:
                yield parameter


def raised(task: Task[Any, Any]) -> list[str]:
    """The codes that a task's file raises, and those that what it uses of its context may raise."""
    tree = ast.parse(inspect.getsource(sys.modules[task.handler.__module__]))
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (lent := vars(Context).get(node.attr)) and callable(lent):
            names += re.findall(r"\w+", (inspect.getdoc(lent) or "").partition("Raises")[2])
    return list(dict.fromkeys(_BY_NAME[name].code for name in names if name in _BY_NAME))
