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

from bench.arrays import arrays
from bench.chains import chains
from bench.delay import distant
from bench.fairness import delays
from bench.pictures import data_uri
from bench.report import Aim, Plan, Row, Table
from bench.subjects import KEY, Subject, ours
from tests.clients.install import LEGACY_PYTHON, installed

_SIDE = 128
_AWAY_SECONDS = 0.05
_SOCKETS, _ARRAY = 100, 50
_KEYS = [KEY, *(f"{KEY}-{number:02}" for number in range(1, _SOCKETS))]
_CLIENT_SECONDS = 300
Found = defaultdict[str, list[float]]


def run(plan: Plan, elsewhere: Executor) -> Table:
    """Chains near and far, then arrays, then turns."""
    found = Found(list)
    names = ",".join(f"bench-{number}:{key}" for number, key in enumerate(_KEYS))
    with _picture() as path, ours(TASKARRAY_API_KEYS=names, TASKARRAY_CACHE_TTL="0") as server:
        with distant(server.url, _AWAY_SECONDS) as away:
            _chains(Found(list), 1, elsewhere, "near", server.url, path)  # the task processes are warm after it
            for _ in range(plan.rounds):
                for place, url in (("near", server.url), ("far", away)):
                    _chains(found, 3 if plan.quick else 10, elsewhere, place, url, path)
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


def _chains(found: Found, count: int, elsewhere: Executor, place: str, url: str, path: Path) -> None:
    """The same chain as one graph, as three messages of the same client, and by the official one."""
    image = data_uri(path).decode()
    for way in ("graph", "trips"):
        times = elsewhere.submit(chains, url, KEY, image, way, count).result()
        found[f"{place} {way}"].append(median(times) * 1000)
    found[f"{place} official"].append(median(_official(url, path, count)) * 1000)


def _official(url: str, path: Path, count: int) -> list[float]:
    program = Path(__file__).with_name("official.py")
    command = [*LEGACY_PYTHON.command(installed(LEGACY_PYTHON)), str(program), url, KEY, str(path), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_CLIENT_SECONDS)
    if done.returncode:
        raise RuntimeError(f"the official client failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout)


def _arrays(found: Found, plan: Plan, elsewhere: Executor, server: Subject) -> None:
    """All sockets of one key, then each of its own."""
    for whose, keys in (("one", [KEY] * _SOCKETS), ("own", _KEYS)):
        tally, first = elsewhere.submit(arrays, server.url, keys, _ARRAY, plan.seconds).result()
        cuts = quantiles(first, n=100)
        found[f"rate {whose}"].append(tally.rate)
        found[f"first p50 {whose}"].append(cuts[49] * 1000)
        found[f"first p99 {whose}"].append(cuts[98] * 1000)


def _turns(found: Found, plan: Plan, elsewhere: Executor, server: Subject) -> None:
    workers = os.cpu_count() or 1
    waits = elsewhere.submit(delays, server.url, (KEY, _KEYS[1]), workers, plan.seconds).result()
    found["wait p50"].append(median(waits))
    found["wait most"].append(max(waits))


def _rows(found: Found) -> list[Row]:
    rows = list[Row]()
    far = f"{_AWAY_SECONDS * 1000:g} ms away"
    for place, words, chain in (("near", "loopback", Aim("≤", 1.1)), ("far", far, Aim("<", 1))):
        for other, against in (
            ("official", "runware 0.5.24, three calls"),
            ("trips", "the same client, three messages"),
        ):
            what = f"upload → cut-out → upscale, one message, {words}"
            rows.append(Row(what, against, "ms", found[f"{place} graph"], found[f"{place} {other}"], chain))
    for whose, words in (("one", "one key"), ("own", "a key each")):
        rows.append(
            Row(f"no-op arrays of {_ARRAY} from {_SOCKETS} sockets, {words}", "", "tasks/s", found[f"rate {whose}"])
        )
        for cut in ("p50", "p99"):
            rows.append(Row(f"their first result, {cut}", "", "ms", found[f"first {cut} {whose}"]))
    aim = Aim("≤", (os.cpu_count() or 1) + 1, True)
    return [
        *rows,
        Row("a single task's wait beside 5,000, p50", "", "task times", found["wait p50"], aim=aim),
        Row("the longest such wait", "", "task times", found["wait most"], aim=aim),
    ]


_NOTES = [
    f"Chains: a photo of {_SIDE} × {_SIDE} as a data URI or by the client's own upload, on open connections, with no "
    "earlier result used; far: a proxy keeps everything back so long, each way.",
    f"Arrays: every socket sends the next array when all of its last one is answered; {_SOCKETS * _ARRAY:,} tasks are "
    "in flight.",
    "Wait: from sending to result without the task's own time, for tasks of 20 ms of a key while another key has a "
    "batch of 5,000 waiting; in mean task times, against workers + 1.",
]
