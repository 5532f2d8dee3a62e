"""What an upload costs: through the whole server, against the bare codec work, and against the Node server."""

from __future__ import annotations

import os
import tempfile
import time
from concurrent.futures import Executor
from contextlib import nullcontext
from itertools import count
from pathlib import Path

from bench.client import array
from bench.load import keep_busy
from bench.pictures import JPEG_1, JPEG_12, data_uri, picture
from bench.report import Aim, Plan, Row, Table
from bench.subjects import KEY, Subject, ours, peer

_SOCKETS, _IN_FLIGHT = 4, 2
_WARM_SECONDS = 1.0
Rates = tuple[list[float], list[float]]
"""Uploads per CPU-second and per second of the clock, round by round."""


def run(plan: Plan, elsewhere: Executor) -> Table:
    """Bare loop, our server and the Node server in turns, for each size."""
    table = Table("Uploads")
    with ours() as server, peer() if plan.peer else nullcontext() as node:
        for name, width, height in (JPEG_1, JPEG_12):
            path = picture(name, width, height)
            payload = array(1, "imageUpload", image=data_uri(path).decode())
            table.rows += _measured(plan, elsewhere, name, payload, server, node)
            table.notes.append(f"{name}: {width} × {height}, {path.stat().st_size / 1e6:.2f} MB.")
    table.notes += [
        "CPU-second: user and system time of all processes of a server together (gateway, workers, task processes, "
        "Redis, sweeper, supervisor), and of the bare loop's one process.",
        "Core: uploads by the clock divided by the cores, which the load generator shares; the bare loop has one "
        "core for itself.",
        "Bare loop: JSON, base64, the file written, and the very function that admits an image on a worker.",
        "Node: ws, sharp and ioredis, a process a core; same limits, checks, sizes and qualities, but no queue, no "
        "sessions, no kept results, and metadata stays in the file.",
    ]
    return table


def _measured(
    plan: Plan, elsewhere: Executor, name: str, payload: bytes, server: Subject, node: Subject | None
) -> list[Row]:
    bare: Rates = ([], [])
    mine: Rates = ([], [])
    theirs: Rates = ([], [])
    subjects = [(server, mine)] + ([(node, theirs)] if node else [])
    for subject, _ in subjects:
        _load(elsewhere, subject, payload, _WARM_SECONDS)
    for _ in range(plan.rounds):
        images, cpu, clock = elsewhere.submit(bare_loop, payload, plan.seconds).result()
        bare[0].append(images / cpu)
        bare[1].append(images / clock)
        for subject, rates in subjects:
            before = subject.cpu()
            tally = _load(elsewhere, subject, payload, plan.seconds)
            rates[0].append(tally.tasks / (subject.cpu() - before))
            rates[1].append(tally.rate)
    cores = os.cpu_count() or 1
    a_core = [rate / cores for rate in mine[1]]
    rows = [
        Row(f"{name}, per CPU-second", "bare codec loop", "/s", mine[0], bare[0], Aim("≥", 0.8)),
        Row(f"{name}, per core", "bare codec loop", "/s", a_core, bare[1], Aim("≥", 0.8)),
    ]
    if node:
        rows.append(Row(f"{name}, per CPU-second", "Node server", "/s", mine[0], theirs[0], Aim(">", 1)))
        rows.append(Row(f"{name}, by the clock", "Node server", "/s", mine[1], theirs[1], Aim(">", 1)))
    return rows


def _load(elsewhere: Executor, subject: Subject, payload: bytes, seconds: float):
    return elsewhere.submit(keep_busy, subject.url, KEY, payload, _SOCKETS, _IN_FLIGHT, seconds).result()


def bare_loop(payload: bytes, seconds: float) -> tuple[int, float, float]:
    """The work that no server can leave out, in one process: images, CPU-seconds, seconds of the clock."""
    os.environ.setdefault("VIPS_CONCURRENCY", "1")  # as in the server's task processes
    import orjson
    import pybase64

    from server.imaging import admit
    from server.task import Limits

    limits = Limits()
    with tempfile.TemporaryDirectory(prefix="bench-codec-") as name:
        source, numbers = Path(name) / "input", count()

        def once() -> None:
            (task,) = orjson.loads(payload)
            _, _, encoded = task["image"].partition(",")
            source.write_bytes(pybase64.b64decode(encoded, validate=True))
            image = admit(source, lambda suffix: Path(name) / f"{next(numbers)}{suffix}", limits)
            image.path.unlink()

        once()
        done, cpu, begin = 0, time.process_time(), time.monotonic()
        while time.monotonic() < begin + seconds:
            once()
            done += 1
        return done, time.process_time() - cpu, time.monotonic() - begin
