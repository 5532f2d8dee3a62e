"""The settings in groups, each with how it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from pydantic.fields import FieldInfo

from server.config import Config, spelled, variable_of
from server.units import NamedKeys, Networks, Rate, Unit, Words

_GROUPS = {
    "host": "Address, storage, tasks",
    "models": "Models",
    "image_ttl": "Images",
    "fetch_allow": "What is fetched from elsewhere",
    "max_message": "Limits",
    "auth_timeout": "The conversation",
    "webhook_timeout": "Call backs",
    "lease": "The work",
    "origins": "Browsers and logs",
}
"""The title of each group by its first setting, in the order of the settings."""
_WRITTEN: dict[Any, str] = {
    Words: "words with commas between",
    Networks: "networks with commas between, like 10.0.0.0/8",
    NamedKeys: "name:key pairs with commas between",
    Rate: "a rate like 10/s, 600/min or 1000/h; 0 is none",
}


@dataclass(frozen=True)
class Option:
    """A setting. `written` is how a value of it looks, `choices` are all there are."""

    variable: str
    default: str
    about: str
    written: str
    choices: list[str]


def groups() -> list[tuple[str, list[Option]]]:
    """Every setting under the title of its group."""
    found = list[tuple[str, list[Option]]]()
    for name, field in Config.model_fields.items():
        if name in _GROUPS:
            found.append((_GROUPS[name], []))
        found[-1][1].append(_option(name, field))
    return found


def places() -> dict[str, str]:
    """The address of each setting."""
    return {variable_of(name): f"/docs/settings#{variable_of(name)}" for name in Config.model_fields}


def _option(name: str, field: FieldInfo) -> Option:
    choices = [str(word) for word in get_args(field.annotation) if isinstance(word, str) and word]
    if field.annotation is bool:
        choices = ["true", "false"]
    default = spelled(field.default, field)
    default = default.lower() if field.annotation is bool else default
    return Option(variable_of(name), default, field.description or "", _written(field), choices)


def _written(field: FieldInfo) -> str:
    for mark in field.metadata:
        if isinstance(mark, Unit):
            return f"like {mark.example}"
    for kind, words in _WRITTEN.items():
        if kind.__metadata__[0] in field.metadata:
            return words
    span = [f"{word} {bound}" for word, name in (("from", "ge"), ("to", "le")) if (bound := _bound(field, name))]
    return " ".join(["a whole number", *span]) if field.annotation is int else ""


def _bound(field: FieldInfo, name: str) -> str:
    return next((f"{getattr(mark, name)}" for mark in field.metadata if hasattr(mark, name)), "")
