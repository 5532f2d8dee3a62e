"""Other processes, as tests need them: Python programs, and what runs on this machine."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]


@contextmanager
def python(source: str, *arguments: object) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A Python process, and the words of the first line that it prints; killed at the end."""
    command = [sys.executable, "-c", source, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    with process:
        try:
            yield process, process.stdout.readline().split()
        finally:
            process.kill()


def processes() -> list[tuple[int, int]]:
    """Every process that runs, as (id, group); one that has ended and only waits to be collected does not run."""
    told = subprocess.run(["ps", "-axo", "pid=,pgid=,stat="], capture_output=True, text=True).stdout
    rows = [line.split() for line in told.splitlines()]
    return [(int(pid), int(group)) for pid, group, state in rows if not state.startswith("Z")]


def members(group: int) -> list[int]:
    return [pid for pid, found in processes() if found == group]


def runs(pid: int) -> bool:
    return any(found == pid for found, _ in processes())


def ends(pid: int, seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not runs(pid)
