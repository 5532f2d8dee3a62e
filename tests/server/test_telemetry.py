"""Spans: a task and its stages as a collector gets them, under the span of whoever sent it, and nothing without one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.client import new_task, request
from tests.faults.ledger import logged
from tests.faults.test_redis import PNG
from tests.harness import KEY, Installation, free_port
from tests.programs import python
from tests.receiver import Receiver

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ABOVE = f"00-{TRACE}-00f067aa0ba902b7-01"


class Collector:
    """Takes OTLP over HTTP and keeps the spans, with the name of their process."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Any]] = []
        self.raw = b""
        outer = self

        class Take(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.take(self.path, body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def take(self, path: str, body: bytes) -> None:
        assert path == "/v1/traces"
        self.raw += body
        for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
            about = {each.key: each.value.string_value for each in sent.resource.attributes}
            assert about["service.name"] == "taskarray"
            self.spans += [(about["taskarray.process"], span) for scope in sent.scope_spans for span in scope.spans]

    async def named(self, *names: str) -> dict[str, Any]:
        """The spans of these names, waited for."""
        async with asyncio.timeout(15):
            while not {*names} <= {span.name for _, span in self.spans}:
                await asyncio.sleep(0.05)
        return {span.name: span for _, span in reversed(self.spans)}


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    serving = Thread(target=found.server.serve_forever, daemon=True)
    serving.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    serving.join()


@contextmanager
def traced(folder: Path, redis_url: str, endpoint: str) -> Iterator[Installation]:
    """An installation whose environment names a collector, nothing started."""
    found = Installation(
        folder / "traced", redis_url, TASKARRAY_PREFIX=folder.name, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_BSP_SCHEDULE_DELAY="100", OTEL_EXPORTER_OTLP_TIMEOUT="1",
    )  # fmt: skip
    yield found
    found.stop()


def attributes(span: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in span.attributes}


async def test_spans(collector: Collector, redis_url: str, tmp_path: Path) -> None:
    """A task is a span below the client's, with what the gateway took and sent and its stages; its webhook carries the
    trace on; a failure is one with its code; nothing that the task is about is in any of it."""
    with traced(tmp_path, redis_url, collector.url) as server:
        server.start_all(workers=1)
        async with server.client() as client, Receiver() as receiver:
            hooked = new_task("imageUpload", image=PNG, traceparent=ABOVE, webhookURL=receiver.url("/?token=secret"))
            await client.ask(hooked)
            (arrival,) = await receiver.got(1)
            sent = new_task("repeats", inputImage=PNG, marker=str(tmp_path / "secret"), traceparent=ABOVE)
            await client.ask(sent)
            (again,) = await client.ask(sent | {"traceparent": ABOVE.replace("-00f0", "-11f0")})
            assert "data" in again
            header = {"authorization": f"Bearer {KEY}", "traceparent": ABOVE}
            await request("POST", f"{server.url}/v1", [new_task("exits", how="raise")], **header)
            names = ("receive repeats", "task repeats", "send repeats", "task exits", "run", "store", "queue", "decode")
            spans = await collector.named(*names)
    task, received = spans["task repeats"], spans["receive repeats"]
    assert {span.trace_id.hex() for _, span in collector.spans} == {TRACE}
    assert received.parent_span_id.hex() == "00f067aa0ba902b7"
    assert (task.parent_span_id, spans["send repeats"].parent_span_id) == (received.span_id, task.span_id)
    assert attributes(task)["taskarray.task_uuid"] == sent["taskUUID"]
    stages = [span for _, span in collector.spans if span.parent_span_id == task.span_id and "send" not in span.name]
    assert {"queue", "decode", "run", "encode", "store"} <= {span.name for span in stages}
    assert all(task.start_time_unix_nano <= span.start_time_unix_nano for span in stages)
    assert task.end_time_unix_nano - task.start_time_unix_nano < 30e9
    assert (attributes(spans["task exits"])["taskarray.code"], spans["task exits"].status.code) == (
        "internalServerError", 2,
    )  # fmt: skip
    assert {process for process, _ in collector.spans} == {"gateway", "worker"}
    uploaded = spans["task imageUpload"]
    assert arrival.headers["traceparent"] == f"00-{TRACE}-{uploaded.span_id.hex()}-01"
    assert not {word for word in (b"secret", PNG[:40].encode(), KEY.encode()) if word in collector.raw}
    (line,) = [line for line in logged(server, "task_finished") if line["task_type"] == "repeats"]
    assert line["trace_id"] == TRACE


async def test_collector_away(redis_url: str, tmp_path: Path) -> None:
    """A collector that does not answer costs tasks nothing, and the end of a process a moment."""
    with traced(tmp_path, redis_url, f"http://127.0.0.1:{free_port()}") as server:
        gateway = server.start("gateway")
        async with server.client() as client:
            task = new_task("nothing", deliveryMethod="async")
            assert "data" in (await client.ask(task))[0]
        gateway.terminate()
        began = time.monotonic()
        assert await asyncio.to_thread(gateway.wait, 20) == 0
        assert time.monotonic() - began < 8


async def test_carried_on(installation: Installation, tmp_path: Path) -> None:
    """Without a collector a task's traceparent goes with its webhook as it came; a malformed one is refused."""
    async with installation.client() as client, Receiver() as receiver:
        await client.ask(new_task("nothing", traceparent=ABOVE, webhookURL=receiver.url()))
        (arrival,) = await receiver.got(1)
        assert arrival.headers["traceparent"] == ABOVE
        refusal = await client.fail("nothing", traceparent="00-none")
        assert (refusal["code"], refusal["parameter"]) == ("invalidTraceparent", "traceparent")


PROGRAM = """
import os, sys
{before}
from server import log, telemetry
from server.config import Config
log.start(Config(log_format="json"), "worker")
telemetry.start("worker")
print(len(telemetry._tracers), "opentelemetry.sdk" in sys.modules)
telemetry.stop()
"""
MISSING = """
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Missing())
"""
NAMED = "os.environ['OTEL_EXPORTER_OTLP_ENDPOINT'] = 'http://127.0.0.1:1'\n"


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ("", ["0", "False"]),
        (NAMED, ["1", "True"]),
        (NAMED + "os.environ['OTEL_SDK_DISABLED'] = 'true'", ["0", "False"]),
        (NAMED + "os.environ['OTEL_TRACES_EXPORTER'] = 'none'", ["0", "False"]),
        (NAMED + MISSING, ["0", "False"]),
    ],
    ids=["no collector", "collector", "disabled", "no exporter", "not installed"],
)
def test_off(before: str, told: list[str]) -> None:
    """Nothing of the SDK is imported unless a collector is named and the extra is installed; a missing one is said."""
    with python(PROGRAM.format(before=before)) as (process, words):
        text = " ".join(words) + process.stdout.read()
    assert text.replace("}", " ").split()[-2:] == told
    assert ("telemetry_not_installed" in text) == ("Missing" in before)
