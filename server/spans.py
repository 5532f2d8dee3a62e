"""What makes spans with the SDK of OpenTelemetry and sends them by OTLP over HTTP. Imported only where they are wanted.

The variables of the SDK hold: name and attributes of the service, sampler, batches, endpoint, headers, time-outs.
"""

from __future__ import annotations

import os
import time
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from server.telemetry import Attributes, Kind


class Exporting:
    """Makes spans of one process. A `telemetry.Tracer`."""

    def __init__(self, process: str) -> None:
        named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        about = {"service.version": version("taskarray"), "taskarray.process": process}
        resource = Resource.create(about | ({} if named else {"service.name": "taskarray"}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("taskarray", version("taskarray"))

    def begin(self, kind: Kind, name: str, parent: str, at: float | None, attributes: Attributes) -> Timed:
        """A span below another one; one whose parent cannot be read begins a trace of its own."""
        above = TraceContextTextMapPropagator().extract({"traceparent": parent}, Context())
        span = self._tracer.start_span(
            name, above, SpanKind[kind.upper()], dict(attributes), start_time=_nanoseconds(at)
        )
        return Timed(self._tracer, span)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


class Timed:
    """A `telemetry.Span`."""

    def __init__(self, tracer: Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span

    @property
    def traceparent(self) -> str:
        about = self._span.get_span_context()
        return f"00-{about.trace_id:032x}-{about.span_id:016x}-{about.trace_flags:02x}"

    def part(self, name: str, begin: float, end: float) -> None:
        within = trace.set_span_in_context(self._span, Context())
        self._tracer.start_span(name, within, start_time=_nanoseconds(begin)).end(_nanoseconds(end))

    def end(self, at: float | None = None, failure: str = "") -> None:
        if failure:
            self._span.set_attribute("taskarray.code", failure)
            self._span.set_status(Status(StatusCode.ERROR, failure))
        self._span.end(_nanoseconds(at))


def _nanoseconds(at: float | None) -> int:
    return round((time.time() if at is None else at) * 1e9)
