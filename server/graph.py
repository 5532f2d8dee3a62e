"""The tasks of one array that build on each other: which can be done at all, and in which order they are queued.

Once queued, what a task waits for is in Redis (`scripts/queue.lua`); this is about the moment before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from server.errors import ApiError, DependencyFailed, InvalidTaskReference
from server.prepare import Prepared, Refused, refuse

Step = Prepared | Refused | dict[str, Any]


class Graph:
    """What the tasks of one array say to each other on their way into the queue."""

    def __init__(self, uuids: Sequence[str]) -> None:
        loop = asyncio.get_running_loop()
        self._queued: dict[str, asyncio.Future[dict[str, Any] | None]] = {uuid: loop.create_future() for uuid in uuids}

    async def turn(self, prepared: Prepared) -> None:
        """Wait until the tasks of the array that this one builds on are queued. Raises DependencyFailed."""
        for named in prepared.references:
            if (parent := self._queued.get(named.uuid)) and (failure := await parent):
                raise _fallen(named.uuid, failure, named.place)

    def told(self, uuid: str, failure: dict[str, Any] | None) -> None:
        """A task of the array is queued, or was refused with this failure."""
        if not self._queued[uuid].done():
            self._queued[uuid].set_result(failure)


def arranged(steps: Sequence[Step], most: int, deepest: int) -> tuple[list[Step], list[int]]:
    """The steps of an array with those refused that cannot be done, and the order to queue them in.

    A task that builds on another one of the array comes after it. One that builds on itself in the end, or passes a
    limit, is refused; so are those that build on it.
    """
    found, tasks = list(steps), dict[str, int]()
    for place, step in enumerate(steps):
        if uuid := _uuid(step):
            tasks.setdefault(uuid, place)
    parents = {
        place: {tasks[named.uuid] for named in step.references if named.uuid in tasks}
        for place, step in enumerate(steps)
        if isinstance(step, Prepared) and tasks[step.job.uuid] == place
    }
    joined = {place for place, above in parents.items() if above} | set[int]().union(*parents.values())
    if not joined:
        return found, list(range(len(steps)))
    depth = _depths(parents, joined)
    for place, failure in _impossible(parents, joined, depth, most, deepest).items():
        step = steps[place]
        if isinstance(step, Prepared):
            found[place] = refuse(step.request, [failure])
    graph = Graph([uuid for uuid, place in tasks.items() if place in joined])
    for place in joined:
        step = found[place]
        if isinstance(step, Refused):
            graph.told(_uuid(step), step.failures[0])
        elif isinstance(step, Prepared):
            found[place] = replace(step, graph=graph)
    return found, sorted(range(len(steps)), key=lambda place: depth.get(place, 0))


def _uuid(step: Step) -> str:
    """The taskUUID of a task or of the refusal of one; empty where there is none."""
    if isinstance(step, Prepared):
        return step.job.uuid
    uuid = step.request.sent.get("taskUUID") if isinstance(step, Refused) else None
    return uuid.lower() if isinstance(uuid, str) else ""


def _depths(parents: Mapping[int, set[int]], joined: set[int]) -> dict[int, int]:
    """How many tasks come before each, at the longest; without those that wait for themselves."""
    depth, left = dict[int, int](), set(joined)
    while ready := {place for place in left if parents.get(place, set()) <= depth.keys()}:
        for place in ready:
            depth[place] = 1 + max((depth[above] for above in parents.get(place, ())), default=-1)
        left -= ready
    return depth


def _impossible(
    parents: Mapping[int, set[int]], joined: set[int], depth: Mapping[int, int], most: int, deepest: int
) -> dict[int, ApiError]:
    """The tasks that cannot be done for what they build on."""
    circles = joined - depth.keys()
    while ends := {place for place in circles if not any(place in parents.get(other, ()) for other in circles)}:
        circles -= ends  # they only build on a circle
    found: dict[int, ApiError] = {
        place: InvalidTaskReference("This task waits for itself, through those it builds on.") for place in circles
    }
    for place, levels in depth.items():
        if levels >= deepest:
            found[place] = InvalidTaskReference(
                f"At most {deepest} tasks of an array may follow one on the other (TASKARRAY_MAX_GRAPH_DEPTH).",
                max=deepest,
            )
    for place in sorted(joined)[most:]:
        sentence = f"At most {most} tasks of an array may build on each other (TASKARRAY_MAX_GRAPH_TASKS)."
        found[place] = InvalidTaskReference(sentence, max=most)
    return found


def _fallen(uuid: str, failure: Mapping[str, Any], place: str) -> DependencyFailed:
    """The refusal of a task whose parent was refused. The first failure goes down the whole graph."""
    cause = failure.get("cause") or {"taskUUID": uuid, "code": failure["code"]}
    sentence = DependencyFailed.sentence % (cause["taskUUID"], cause["code"])
    return DependencyFailed(sentence, parameter=place, cause=cause)
