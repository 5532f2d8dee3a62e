"""The texts of the atomic steps: each file of `scripts/` taken apart, and put behind what its steps have in common."""

from __future__ import annotations

import re
from pathlib import Path

import orjson

from server.config import Config
from server.errors import DeadlineExceeded, DependencyFailed, TaskCancelled

_FAILURES = (TaskCancelled(), DeadlineExceeded(), DependencyFailed())
"""The failures of tasks that Redis itself ends."""
_COMMON = ("common", "turns", "endings")
"""What steps have in common; each file uses only what stands before it."""


def scripts(config: Config) -> dict[str, str]:
    """The steps by name, each with what it needs of what all have in common in front: to define the rest anew at
    every call would cost more than some steps do."""
    folder = Path(__file__).parent / "scripts"
    failures = orjson.dumps({failure.code: failure.as_dict() for failure in _FAILURES}).decode()
    settings = f"{config.shards}, {max(1, round(config.image_ttl))}"
    head = f"local SHARDS, IMAGE_TTL, FAILURES = {settings}, [=[{failures}]=]\n"
    shared = [definition for name in _COMMON for definition in _definitions((folder / f"{name}.lua").read_text())]
    text = "\n".join(path.read_text() for path in sorted(folder.glob("*.lua")) if path.stem not in _COMMON)
    parts = re.split(r"^--- (\w+)$", text, flags=re.M)
    return {name: head + _with(shared, body) for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def _definitions(text: str) -> list[str]:
    """The local names of a file, each with what it is."""
    return re.split(r"^(?=local )", text, flags=re.M)[1:]


def _with(shared: list[str], step: str) -> str:
    """A step behind those definitions that it uses. Each uses only what stands before it."""
    for definition in reversed(shared):
        (name,) = re.findall(r"^local (?:function )?(\w+)", definition)
        if re.search(rf"\b{name}\b", step):
            step = definition + step
    return step
