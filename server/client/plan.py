"""What `taskarray run` is to do: tasks, and where the result of each goes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.client.orders import Task, divided, new_task, values
from server.client.schemas import TaskType
from server.exits import wrong

STREAM = "-"
"""Standard input or output, where a file may stand."""


@dataclass(frozen=True)
class Plan:
    """Tasks with the files that their results go to, by taskUUID; a result that has none is told of, and not kept.
    Names of files in the tasks begin in `folder`. `single`: it is one task of the command line; `streams`: whose result
    goes to standard output."""

    tasks: list[Task]
    folder: Path = Path()
    targets: dict[str, Path] = field(default_factory=dict[str, Path])
    single: bool = False
    streams: bool = False

    @property
    def keeps(self) -> bool:
        """Whether pictures are written to files."""
        return bool(self.targets)


def of_array(tasks: list[Task], folder: Path, out: Path | None) -> Plan:
    """An array; its pictures go to a folder, by the number of the task and its type."""
    named = {} if out is None else {_uuid(one): out / f"{n}-{one['taskType']}" for n, one in enumerate(tasks, 1)}
    return Plan(tasks, folder, named)


def of_one(
    schemas: dict[str, Any], name: str, files: Sequence[str], settings: Sequence[str], scratch: Path, *, asked: bool
) -> Plan:
    """One task with the files of the command line; what is streamed lies in `scratch`. Only where the answer itself is
    `asked` for, a picture may be kept nowhere. Ends the command for what cannot be meant."""
    kind = TaskType.named(schemas, name)
    found = values(kind, settings)
    source, target = divided(kind, files, found)
    if kind.makes_pictures and not target and not asked:
        wrong(f"Say where the result of {kind.name} goes, as the last file; or --json to be told its address.")
    if source == STREAM:
        (scratch / "in").write_bytes(sys.stdin.buffer.read())
        source = str(scratch / "in")
    if source:
        found[kind.picture] = source
    if target and "outputFormat" not in found and (told := kind.format_of(Path(target).suffix)):
        found["outputFormat"] = told
    task = new_task(kind, found)
    streams = target == STREAM
    targets = {_uuid(task): scratch / "out" if streams else Path(target)} if target else {}
    return Plan([task], targets=targets, single=True, streams=streams)


def _uuid(task: Task) -> str:
    return str(task["taskUUID"]).lower()
