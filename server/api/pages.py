"""What is not a task: is it alive, is it ready, how does it do, what is it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from importlib.metadata import version

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from starlette.requests import Request
from starlette.responses import Response

from server.errors import ApiError
from server.gateway import Gateway
from server.statistics import Statistics

_EDGES = ("0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "60", "120", "300")


class Pages:
    """The endpoints for operators, and the address book at `/`."""

    def __init__(self, gateway: Gateway, openapi: Callable[[], bytes], asyncapi: Callable[[], bytes]) -> None:
        self.gateway = gateway
        self.statistics = Statistics(gateway.store)
        self.described = {"/openapi.json": openapi, "/asyncapi.json": asyncapi}

    async def live(self, request: Request) -> Response:
        """The process answers. Never asks Redis."""
        return _json({"status": "live"})

    async def ready(self, request: Request) -> Response:
        """Every part that a task needs is there; 503 with the failing part else."""
        found = await self.gateway.readiness()
        failing = {part: sentence for part, sentence in found.items() if sentence}
        body = {"status": "ready" if not failing else "not ready", "parts": {p: s or "ok" for p, s in found.items()}}
        return _json(body, 503 if failing else 200)

    async def metrics(self, request: Request) -> Response:
        """Prometheus. Counts of tasks are the whole installation's, whichever gateway is asked."""
        families: list[Metric] = [
            GaugeMetricFamily(
                "taskarray_ws_connections", "Open authenticated sockets.", sum(self.gateway.sockets.values())
            ),
            GaugeMetricFamily("taskarray_draining", "1 while the gateway stops.", float(self.gateway.stopping)),
        ]
        up = 1.0
        try:
            families += await self._counted()
        except ApiError:
            up = 0.0
        families.append(GaugeMetricFamily("taskarray_redis_up", "1 while Redis answers.", up))
        registry = CollectorRegistry()
        registry.register(_Collected(families))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def discovery(self, request: Request) -> Response:
        """What this server is and where its doors are."""
        return _json(
            {
                "name": "taskarray",
                "version": version("taskarray"),
                "faces": {
                    "/v1": "task array: WebSocket, and POST",
                    "/v2": "background removal: POST",
                    "/api/v3": "predictions: POST /api/v3/{model}, GET /api/v3/predictions/{id}",
                },
                "taskTypes": sorted(self.gateway.catalog.by_name),
                "openapi": "/openapi.json",
                "asyncapi": "/asyncapi.json",
                "health": ["/livez", "/readyz", "/metrics"],
            }
        )

    async def description(self, request: Request) -> Response:
        """The HTTP faces, or the socket, described for programs."""
        return Response(await asyncio.to_thread(self.described[request.url.path]), media_type="application/json")

    async def _counted(self) -> list[Metric]:
        depth, oldest = await self.gateway.queue.depth()
        workers = await self.gateway.workers()
        stats = await self.statistics.counters()
        families: list[Metric] = [
            GaugeMetricFamily("taskarray_queue_depth", "Jobs that wait or run.", depth),
            GaugeMetricFamily("taskarray_queue_oldest_seconds", "Age of the oldest of them.", oldest),
            GaugeMetricFamily("taskarray_workers", "Workers that have reported lately.", len(workers)),
        ]
        received = CounterMetricFamily("taskarray_tasks_received", "Tasks accepted.", labels=["task_type"])
        finished = CounterMetricFamily(
            "taskarray_tasks_finished", "Tasks ended.", labels=["task_type", "status", "code"]
        )
        for name, value in stats.items():
            kind, *labels = name.split("|")
            if kind == "received":
                received.add_metric(labels, value)
            elif kind == "finished":
                finished.add_metric(labels, value)
        return [*families, received, finished, _durations(stats)]


class _Collected:
    """Families made for one scrape, in the shape that prometheus-client asks for."""

    def __init__(self, families: list[Metric]) -> None:
        self.families = families

    def collect(self) -> Iterable[Metric]:
        return self.families


def _durations(stats: dict[str, float]) -> Metric:
    family = HistogramMetricFamily("taskarray_task_duration_seconds", "From claim to outcome.", labels=["task_type"])
    totals = dict[str, float]()
    for name, value in stats.items():
        kind, task_type, *_ = name.split("|")
        if kind == "finished":
            totals[task_type] = totals.get(task_type, 0) + value
    for task_type, total in totals.items():
        count, buckets = 0.0, list[tuple[str, float]]()
        for edge in _EDGES:
            count += stats.get(f"bucket|{task_type}|{edge}", 0)
            buckets.append((edge, count))
        family.add_metric([task_type], [*buckets, ("+Inf", total)], stats.get(f"seconds|{task_type}", 0))
    return family


def _json(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
