"""What a process counts of its own work. The counts of all processes are added up in Redis (see `statistics`).

A count is a name and its labels; a label is always one of a few words, never a task, a key or an address.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Mapping

STAGE_EDGES = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 300.0)
"""Seconds up to which the stages of tasks are counted together."""
STAGE_NAMES = (*(f"{edge:g}" for edge in STAGE_EDGES), "+Inf")
Counts = dict[str, float]
"""Numbers by name and labels, joined by `|`."""


class Tally:
    """Counts since they were last handed on."""

    def __init__(self) -> None:
        self._counts = Counts()

    def add(self, *name: str, by: float = 1) -> None:
        """Count one more, or `by` more."""
        joined = "|".join(name)
        self._counts[joined] = self._counts.get(joined, 0) + by

    def stage(self, task_type: str, stage: str, seconds: float) -> None:
        """A task of this type was in this stage for so long."""
        self.add("stage", task_type, stage, STAGE_NAMES[bisect_left(STAGE_EDGES, seconds)])
        self.add("stage seconds", task_type, stage, by=seconds)

    def merge(self, counts: Mapping[str, float]) -> None:
        """Count what another process has counted."""
        for name, more in counts.items():
            self.add(name, by=more)

    def take(self) -> Counts:
        """All counts; from now on they begin at nothing."""
        counts, self._counts = self._counts, Counts()
        return counts

    async def report(self, report: Callable[[Counts], Awaitable[None]]) -> None:
        """Hand the counts on. What cannot be handed on is kept for the next time."""
        if counts := self.take():
            try:
                await report(counts)
            except BaseException:
                self.merge(counts)
                raise


tally = Tally()
"""What every module counts with: `tally.add("retries", "worker_lost")`."""
