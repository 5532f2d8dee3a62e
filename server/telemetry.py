"""Spans of tasks for OpenTelemetry: what a gateway took and sent, and a task with its stages.

On where the environment names a collector (`OTEL_EXPORTER_OTLP_ENDPOINT`) and the extra `telemetry` is installed; all
other variables of the SDK hold as well. Else nothing of it is imported (see `spans`). A span says what a task is
called and how it ended, never what is in it. Spans are named to each other by a `traceparent` (W3C Trace Context).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from threading import Thread
from typing import Literal, Protocol

from server.log import log

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_STOP_SECONDS = 3
Kind = Literal["server", "consumer", "producer"]
Attributes = Mapping[str, str | int | float | bool]


class Span(Protocol):
    """Something that takes time. Times are in seconds since 1970."""

    @property
    def traceparent(self) -> str:
        """What others name it by."""
        ...

    def part(self, name: str, begin: float, end: float) -> None:
        """A part of it, which is over."""
        ...

    def end(self, at: float | None = None, failure: str = "") -> None:
        """It is over, now or at a time; `failure` is the code that it failed with."""
        ...


class Tracer(Protocol):
    """Makes spans, and sends them."""

    def begin(self, kind: Kind, name: str, parent: str, at: float | None, attributes: Attributes) -> Span: ...

    def close(self) -> None: ...


_tracers: list[Tracer] = []


def start(process: str) -> None:
    """Make spans from now on, if the environment asks for it; `process` is named in them."""
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        return
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        return
    try:
        from server.spans import Exporting
    except ImportError as missing:
        log.warning("telemetry_not_installed", needs="taskarray[telemetry]", missing=missing.name)
        return
    _tracers.append(Exporting(process))


def stop() -> None:
    """Send what is left. A collector that does not answer holds up the end of the process for a moment only."""
    for tracer in _tracers:
        closing = Thread(target=tracer.close, daemon=True)
        closing.start()
        closing.join(_STOP_SECONDS)
    _tracers.clear()


def begin(kind: Kind, name: str, parent: str, at: float | None = None, **attributes: str | float | bool) -> Span | None:
    """A span that begins now, or began at a time; None where none are made. `parent` is a traceparent, or empty."""
    if not _tracers:
        return None
    return _tracers[0].begin(kind, name, parent, at, {f"taskarray.{key}": value for key, value in attributes.items()})
