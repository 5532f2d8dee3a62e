"""A batch from its first picture to its summary: what is done, what is shown of it, what is looked at again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from server.client.batch import Batch, Done
from server.client.connection import Client
from server.client.downloads import Downloads
from server.client.failures import Failed, Lost
from server.client.orders import Files, values
from server.client.place import Place
from server.client.schemas import TaskType
from server.client.tree import Job, Tree
from server.client.view import View
from server.client.work import INTERRUPTED
from server.exits import wrong

_WATCH_SECONDS = 2.0
_SETTLED_SECONDS = 1.0
_LISTED = 1000
"""Failures that are told again at the end; of more, how many there were."""


@dataclass
class Course:
    """One run of `taskarray batch`."""

    folder: Path
    out: Path
    task: str
    settings: list[str]
    at_once: int
    watch: bool
    overwrite: bool
    as_json: bool
    done: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list[str])
    _total: int = 0
    _hopeless: dict[str, float] = field(default_factory=dict[str, float])
    """Pictures that failed, as they were then: to look at them again is of no use before they change."""

    async def run(self, place: Place, stop: asyncio.Event) -> int:
        """Do all of it; the exit code."""
        began, lost = time.monotonic(), ""
        async with Downloads(place) as downloads:
            kind = TaskType.named(await downloads.schemas(), self.task)
            found, files = values(kind, self.settings), Files(Path())
            files.bring(kind, found)
            tree = Tree(self.folder, self.out, _suffix(kind, found), overwrite=self.overwrite)
            async with Client(place) as client:
                batch = Batch(client, downloads, kind, found, stop)
                with View() as view:
                    try:
                        await batch.bring(files)
                        await self._passes(batch, tree, view, stop)
                        await batch.leave()
                    except (Failed, Lost) as failure:
                        lost = f"{failure} "
        self._sum_up(view, tree.skipped, time.monotonic() - began, "Stopped. " if stop.is_set() else lost)
        return INTERRUPTED if stop.is_set() and not self.watch else int(bool(self.failed or lost))

    async def _passes(self, batch: Batch, tree: Tree, view: View, stop: asyncio.Event) -> None:
        """Do what is there; to watch, look again and again."""
        while True:
            left = await asyncio.to_thread(lambda: sum(1 for _ in self._left(tree))) if view.live else 0
            self._total = self.done + self.failed + left
            self._show(view)
            await batch.work(self._left(tree), self.at_once, partial(self._told, view))
            if stop.is_set() or not self.watch:
                return
            tree.overwrite = False
            with suppress(TimeoutError):
                async with asyncio.timeout(_WATCH_SECONDS):
                    await stop.wait()
                    return

    def _left(self, tree: Tree) -> Iterator[Job]:
        """What is to be done and is no failure already. To watch, what may still be written is left for later."""
        if not self.watch:
            yield from tree.left()
            return
        for job in tree.left():
            with suppress(OSError):
                written = job.source.stat().st_mtime
                if self._hopeless.get(job.name) != written and time.time() - written > _SETTLED_SECONDS:
                    yield job

    def _told(self, view: View, done: Done) -> None:
        name, failure = done.job.name, done.failure
        self.done += failure is None
        self.failed += failure is not None
        if failure:
            self.failures += [f"{name}  {failure}"] if len(self.failures) < _LISTED else []
            if self.watch:
                with suppress(OSError):
                    self._hopeless[name] = done.job.source.stat().st_mtime
        if self.as_json:
            view.line(_as_json(done))
        elif failure:
            view.line(f"FAIL  {name}  {failure}")
        elif not view.live:
            view.line(f"ok    {name} → {', '.join(map(str, done.written))}  {done.seconds:.1f} s")
        self._show(view)

    def _show(self, view: View) -> None:
        ended = self.done + self.failed
        view.show(ended, self._total, f"{ended} of {self._total}" + (f", {self.failed} failed" if self.failed else ""))

    def _sum_up(self, view: View, skipped: int, seconds: float, end: str) -> None:
        """What became of all of them."""
        before = f", {skipped} were done before" if skipped else ""
        rate = f" ({self.done / seconds:.1f} a second)" if self.done else ""
        view.line(f"{self.done} done{before}, {self.failed} failed, in {seconds:.1f} s{rate}.", aside=self.as_json)
        if not self.as_json:
            for failure in self.failures:
                view.line(f"FAIL  {failure}")
            if self.failed > len(self.failures):
                view.line(f"… and {self.failed - len(self.failures)} more.")
        if end and not self.watch:
            view.line(f"{end}Run it again to go on.", aside=True)


def _suffix(kind: TaskType, found: dict[str, Any]) -> str:
    """The extension of the results. Ends the command for a task that has no use for pictures, or a file type that it
    cannot make."""
    if not kind.picture:
        wrong(f"{kind.name} works on no picture.")
    if kind.picture in found:
        wrong(f"--set {kind.picture}: that is each of the pictures in DIR.")
    told = str(found.get("outputFormat", kind.format))
    if not kind.format:
        return ".txt" if "text" in kind.gives else ".json"
    return f".{kind.format_of(f'.{told}').lower()}"


def _as_json(done: Done) -> str:
    failure = done.failure
    told = {"code": failure.code, "message": failure.message} if failure else {"files": list(map(str, done.written))}
    shown = {"picture": done.job.name, "ok": failure is None, "seconds": round(done.seconds, 3)} | told
    return orjson.dumps(shown).decode()
