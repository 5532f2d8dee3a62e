"""What one gateway counts and measures of itself: its sockets, its event loop, its process.

Counts of the whole installation are kept in Redis (see `tally` and `statistics`); these are not, so that they can be
read while Redis is away. Labels are words of fixed lists: nothing that a client may write at will becomes one.
"""

from __future__ import annotations

import asyncio
import time
from importlib.metadata import distribution, version

import orjson
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)

_LOOK_SECONDS = 0.25
_CLOSES = frozenset({1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011, 1012, 1013, 4401, 4408, 4409})
"""Codes that we close with, and those that libraries and browsers do."""
_CLIENTS = {
    "runware-python": "py",
    "python": "py-legacy",
    "runware-typescript": "ts",
    "js": "js",
    "comfyui": "comfyui",
    "Mozilla/": "browser",
}
"""Kinds of clients by how that begins which they say of themselves (`Wire.client`)."""


def kind_of(client: str) -> str:
    """The kind of a client by what it says of itself."""
    return next((kind for head, kind in _CLIENTS.items() if client.startswith(head)), "other")


def build() -> dict[str, str]:
    """What runs here: its version, and the commit where the installer has noted one."""
    told = orjson.loads(distribution("taskarray").read_text("direct_url.json") or "{}")
    return {"version": version("taskarray"), "commit": told.get("vcs_info", {}).get("commit_id", "")}


class Metrics:
    """The counters of one gateway, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()
        own = self.registry = CollectorRegistry()
        self.opened = Counter("taskarray_ws_opened", "Sockets here that authenticated.", ["client"], registry=own)
        self.closed = Counter("taskarray_ws_closed", "Sockets here that closed after that.", ["code"], registry=own)
        self.outbox = Histogram(
            "taskarray_ws_outbox_bytes", "What waited for one socket whenever that took no more at once.",
            buckets=[4**power for power in range(5, 15)], registry=own,
        )  # fmt: skip
        self.slow = Counter(
            "taskarray_ws_slow_consumer", "Sockets here that were closed for taking nothing.", registry=own
        )
        self.recoveries = Counter(
            "taskarray_recoveries", "Sockets here that named an earlier session, by whether it was still there.",
            ["recovered"], registry=own,
        )  # fmt: skip
        self.lag = Histogram(
            "taskarray_event_loop_lag_seconds", "How late the event loop here came to what was due.",
            buckets=[0.001, 0.005, 0.025, 0.1, 0.25, 1, 5], registry=own,
        )  # fmt: skip
        Info("taskarray_build", "What runs here.", registry=own).info(build())
        ProcessCollector(namespace="taskarray", registry=own)

    def socket_opened(self, client: str) -> None:
        """A socket has authenticated."""
        self.opened.labels(kind_of(client)).inc()

    def socket_closed(self, code: int) -> None:
        """A socket that had authenticated is closed."""
        self.closed.labels(str(code) if code in _CLOSES else "other").inc()

    async def watch(self) -> None:
        """Measure for ever how late this comes to be."""
        while True:
            due = time.monotonic() + _LOOK_SECONDS
            await asyncio.sleep(_LOOK_SECONDS)
            self.lag.observe(max(0.0, time.monotonic() - due))
