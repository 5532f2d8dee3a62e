"""The counters of a whole installation: tasks taken and ended and the seconds they took, which the atomic steps count,
and what the processes hand on of their own (see `tally`)."""

from __future__ import annotations

import time

from server.errors import DeadlineExceeded, DependencyFailed, TaskCancelled
from server.store import Store
from server.tally import Counts, tally

_FRESH_SECONDS = 5.0
"""Means are not counted again before."""
_NOT_RUN = (DeadlineExceeded.code, DependencyFailed.code, TaskCancelled.code)
"""What tasks end with that Redis itself ends: of these no seconds are counted."""


class Statistics:
    """The counters of an installation, whichever process reads them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._means = dict[str, float]()
        self._fresh_until = 0.0

    async def counters(self) -> dict[str, float]:
        """Every counter by its name (`finished|upscale|succeeded|`), summed over the shards."""
        total = dict[str, float]()
        for base in self.store.bases:
            for name, value in (await self.store.hash(f"{base}:stats")).items():
                total[name.decode()] = total.get(name.decode(), 0.0) + float(value)
        return total

    async def report(self) -> None:
        """Add what this process has counted. Raises ServiceUnavailable; then it is added the next time."""
        await tally.report(self._add)

    async def _add(self, counts: Counts) -> None:
        words = [word for name, more in counts.items() for word in (name, f"{more:.6f}")]
        await self.store.run("count", self.store.base(0), *words)

    async def note(self, name: str, value: float) -> None:
        """Set a number that is no count."""
        await self.store.guarded("HSET", f"{self.store.base(0)}:stats", name, value)

    async def mean(self, task_type: str) -> float | None:
        """How many seconds a task of this type has taken on average; None before the first has ended."""
        if time.monotonic() >= self._fresh_until:
            self._means = _means(await self.counters())
            self._fresh_until = time.monotonic() + _FRESH_SECONDS
        return self._means.get(task_type)


def _means(counters: dict[str, float]) -> dict[str, float]:
    """Seconds of an average task by its type."""
    ended = dict[str, float]()
    for name, count in counters.items():
        kind, *labels = name.split("|")
        if kind == "finished" and labels[2] not in _NOT_RUN:
            task_type = labels[0]
            ended[task_type] = ended.get(task_type, 0.0) + count
    return {task_type: counters.get(f"seconds|{task_type}", 0.0) / count for task_type, count in ended.items()}
