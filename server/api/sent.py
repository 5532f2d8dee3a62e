"""The answers that a socket was sent and that may not have reached its client yet, as far as their size matters."""

from __future__ import annotations

import time
from collections import deque

_SECONDS = 30.0
"""What was sent longer ago is not what a client hangs up on now."""


class Sent:
    """Knows the largest of the latest answers: what a client has hung up on that found a message too big."""

    def __init__(self) -> None:
        self._answers: deque[tuple[float, int, str]] = deque()
        """(when, bytes, taskUUID), each smaller than those before it: one that a larger one has followed is no more
        the largest at any time."""

    def note(self, uuid: str, size: int) -> None:
        """An answer goes out now."""
        now = time.monotonic()
        self.forget(now - _SECONDS)
        while self._answers and self._answers[-1][1] <= size:
            self._answers.pop()
        self._answers.append((now, size, uuid))

    def forget(self, until: float) -> None:
        """What was sent before this moment has arrived."""
        while self._answers and self._answers[0][0] < until:
            self._answers.popleft()

    def largest(self) -> str | None:
        """The task with the largest of these answers, if there is one."""
        self.forget(time.monotonic() - _SECONDS)
        return self._answers[0][2] if self._answers else None
