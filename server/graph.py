"""The tasks of one array that build on each other: which can be done at all, and in which order they are queued.

Once queued, what a task waits for is in Redis (`scripts/queue.lua`); this is about the moment before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from server.admission import fallen, fewer
from server.errors import ApiError, InvalidTaskReference
from server.jobs import Reference
from server.prepare import Prepared, Refused, refuse

Step = Prepared | Refused | dict[str, Any]


class Graph:
    """What the tasks of one array say to each other on their way into the queue."""

    def __init__(self, uuids: Sequence[str], dry: Mapping[str, int], batches: Mapping[str, Sequence[str]]) -> None:
        loop = asyncio.get_running_loop()
        self._queued: dict[str, asyncio.Future[dict[str, Any] | None]] = {uuid: loop.create_future() for uuid in uuids}
        self._dry = dry
        """Those that are only checked, with the number of their results."""
        self._batches = batches
        """The tasks of a batch, by those that are about it."""

    async def turn(self, prepared: Prepared) -> None:
        """Wait until the tasks of the array that this one builds on are queued. Raises DependencyFailed or
        TaskCancelled, and InvalidTaskReference for what will never be made."""
        for uuid in self._batches.get(prepared.job.uuid, ()):
            await self._queued[uuid]
        for named in prepared.references:
            if (parent := self._queued.get(named.uuid)) and (failure := await parent):
                raise fallen(named, failure)
            results = self._dry.get(named.uuid, named.n)
            if named.n > results:
                raise fewer(named, results)
            if named.uuid in self._dry and not prepared.dry:
                sentence = (
                    f"Task {named.uuid} is only checked (validateOnly); nothing can build on it but other checks."
                )
                raise InvalidTaskReference(sentence, parameter=named.place)

    def outside(self, prepared: Prepared) -> list[Reference]:
        """What a task builds on that is to be found in the queue: not what is only checked."""
        return [named for named in prepared.references if named.uuid not in self._dry]

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
    tried = {place: step for place, step in enumerate(steps) if isinstance(step, Prepared)}
    parents = {
        place: {tasks[named.uuid] for named in step.references if named.uuid in tasks} for place, step in tried.items()
    }
    built = _joined(parents)
    beyond = set(sorted(built)[most:])
    batches = _batches(tried, tasks)
    about = {place: step.job.of for place, step in tried.items() if step.job.of in batches}
    if not (joined := built.union(about, *batches.values())):
        return found, list(range(len(steps)))
    within = _within(joined - beyond, parents, batches, about)
    circles = _circles(within)
    depth = _depths({place: above - circles for place, above in within.items() if place not in circles})
    dry = {step.job.uuid: len(step.job.uuids) for step in tried.values() if step.dry}
    members = {batch: [_uuid(steps[place]) for place in places] for batch, places in batches.items()}
    waits = {tried[place].job.uuid: members[batch] for place, batch in about.items()}
    graph = Graph([uuid for uuid, place in tasks.items() if place in joined], dry, waits)
    impossible = _impossible(beyond, circles, depth, most, deepest)
    for place in joined:
        step = steps[place]
        if isinstance(step, Prepared):
            step = refuse(step.request, [impossible[place]]) if place in impossible else replace(step, graph=graph)
        if isinstance(step, Refused):
            graph.told(_uuid(step), step.failures[0])
        found[place] = step
    return found, sorted(range(len(steps)), key=lambda place: depth.get(place, 0))


def _joined(parents: Mapping[int, set[int]]) -> set[int]:
    """The tasks that build on others, and those others."""
    return {place for place, above in parents.items() if above} | set[int]().union(*parents.values())


def _batches(tried: Mapping[int, Prepared], tasks: Mapping[str, int]) -> dict[str, list[int]]:
    """The tasks of the array that whoever is about a batch waits for. Of its own batch it may be one itself."""
    found = {step.job.of: list[int]() for step in tried.values() if step.job.of}
    for step in tried.values():
        if step.job.batch in found and step.job.of != step.job.batch:
            found[step.job.batch].append(tasks[step.job.uuid])
    return {batch: members for batch, members in found.items() if members}


def _within(
    kept: set[int], parents: Mapping[int, set[int]], batches: Mapping[str, list[int]], about: Mapping[int, str]
) -> dict[int, set[int]]:
    """What each of these tasks waits for. A batch has a place of its own, below 0, between its tasks and those about
    it: to join each with each would take too long."""
    own = {batch: -number for number, batch in enumerate(batches, start=1)}
    found = {place: parents.get(place, set[int]()) & kept for place in kept}
    for place in about.keys() & kept:
        found[place].add(own[about[place]])
    return found | {own[batch]: {*places} & kept for batch, places in batches.items()}


def _uuid(step: Step) -> str:
    """The taskUUID of a task or of the refusal of one; empty where there is none."""
    if isinstance(step, Prepared):
        return step.job.uuid
    uuid = step.request.sent.get("taskUUID") if isinstance(step, Refused) else None
    return uuid.lower() if isinstance(uuid, str) else ""


def _depths(parents: Mapping[int, set[int]]) -> dict[int, int]:
    """How many tasks come before each, at the longest; without those that wait for themselves. Batches are none."""
    depth, below = dict[int, int](), _turned(parents)
    left = {place: len(above) for place, above in parents.items()}
    ready = [place for place, count in left.items() if not count]
    for place in ready:  # it grows
        depth[place] = max((depth[one] + (one >= 0) for one in parents[place]), default=0)
        for child in below[place]:
            left[child] -= 1
            if not left[child]:
                ready.append(child)
    return depth


def _circles(parents: Mapping[int, set[int]]) -> set[int]:
    """The tasks that wait for themselves: those that are not alone where every one leads to every other."""
    below, circles, seen = _turned(parents), set[int](), set[int]()
    for place in reversed(_upwards(parents)):
        if place not in seen:
            ring = _reached(below, place, seen)
            if len(ring) > 1 or place in parents[place]:
                circles.update(ring)
    return circles


def _turned(parents: Mapping[int, set[int]]) -> dict[int, list[int]]:
    """The same the other way round."""
    below = {place: list[int]() for place in parents}
    for place, above in parents.items():
        for one in above:
            below[one].append(place)
    return below


def _upwards(parents: Mapping[int, set[int]]) -> list[int]:
    """Every place after all that can be reached from it, circles apart."""
    found, seen = list[int](), set[int]()
    for start in parents:
        path = [] if start in seen else [(start, iter(parents[start]))]
        seen.add(start)
        while path:
            place, others = path[-1]
            above = next((one for one in others if one not in seen), None)
            if above is None:
                found.append(place)
                path.pop()
            else:
                seen.add(above)
                path.append((above, iter(parents[above])))
    return found


def _reached(below: Mapping[int, list[int]], start: int, seen: set[int]) -> list[int]:
    """What can be reached from a place and was not seen before. Now it is."""
    found = [start]
    seen.add(start)
    for place in found:  # it grows
        fresh = {one for one in below[place] if one not in seen}
        seen |= fresh
        found += fresh
    return found


def _impossible(
    beyond: set[int], circles: set[int], depth: Mapping[int, int], most: int, deepest: int
) -> dict[int, ApiError]:
    """The tasks that cannot be done for what they build on, or for how many they are."""
    found: dict[int, ApiError] = {
        place: InvalidTaskReference("This task waits for itself, through those it builds on.") for place in circles
    }
    for place, levels in depth.items():
        if levels >= deepest:
            sentence = f"At most {deepest} tasks of an array may follow one on the other (TASKARRAY_MAX_GRAPH_DEPTH)."
            found[place] = InvalidTaskReference(sentence, max=deepest)
    for place in beyond:
        sentence = f"At most {most} tasks of an array may build on each other (TASKARRAY_MAX_GRAPH_TASKS)."
        found[place] = InvalidTaskReference(sentence, max=most)
    return found
