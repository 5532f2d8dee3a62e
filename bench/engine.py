"""What the engine costs: the `nothing` task through the whole server, against a bare loop on Redis Streams."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from concurrent.futures import Executor
from pathlib import Path
from statistics import quantiles

from bench.client import array
from bench.load import Tally, keep_busy, round_trips
from bench.report import Aim, Plan, Row, Table
from bench.streams import bare, produce
from bench.subjects import KEY, Subject, ours

_SOCKETS, _IN_FLIGHT, _ARRAY = 8, 200, 50
_WARM_SECONDS = 1.0


def run(plan: Plan, elsewhere: Executor) -> Table:
    """Round trips one at a time, then rates with many in flight."""
    with tempfile.TemporaryDirectory(prefix="bench-bare-") as folder, bare(Path(folder)) as url, ours() as server:
        engines = _Engines(elsewhere, url, server)
        engines.bare_rate(_WARM_SECONDS)
        engines.load(1, _IN_FLIGHT, _WARM_SECONDS)
        for _ in range(plan.rounds):
            engines.measure(plan.seconds)
    return Table("Engine", _rows(engines.found), _NOTES)


class _Engines:
    """The bare loop and our server, and what was found round by round."""

    def __init__(self, elsewhere: Executor, url: str, server: Subject) -> None:
        self.found = defaultdict[str, list[float]](list)
        self._elsewhere, self._url, self._server = elsewhere, url, server

    def measure(self, seconds: float) -> None:
        """One round: each figure of the one next to the same figure of the other."""
        self._trips("bare", self._elsewhere.submit(produce, self._url, 1, seconds / 2).result()[1])
        single = array(1, "nothing")
        self._trips("ours", self._elsewhere.submit(round_trips, self._server.url, KEY, single, seconds / 2).result())
        self.found["bare rate"].append(self.bare_rate(seconds))
        before = self._server.cpu()
        tally = self.load(1, _IN_FLIGHT, seconds)
        self.found["our rate"].append(tally.rate)
        self.found["our CPU"].append((self._server.cpu() - before) / tally.tasks * 1000)
        self.found["our array rate"].append(self.load(_ARRAY, 2 * _ARRAY * _SOCKETS, seconds).rate)

    def bare_rate(self, seconds: float) -> float:
        return self._elsewhere.submit(produce, self._url, _IN_FLIGHT, seconds).result()[0].rate

    def load(self, tasks: int, in_flight: int, seconds: float) -> Tally:
        payload, each = array(tasks, "nothing"), in_flight // _SOCKETS
        return self._elsewhere.submit(keep_busy, self._server.url, KEY, payload, _SOCKETS, each, seconds).result()

    def _trips(self, whose: str, times: list[float]) -> None:
        cuts = quantiles(times, n=100)
        self.found[f"{whose} p50"].append(cuts[49] * 1000)
        self.found[f"{whose} p99"].append(cuts[98] * 1000)


def _rows(found: dict[str, list[float]]) -> list[Row]:
    against, rate = "bare Streams loop", Aim("≥", 2000, True)
    return [
        Row("no-op round trip, p50", against, "ms", found["ours p50"], found["bare p50"], Aim("≤", 4)),
        Row("no-op round trip, p99", against, "ms", found["ours p99"], found["bare p99"], Aim("≤", 4)),
        Row(f"no-op tasks, {_IN_FLIGHT} in flight", against, "/s", found["our rate"], found["bare rate"], rate),
        Row(f"no-op tasks, arrays of {_ARRAY}", against, "/s", found["our array rate"], found["bare rate"], rate),
        Row("CPU of all processes a no-op task", "", "ms", found["our CPU"]),
    ]


_NOTES = [
    "Bare: one producer and one worker process, batched reads, pipelined commands, answers by pub/sub; its no-op is a "
    "line in the worker.",
    f"Ours: over {_SOCKETS} sockets through gateway, queue, worker and the worker's task process, the outcome kept for "
    f"24 h; with arrays, {2 * _ARRAY * _SOCKETS} tasks are in flight. The load generator runs on the same cores.",
]
