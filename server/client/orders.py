"""From words of the command line and files of this machine to task objects as a server takes them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from server.client.failures import Failed
from server.client.parcels import Parcel
from server.client.schemas import Place, TaskType
from server.exits import fail, wrong
from server.schema import put, spelled

_NO_FILE = re.compile(r"\s*([a-z][a-z0-9+.-]*://|data:|blake3:|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.I)
_LONGEST_NAME = 1024

Task = dict[str, Any]


def values(kind: TaskType, settings: Sequence[str]) -> Task:
    """What `--set name=value` says. Ends the command for what is no parameter of the task."""
    found = Task()
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not name or not equals:
            wrong(f"--set {setting}: write it as name=value.")
        if name not in kind.known:
            near = difflib.get_close_matches(name, kind.known, 1)
            wrong(f"{kind.name} has no parameter {name!r}" + (f"; did you mean {near[0]}?" if near else "."))
        found[name] = kind.value(name, text)
    return found


def new_task(kind: TaskType, found: Task) -> Task:
    """A task with a UUID of its own."""
    return _awaited({"taskType": kind.name} | found)


def divided(kind: TaskType, files: Sequence[str], found: Task) -> tuple[str, str]:
    """The picture that a task works on and the file for its result, as far as they are given. Ends the command for
    files that the task has no use for, and without the picture that it needs."""
    takes = kind.picture and kind.picture not in found
    if len(files) > (2 if takes else 1):
        wrong(f"{kind.name} takes {'IN and OUT' if takes else 'OUT alone: its picture is set'}, no more files.")
    if len(files) == 2:
        return files[0], files[1]
    if takes and kind.needs_picture:
        return files[0] if files else wrong(f"{kind.name} works on a picture: taskarray run {kind.name} IN OUT"), ""
    return "", files[0] if files else ""


@dataclass
class Files:
    """The files of this machine that tasks name, each uploaded once. Relative names begin in `folder`.

    Tasks name them by their content: an array with taskUUIDs of its own is the same when it is sent again."""

    folder: Path
    parcels: dict[Path, Parcel] = field(default_factory=dict[Path, Parcel])

    def bring(self, kind: TaskType, task: Task) -> None:
        """Have the content of the files that a task names stand in the place of their names. Ends the command for a
        file that is not there, or cannot be read."""
        for place in list(kind.pictures(task)):
            path = self.named(place, _at(task, place))
            if path is None:
                continue
            if path.resolve() not in self.parcels:
                try:
                    self.parcels[path.resolve()] = Parcel.of(path)
                except Failed as unread:
                    fail(str(unread))
            put(task, place, self.parcels[path.resolve()].hash)

    def named(self, place: Place, value: str) -> Path | None:
        """The file that a value names; None for a UUID, a URL or the picture itself, in which no dot stands."""
        if len(value) > _LONGEST_NAME or _NO_FILE.match(value):
            return None
        path = self.folder / Path(value).expanduser()
        if path.is_file():
            return path
        if "." in value:
            wrong(f"{spelled(place)}: there is no file {path}.")
        return None


def read_array(text: bytes, name: str) -> list[Task]:
    """The tasks of a JSON document, each with a taskUUID. The command waits for all of them, and has a key already."""
    try:
        found = orjson.loads(text)
    except ValueError as unreadable:
        wrong(f"{name} is not JSON: {unreadable}.")
    tasks: list[Any] = found if isinstance(found, list) else [found]
    if not all(isinstance(task, dict) and isinstance(task.get("taskType"), str) for task in tasks):
        wrong(f"{name} is no array of tasks: each is an object with a taskType.")
    awaited = [_awaited(task) for task in tasks if task["taskType"] != "authentication"]
    if len({str(task["taskUUID"]).lower() for task in awaited}) < len(awaited):
        wrong(f"{name} has two tasks with one taskUUID. Leave it out where no other task refers to it.")
    return awaited or wrong(f"{name} has no task.")


def _awaited(task: Task) -> Task:
    """A task that is waited for, and whose pictures are downloaded."""
    task = {"taskUUID": str(uuid4())} | task
    if "deliveryMethod" in task:
        task["deliveryMethod"] = "sync"
    if "outputType" in task:
        told = task["outputType"]
        task["outputType"] = [*(told if isinstance(told, list) else [told]), "URL"]
    return task


def _at(task: Task, place: Place) -> str:
    value: Any = task
    for part in place:
        value = value[part]
    return value
