"""What a part of the bench hands back, and how it is printed: ratios first, medians, the spread beside them."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from statistics import median

PACKAGES = ("taskarray", "redis", "uvloop", "websockets", "pillow", "pyvips", "pyvips-binary")


@dataclass(frozen=True)
class Plan:
    """How long to measure: rounds are medians' material, seconds is the length of one window."""

    seconds: float
    rounds: int
    quick: bool
    peer: bool


@dataclass(frozen=True)
class Aim:
    """What a ratio or, with `of_value`, our own figure should be."""

    sign: str
    limit: float
    of_value: bool = False

    def met(self, figure: float) -> bool:
        return {"≥": figure >= self.limit, "≤": figure <= self.limit, ">": figure > self.limit,
                "<": figure < self.limit}[self.sign]  # fmt: skip


@dataclass
class Row:
    """One comparison: our figure and the other one, round by round, in the same unit."""

    what: str
    against: str
    unit: str
    ours: Sequence[float]
    other: Sequence[float] = ()
    aim: Aim | None = None

    @property
    def ratios(self) -> list[float]:
        return [ours / other for ours, other in zip(self.ours, self.other, strict=False) if other]

    def cells(self) -> list[str]:
        ratios = self.ratios
        ratio = f"{median(ratios):.2f}" if ratios else ""
        spread = f"{min(ratios):.2f}–{max(ratios):.2f}" if len(ratios) > 1 else ""
        other = f"{figure(median(self.other))} {self.unit}" if self.other else ""
        ours = f"{figure(median(self.ours))} {self.unit}"
        return [self.what, self.against, ratio, spread, ours, other, *self._verdict(ratios)]

    def _verdict(self, ratios: list[float]) -> tuple[str, str]:
        measured = self.ours if self.aim and self.aim.of_value else ratios
        if not self.aim or not measured:
            return "", ""
        unit = f" {self.unit}" if self.aim.of_value else ""
        met = self.aim.met(median(measured))
        return f"{self.aim.sign} {self.aim.limit:g}{unit}", "yes" if met else "NO"


@dataclass
class Table:
    """The rows of one part, and what a reader must know to read them."""

    title: str
    rows: list[Row] = field(default_factory=list[Row])
    notes: list[str] = field(default_factory=list[str])

    def text(self) -> str:
        head = ["", "against", "ratio", "rounds", "ours", "theirs", "aim", "met"]
        lines = [head, *(row.cells() for row in self.rows)]
        widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
        lines.insert(1, ["-" * width for width in widths])
        padded = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
        return "\n".join([f"### {self.title}", "", *padded, "", *(f"- {note}" for note in self.notes)])


def figure(value: float) -> str:
    """A number with three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def machine() -> str:
    """Where this was measured, and with what."""
    load = ", ".join(f"{part:.1f}" for part in os.getloadavg())
    versions = [f"{package} {version(package)}" for package in PACKAGES]
    return (
        f"{os.cpu_count()} cores, {_processor()}, {platform.system()}, Python {platform.python_version()}, "
        f"{_redis()}; {', '.join(versions)}; load before: {load}"
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as told:
            names = [line.partition(":")[2].strip() for line in told if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()


def _redis() -> str:
    from server.embedded import find_binary

    told = subprocess.run([find_binary(), "--version"], capture_output=True, text=True).stdout.split()
    found = next((word[2:] for word in told if word.startswith("v=")), "?")
    return f"{find_binary().name} {found}"


def node() -> str:
    """The version of Node, empty when it is not here."""
    if not shutil.which("node") or not shutil.which("npm"):
        return ""
    return subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
