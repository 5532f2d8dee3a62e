"""What a test of a client proves, and that it did: `@proves("upscale", by="legacy")`.

A proof is a task type, or one of `BEHAVIOURS`. Without `by` the client is the test's parameter `name`; a proof in
braces is another parameter's value. From these marks the table of compatibility is made (see compatibility.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.clients.install import (
    JAVASCRIPT,
    LEGACY_PYTHON,
    NEW_PYTHON,
    OLDER_WAVESPEED_JS,
    OLDER_WAVESPEED_PYTHON,
    WAVESPEED_JS,
    WAVESPEED_PYTHON,
    Package,
)

proves = pytest.mark.proves
CLIENTS: dict[str, Package | None] = {
    "legacy": LEGACY_PYTHON,
    "new": NEW_PYTHON,
    "js": JAVASCRIPT,
    "wavespeed": WAVESPEED_PYTHON,
    "older wavespeed": OLDER_WAVESPEED_PYTHON,
    "wavespeed js": WAVESPEED_JS,
    "older wavespeed js": OLDER_WAVESPEED_JS,
    "curl": None,
}
BEHAVIOURS = {
    "key": "a wrong key is told at once",
    "forms": "an image as a file, a URL, a data URI, base64",
    "many": "20 at once, each its own answer",
    "failure": "a failed task in the client's own exception",
    "several": "several results of one task",
    "async": "an async task, polled for",
    "progress": "progress in numbers",
    "base64": "results as base64",
    "cut": "the socket is cut while a task runs",
}
_FINISHED = re.compile(r'^taskarray_tasks_finished_total\{([^}]*status="succeeded"[^}]*)\} (\S+)$', re.M)


@dataclass(frozen=True)
class Proof:
    """One cell of the table: what the test shows of which client, and what is to be said beside it."""

    what: str
    client: str
    note: str


def proofs(item: pytest.Item) -> Iterator[Proof]:
    """What a test says that it proves."""
    values = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    for mark in item.iter_markers("proves"):
        for what in mark.args:
            yield Proof(what.format(**values), mark.kwargs.get("by") or values["name"], mark.kwargs.get("note", ""))


def finished(metrics: str) -> dict[str, float]:
    """How many tasks of each type have succeeded, by an installation's own count."""
    counted = dict[str, float]()
    for labels, count in _FINISHED.findall(metrics):
        found = re.search(r'task_type="([^"]*)"', labels)
        assert found
        counted[found[1]] = counted.get(found[1], 0) + float(count)
    return counted
