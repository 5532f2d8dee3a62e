"""GET /metrics: what Prometheus scrapes.

Counts of tasks are the whole installation's, whichever gateway is asked; those of sockets are this gateway's alone.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import Response

from server.errors import ApiError
from server.gateway import Gateway
from server.tally import STAGE_NAMES

_EDGES = ("0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "60", "120", "300")
"""Seconds up to which tasks are counted together (`conclude` in `scripts/endings.lua`)."""
_COUNTERS = {
    "received": ("tasks_received", "Tasks accepted, by the dialect in which they came.", ("task_type", "dialect")),
    "finished": ("tasks_finished", "Tasks ended.", ("task_type", "status", "code")),
    "duplicates": ("duplicate_submits", "Tasks sent again under a taskUUID that was known.", ("outcome",)),
    "singleflight": (
        "singleflight",
        "Repeatable tasks that did the work, or waited for others at it.",
        ("outcome",),
    ),
    "cache_hits": ("cache_hits", "Tasks answered with an earlier result of the same work.", ()),
    "retries": ("retries", "Tasks begun again, by what had ended them.", ("cause",)),
    "quarantined": ("quarantined", "Tasks given up because their process or worker died each time.", ()),
    "worker_recycles": ("worker_recycles", "Task processes that were replaced.", ("reason",)),
    "fetch_blocked": ("fetch_blocked", "URLs of clients that were refused, by the rule.", ("rule",)),
    "fetch_bytes": ("fetch_bytes", "Bytes brought from URLs of clients.", ()),
    "images_rejected": ("images_rejected", "Images that were not taken, by the limit.", ("rule",)),
    "webhook_attempts": ("webhook_attempts", "Deliveries to receivers, try by try.", ("outcome",)),
    "rate_limited": ("rate_limited", "Tasks and sockets refused for a limit on their number.", ("scope",)),
    "auth_failures": ("auth_failures", "Keys that were not accepted.", ("reason",)),
    "redis_errors": ("redis_errors", "Commands and steps that Redis failed, in all processes.", ("op",)),
}
"""The counters in Redis: how they are called here, what they count, their labels."""


class Scrapes:
    """What is scraped of a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def metrics(self, request: Request) -> Response:
        """All families, in the text format of Prometheus."""
        families, up = await self._own(), 1.0
        try:
            families += await self._shared()
        except ApiError:
            up = 0.0
        families.append(_gauge("redis_up", "1 while Redis answers this gateway.", up))
        registry = CollectorRegistry()
        registry.register(_Collected([*self.gateway.metrics.registry.collect(), *families]))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def _own(self) -> list[Metric]:
        gateway = self.gateway
        sockets, free = sum(gateway.sockets.values()), await asyncio.to_thread(gateway.blobs.unused)
        families = [
            _gauge("ws_connections", "Open authenticated sockets of this gateway.", sockets),
            _gauge("draining", "1 while this gateway stops.", float(gateway.stopping)),
        ]
        if free is not None:
            families.append(_gauge("storage_free_bytes", "Free on the disk with the images of this gateway.", free))
        return families

    async def _shared(self) -> list[Metric]:
        """What is in Redis, with all that this gateway has counted up to now."""
        await self.gateway.statistics.report()
        depth, oldest = await self.gateway.queue.depth()
        workers, counters = await self.gateway.workers(), await self.gateway.statistics.counters()
        return [
            _gauge("queue_depth", "Tasks of the installation that wait or run.", depth),
            _gauge("queue_oldest_seconds", "Age of the oldest of them.", oldest),
            _gauge("workers", "Workers of the installation that have reported lately.", len(workers)),
            *_working(workers), *_counted(counters), _durations(counters), _stages(counters), _storage(counters),
        ]  # fmt: skip


class _Collected:
    """Families made for one scrape, in the shape that prometheus-client asks for."""

    def __init__(self, families: list[Metric]) -> None:
        self.families = families

    def collect(self) -> Iterable[Metric]:
        return self.families


def _gauge(name: str, sentence: str, value: float) -> Metric:
    return GaugeMetricFamily(f"taskarray_{name}", sentence, value)


def _working(workers: Mapping[str, dict[str, Any]]) -> list[Metric]:
    """What the workers hold and do. Each is named by its machine and its place among those there, not by its own name:
    that is new at every start."""
    memory = GaugeMetricFamily(
        "taskarray_worker_rss_bytes", "Memory of a worker and its task process.", labels=["worker"]
    )
    running = GaugeMetricFamily("taskarray_tasks_in_progress", "Tasks that workers have.", labels=["task_type"])
    places, tasks = Counter[str](), Counter[str]()
    for name, about in sorted(workers.items()):
        machine = name.rsplit("-", 2)[0]
        memory.add_metric([f"{machine}/{places[machine]}"], about.get("memory", 0) + about.get("taskMemory", 0))
        places[machine] += 1
        tasks.update(task["taskType"] for task in about["tasks"])
    for task_type, count in tasks.items():
        running.add_metric([task_type], count)
    return [memory, running]


def _counted(counters: Mapping[str, float]) -> list[Metric]:
    families = {
        kind: CounterMetricFamily(f"taskarray_{name}", sentence, labels=labels)
        for kind, (name, sentence, labels) in _COUNTERS.items()
    }
    for kind, (_, _, labels) in _COUNTERS.items():
        if not labels:
            families[kind].add_metric([], counters.get(kind, 0))
    for name, value in counters.items():
        kind, *labels = name.split("|")
        if labels and kind in families:
            families[kind].add_metric(labels, value)
    return list(families.values())


def _durations(counters: Mapping[str, float]) -> Metric:
    family = HistogramMetricFamily("taskarray_task_duration_seconds", "From claim to outcome.", labels=["task_type"])
    totals = Counter[str]()
    for name, value in counters.items():
        if name.startswith("finished|"):
            totals[name.split("|")[1]] += round(value)
    for task_type, total in totals.items():
        counts = [counters.get(f"bucket|{task_type}|{edge}", 0.0) for edge in _EDGES]
        seconds = counters.get(f"seconds|{task_type}", 0)
        _add(family, [task_type], (*_EDGES, "+Inf"), [*counts, total - sum(counts)], seconds)
    return family


def _stages(counters: Mapping[str, float]) -> Metric:
    family = HistogramMetricFamily(
        "taskarray_task_stage_duration_seconds", "Where the time of tasks went.", labels=["task_type", "stage"]
    )
    for name, seconds in counters.items():
        kind, *labels = name.split("|")
        if kind == "stage seconds":
            counts = [counters.get("|".join(("stage", *labels, edge)), 0.0) for edge in STAGE_NAMES]
            _add(family, labels, STAGE_NAMES, counts, seconds)
    return family


def _add(
    family: HistogramMetricFamily, labels: list[str], edges: Iterable[str], counts: list[float], seconds: float
) -> None:
    """A histogram of which the count of each bucket alone is known."""
    below, buckets = 0.0, list[tuple[str, float]]()
    for edge, count in zip(edges, counts, strict=True):
        below += count
        buckets.append((edge, below))
    family.add_metric(labels, buckets, seconds)


def _storage(counters: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(
        "taskarray_storage_bytes", "Bytes in the blob store when it was last looked through.", labels=["class"]
    )
    for name, value in counters.items():
        kind, *labels = name.split("|")
        if kind == "storage":
            family.add_metric(labels, value)
    return family
