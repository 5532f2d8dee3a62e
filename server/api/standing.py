"""How a task that has not ended stands, in the words of the task array: in an answer to who asks, and in events."""

from __future__ import annotations

from typing import Any

from server.jobs import TERMINAL, Standing

_HELD = "waiting for other tasks"
_MOST = 99
"""Percent; whatever it says of itself, a task is not done before its answer is there."""


def shown(standing: Standing) -> dict[str, Any]:
    """The members that say how far it is. `queuePosition` is 0 for a task that runs or is next."""
    found: dict[str, Any] = {}
    if standing.progress is not None:
        found["progress"] = min(_MOST, round(standing.progress * 100))
    if standing.state == "held":
        found["stage"] = _HELD
    elif standing.stage:
        found["stage"] = standing.stage
    if standing.ahead is not None:
        found["queuePosition"] = standing.ahead
    return found


def differs(before: Standing, now: Standing) -> bool:
    """Whether a client that waits for news should have them. To have been next and to run look the same to it."""
    if now.state in TERMINAL or (now.progress, now.stage) != (before.progress, before.stage):
        return True
    return now.state != before.state and (before.ahead, now.ahead) != (0, 0)
