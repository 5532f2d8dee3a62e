"""Graphs and turns: a chain in one message against three calls, arrays from many sockets, and a single task's wait."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from PIL import Image
from skimage import data

from bench import fairness
from bench.arrays import arrays
from bench.chains import chains
from bench.delay import distant
from bench.pictures import data_uri
from bench.report import Aim, Plan, Row, Table
from bench.subjects import KEY, Subject, ours
from tests.clients.install import LEGACY_PYTHON, installed

_SIDE = 256
_AWAY_SECONDS = 0.05
_SOCKETS, _ARRAY = 100, 50
_CLIENT_SECONDS = 300
Found = defaultdict[str, list[float]]


def run(plan: Plan, elsewhere: Executor) -> Table:
    """Chains near and far, then arrays, then turns."""
    found = Found(list)
    with _picture() as path, ours(**fairness.SETTINGS, TASKARRAY_CACHE_TTL="0") as server:
        with distant(server.url, _AWAY_SECONDS) as away:
            for round_ in range(plan.rounds + 1):
                for place, url in (("near", server.url), ("far", away)):
                    _chains(found if round_ else Found(list), plan, elsewhere, place, url, path)
        for _ in range(plan.rounds):
            _arrays(found, plan, elsewhere, server)
            _turns(found, plan, elsewhere, server)
    return Table("Graphs", _rows(found), _NOTES)


@contextmanager
def _picture() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bench-graphs-") as name:
        path = Path(name) / "photo.jpg"
        Image.fromarray(data.astronaut()).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS).save(path, quality=90)
        yield path


def _chains(found: Found, plan: Plan, elsewhere: Executor, place: str, url: str, path: Path) -> None:
    """The same chain as one graph, as three messages of the same client, and by the official one."""
    count, image = 3 if plan.quick else 10, data_uri(path).decode()
    for way in ("graph", "trips"):
        found[f"{place} {way}"].append(
            median(elsewhere.submit(chains, url, KEY, image, way, count).result()) * 1000
        )  # fmt: skip
    found[f"{place} official"].append(median(_official(url, path, count)) * 1000)


def _official(url: str, path: Path, count: int) -> list[float]:
    program = Path(__file__).with_name("official.py")
    command = [*LEGACY_PYTHON.command(installed(LEGACY_PYTHON)), str(program), url, KEY, str(path), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_CLIENT_SECONDS)
    if done.returncode:
        raise RuntimeError(f"the official client failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout)


def _arrays(found: Found, plan: Plan, elsewhere: Executor, server: Subject) -> None:
    tally, first = elsewhere.submit(arrays, server.url, KEY, _SOCKETS, _ARRAY, plan.seconds).result()
    cuts = quantiles(first, n=100)
    found["rate"].append(tally.rate)
    found["first p50"].append(cuts[49] * 1000)
    found["first p99"].append(cuts[98] * 1000)


def _turns(found: Found, plan: Plan, elsewhere: Executor, server: Subject) -> None:
    waits = elsewhere.submit(fairness.delays, server.url, os.cpu_count() or 1, plan.seconds).result()
    found["wait p50"].append(median(waits))
    found["wait most"].append(max(waits))


def _rows(found: Found) -> list[Row]:
    rows = list[Row]()
    for place, words in (("near", "loopback"), ("far", f"{_AWAY_SECONDS * 1000:g} ms away")):
        for other, against in (
            ("official", "runware 0.5.24, three calls"),
            ("trips", "the same client, three messages"),
        ):
            what = f"upload → cut-out → upscale, one message, {words}"
            rows.append(Row(what, against, "ms", found[f"{place} graph"], found[f"{place} {other}"], Aim("<", 1)))
    bound = fairness.bound()
    return [
        *rows,
        Row(f"no-op arrays of {_ARRAY} from {_SOCKETS} sockets", "", "tasks/s", found["rate"]),
        Row("an array's first result, p50", "", "ms", found["first p50"]),
        Row("an array's first result, p99", "", "ms", found["first p99"]),
        Row("a single task's wait beside 5,000, p50", "", "task times", found["wait p50"], aim=Aim("≤", bound, True)),
        Row("the longest such wait", "", "task times", found["wait most"], aim=Aim("≤", bound, True)),
    ]


_NOTES = [
    f"Chains: a photo of {_SIDE} × {_SIDE} as a data URI or by the client's own upload, on open connections, with no "
    "earlier result used; far: a proxy keeps everything back so long, each way.",
    f"Arrays: every socket sends the next array when all of its last one is answered; {_SOCKETS * _ARRAY:,} tasks are "
    "in flight.",
    "Wait: from sending to result without the task's own time, for tasks of 20 ms of a key while another key has a "
    "batch of 5,000 waiting; in mean task times, against workers + 1.",
]
