"""What one socket is told besides its answers, if it asked to be: how its tasks stand while they wait and run.

Of each task only the newest is kept until the socket can take it, and it goes out at most four times a second; nothing
goes out about a task that has been answered. Running tasks are heard of; those that wait are looked at every second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import Any

from server.api.standing import shown
from server.errors import ApiError
from server.gateway import Gateway
from server.jobs import TERMINAL, Standing
from server.prepare import Caller

_PAUSE_SECONDS = 0.25
_LOOK_SECONDS = 1.0
_AT_ONCE = 50
"""Tasks looked at in one step, and told of in one frame. Of those that wait, no more are looked at again."""
_STATES = {"held": "waiting", "queued": "queued", "running": "running"}
Event = dict[str, Any]


@dataclass
class _Task:
    """A task that the socket waits for. `uuid` is as its client wrote it."""

    uuid: str
    standing: Standing | None = None
    heard: int = 0
    """How often something was heard of it: what was looked up before the last time is old."""
    event: Event | None = None
    """What is to be told of it."""
    told: Event | None = None
    due: float = 0.0
    """When something may be told again."""

    @property
    def waits(self) -> bool:
        return self.standing is None or self.standing.state != "running"


class News:
    """The news for one socket. `ring` is called when some can be taken."""

    def __init__(self, gateway: Gateway, caller: Caller, ring: Callable[[], None]) -> None:
        self.gateway = gateway
        self.caller = caller
        self.wanted = "events" in caller.features
        self._ring = ring
        self._tasks: dict[str, _Task] = {}
        self._fresh: list[str] = []
        self._due: list[tuple[float, str]] = []
        """Those of which there is something to tell, by the time at which they may be told of; a heap."""
        self._last: list[Event] = []
        self._timer: asyncio.TimerHandle | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._accepted = asyncio.Event()

    def expect(self, uuid: str, spelled: str) -> None:
        """The socket waits for a task from now on."""
        if not self.wanted or uuid in self._tasks:
            return
        self._tasks[uuid] = _Task(spelled)
        self._fresh.append(uuid)
        self._accepted.set()
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch())

    def heard(self, event: Event) -> None:
        """A worker has said how far a task is (`announce` in `scripts/common.lua`)."""
        if task := self._tasks.get(event["taskUUID"]):
            task.heard += 1
            self._stands(task, Standing(event["state"], event.get("progress"), event.get("stage", ""), 0))

    def over(self, uuid: str) -> None:
        """The task is answered: nothing more is told of it."""
        self._tasks.pop(uuid, None)

    def finished(self, uuid: str, spelled: str) -> None:
        """A task has succeeded that has no answer; this is the last word about it."""
        if self.wanted:
            task = self._tasks.pop(uuid, None) or _Task(spelled)
            self._last.append({"type": "task", "taskUUID": task.uuid, "state": "finished", "result": "succeeded"})
            self._ring()

    @property
    def ready(self) -> bool:
        """Whether there may be something to take now."""
        return bool(self._last) or (bool(self._due) and self._due[0][0] <= time.monotonic())

    def take(self) -> list[Event]:
        """What is to be told now, the newest of each task."""
        found, self._last, now = self._last[:_AT_ONCE], self._last[_AT_ONCE:], time.monotonic()
        while self._due and self._due[0][0] <= now and len(found) < _AT_ONCE:
            task = self._tasks.get(heappop(self._due)[1])
            if task and task.event:
                found.append(task.event)
                task.told, task.event, task.due = task.event, None, now + _PAUSE_SECONDS
        self._call_when_due()
        return found

    def stop(self) -> None:
        """The socket is gone, and waits for nothing more, whatever of its is still being submitted."""
        self.wanted = False
        self._tasks.clear()
        for pending in (self._watcher, self._timer):
            if pending:
                pending.cancel()

    def _stands(self, task: _Task, standing: Standing) -> None:
        before = task.standing
        if before and before.progress is not None:
            standing = replace(standing, progress=max(before.progress, standing.progress or 0))
        task.standing = standing
        event = {"type": "task", "taskUUID": task.uuid, "state": _STATES[standing.state]} | shown(standing)
        if event == (task.event or task.told):
            return
        if task.event is None:
            heappush(self._due, (task.due, task.uuid.lower()))
        task.event = event
        self._call_when_due()

    def _call_when_due(self) -> None:
        if self.ready:
            self._ring()
        elif self._due and self._timer is None:
            wait = self._due[0][0] - time.monotonic()
            self._timer = asyncio.get_running_loop().call_later(wait, self._called)

    def _called(self) -> None:
        self._timer = None
        self._call_when_due()

    async def _watch(self) -> None:
        """Look at what was accepted at once, and at what still waits every second."""
        again = time.monotonic() + _LOOK_SECONDS
        try:
            while self._tasks:
                self._accepted.clear()
                while self._fresh:
                    part, self._fresh = self._fresh[:_AT_ONCE], self._fresh[_AT_ONCE:]
                    await self._look(part)
                if again <= time.monotonic():
                    again = time.monotonic() + _LOOK_SECONDS
                    waiting = [uuid for uuid, task in self._tasks.items() if task.waits][:_AT_ONCE]
                    if not waiting:
                        return
                    await self._look(waiting)
                with suppress(TimeoutError):
                    async with asyncio.timeout(again - time.monotonic()):
                        await self._accepted.wait()
        finally:
            self._watcher = None

    async def _look(self, uuids: Sequence[str]) -> None:
        seen = {uuid: task.heard for uuid in uuids if (task := self._tasks.get(uuid))}
        if not seen:
            return
        try:
            found = await self.gateway.queue.standings(self.caller.tenant.id, list(seen))
        except ApiError:
            return  # the next look will tell
        for (uuid, heard), standing in zip(seen.items(), found, strict=True):
            task = self._tasks.get(uuid)
            if task is None or task.heard != heard:
                continue
            if standing.state in TERMINAL or not standing.state:
                self.over(uuid)
            else:
                self._stands(task, standing)
