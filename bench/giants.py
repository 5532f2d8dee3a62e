"""What the largest uploads cost in memory: the peaks of every process while one is worked on."""

from __future__ import annotations

import time
from concurrent.futures import Executor
from contextlib import nullcontext, suppress
from pathlib import Path
from statistics import median

from bench.client import array
from bench.load import round_trips
from bench.pictures import JPEG_1, JPEG_100, PNG_400, data_uri, picture
from bench.report import Aim, Plan, Row, Table
from bench.subjects import KEY, Subject, ours, peer

_GIANTS = (JPEG_100, PNG_400)
_MB = 1e6
_WARM_UPLOADS = 8


def run(plan: Plan, elsewhere: Executor) -> Table:
    """Each giant a few times on each server; every process's high-water mark is put back before each."""
    table = Table("Giants")
    rounds = 1 if plan.quick else plan.rounds
    with ours() as server, peer() if plan.peer else nullcontext() as node:
        for subject in filter(None, (server, node)):
            _upload(elsewhere, subject, JPEG_1, _WARM_UPLOADS)
        for giant in _GIANTS:
            mine, theirs = list[Peaks](), list[Peaks]()
            for _ in range(rounds):
                mine.append(Peaks(elsewhere, server, giant))
                if node:
                    theirs.append(Peaks(elsewhere, node, giant))
            table.rows += _rows(giant[0], mine, theirs)
            size = picture(*giant).stat().st_size / 1e6
            table.notes.append(f"{giant[0]}: {giant[1]} × {giant[2]}, {size:.1f} MB, sent as base64 in one message.")
    table.notes += [
        "A process's figure is its highest resident memory during the upload (VmHWM, put back before each), code and "
        "libraries included; of several of a kind the highest. Growth: what the peaks of all processes, Redis too, "
        "rose above what was held before; all processes: the sum of their peaks.",
        "The Node server receives, decodes and stores in one process; here the gateway receives and a task process "
        "decodes.",
    ]
    return table


class Peaks:
    """The peaks of a server's processes around one upload, in megabytes, and the seconds that it took."""

    def __init__(self, elsewhere: Executor, subject: Subject, giant: tuple[str, int, int]) -> None:
        time.sleep(0.5)
        processes = [(role, process.pid) for role, found in subject.processes().items() for process in found]
        for _, pid in processes:
            # Put back the mark. Where the system does not let us, it stands since the process began.
            with suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5")
        before = {pid: _mark(pid) for _, pid in processes}
        self.seconds = _upload(elsewhere, subject, giant, 1)
        after = {pid: _mark(pid) for _, pid in processes}
        self.whole = sum(after.values())
        self._peaks = dict[str, float]()
        grown = 0.0
        for role, pid in processes:
            self._peaks[role] = max(self._peaks.get(role, 0), after[pid])
            grown += max(0.0, after[pid] - before[pid])
        self.grown = grown

    def of(self, role: str) -> float:
        """The highest peak of a process of this role."""
        return self._peaks.get(role, 0)


def _rows(name: str, mine: list[Peaks], theirs: list[Peaks]) -> list[Row]:
    worker = [peaks.of("worker") + peaks.of("task") for peaks in mine]
    return [
        Row(f"{name}: worker and its task process", "", "MB", worker),
        Row(f"{name}: task process", "", "MB", [peaks.of("task") for peaks in mine]),
        Row(f"{name}: worker process", "", "MB", [peaks.of("worker") for peaks in mine]),
        Row(f"{name}: gateway", "", "MB", [peaks.of("gateway") for peaks in mine]),
        Row(f"{name}: largest process", "Node server", "MB",
            [max(peaks.of("gateway"), peaks.of("task")) for peaks in mine],
            [peaks.of("node") for peaks in theirs], Aim("<", 1)),
        Row(f"{name}: growth of all processes", "Node server", "MB",
            [peaks.grown for peaks in mine], [peaks.grown for peaks in theirs], Aim("<", 1)),
        Row(f"{name}: all processes", "Node server", "MB",
            [peaks.whole for peaks in mine], [peaks.whole for peaks in theirs], Aim("<", 1)),
        Row(f"{name}: time", "Node server", "s",
            [peaks.seconds for peaks in mine], [peaks.seconds for peaks in theirs], Aim("<", 1)),
    ]  # fmt: skip


def _upload(elsewhere: Executor, subject: Subject, what: tuple[str, int, int], times: int) -> float:
    payload = array(1, "imageUpload", image=data_uri(picture(*what)).decode())
    return median(elsewhere.submit(round_trips, subject.url, KEY, payload, 600, times).result())


def _mark(pid: int) -> float:
    """The high-water mark of a process, in megabytes; 0 when it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / _MB
    return 0.0
