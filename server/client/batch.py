"""The pictures of a tree, one after the other and some at once, each with its file written as soon as it is done.

Nothing is held of a picture but its names. What it leaves on the server is deleted: the upload and the result.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from server.client.connection import Client, Frame
from server.client.downloads import Downloads
from server.client.failures import Failed
from server.client.orders import Files, new_task
from server.client.parcels import Parcel
from server.client.results import Item, facts, image_uuids, items_of, keep, words, write
from server.client.schemas import TaskType
from server.client.tree import Job

_TRIES = 3
_PATIENCE_SECONDS = 300.0
_PAUSE_SECONDS = 1.0
_TIDY_SECONDS = 10.0


@dataclass(frozen=True)
class Done:
    """A picture that is done with: what was written, or why nothing was."""

    job: Job
    written: list[Path]
    failure: Failed | None
    seconds: float


class Batch:
    """One task, done on picture after picture."""

    def __init__(
        self, client: Client, downloads: Downloads, kind: TaskType, values: dict[str, Any], stop: asyncio.Event
    ) -> None:
        self.client = client
        self.downloads = downloads
        self.kind = kind
        self.values = values
        self.stop = stop
        self._shared = list[str]()
        self._under_way = set[str]()
        self._tidying = set[asyncio.Future[Frame]]()

    async def bring(self, files: Files) -> None:
        """Upload what every task names besides its picture. Raises Failed."""
        for parcel in files.parcels.values():
            (future,) = self.client.send([parcel.task], [parcel])
            self._shared += image_uuids(items_of(await future))

    async def work(self, jobs: Iterator[Job], at_once: int, told: Callable[[Done], None]) -> None:
        """Do these, `at_once` at a time; each is told of when it has ended, unless it was stopped. Raises Lost."""
        stopping = asyncio.create_task(self._stopped())
        try:
            await asyncio.gather(*(self._work(jobs, told) for _ in range(at_once)))
        finally:
            stopping.cancel()

    async def leave(self) -> None:
        """Have the last of it deleted."""
        self._tidy(self._shared)
        if self._tidying:
            await asyncio.wait(self._tidying, timeout=_TIDY_SECONDS)

    async def _stopped(self) -> None:
        await self.stop.wait()
        await self.client.cancel(list(self._under_way))

    async def _work(self, jobs: Iterator[Job], told: Callable[[Done], None]) -> None:
        for job in jobs:
            if self.stop.is_set():
                return
            began, written, failure = time.monotonic(), list[Path](), None
            try:
                written = await self._done(job)
            except Failed as failed:
                failure = failed
            if failure is None or not self.stop.is_set():
                told(Done(job, written, failure, time.monotonic() - began))

    async def _done(self, job: Job) -> list[Path]:
        """What was written for a picture, at the first try that succeeds."""
        tries, end = 1, time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return await self._tried(job)
            except Failed as failure:
                tries += not failure.refused
                if self.stop.is_set() or not failure.retryable or tries > _TRIES or time.monotonic() > end:
                    raise
                wait = failure.wait or _PAUSE_SECONDS * tries
            try:
                async with asyncio.timeout(wait):
                    await self.stop.wait()
            except TimeoutError:
                continue

    async def _tried(self, job: Job) -> list[Path]:
        """Send a picture and its task in one array, under fresh taskUUIDs, and keep what is made of it."""
        parcel = await asyncio.to_thread(Parcel.of, job.source)
        task = new_task(self.kind, self.values | {self.kind.picture: parcel.uuid})
        uuids = {parcel.uuid, task["taskUUID"]}
        self._under_way |= uuids
        left = list[str]()
        try:
            upload, work = self.client.send([parcel.task, task], [parcel])
            frame = await work
            left += image_uuids(items_of(await upload))  # what is wrong with the picture goes before what followed
            items = items_of(frame)
            written = await self._kept(job, items)
            left += image_uuids(items) if self.kind.format else []
            return written
        finally:
            self._under_way -= uuids
            self._tidy(left)

    async def _kept(self, job: Job, items: list[Item]) -> list[Path]:
        try:
            job.target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as failure:
            raise Failed(f"{job.target.parent} cannot be made: {failure.strerror}.") from failure
        if self.kind.format:
            return await keep(self.downloads, items, job.target)
        text = words(items) or orjson.dumps(facts(items), option=orjson.OPT_INDENT_2).decode()
        write(job.target, f"{text}\n".encode())
        return [job.target]

    def _tidy(self, uuids: list[str]) -> None:
        """Have images deleted that nobody will ask for, before other work; whether that succeeds is no matter."""
        tasks = [
            {"taskType": "mediaStorage", "taskUUID": str(uuid4()), "media": uuid, "operation": "delete", "priority": 10}
            for uuid in uuids
        ]
        if tasks:
            futures = self.client.send(tasks)
            self._tidying.update(futures)
            for future in futures:
                future.add_done_callback(self._tidying.discard)
