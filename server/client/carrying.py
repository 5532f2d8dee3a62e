"""A plan carried out: files are uploaded, then all tasks are sent in one array, and results are kept as they come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import orjson
import typer

from server.client.connection import Client, Event, Frame
from server.client.downloads import Downloads
from server.client.failures import Failed
from server.client.orders import Files, Task
from server.client.parcels import Parcel
from server.client.place import Place
from server.client.plan import Plan
from server.client.results import Item, facts, items_of, keep, words, write
from server.client.schemas import TaskType
from server.client.view import View
from server.client.work import INTERRUPTED

_UPLOADS_AT_ONCE = 4
_NOT_KEPT = "The pictures go with the server that was started for this. --out DIR keeps them."


async def carry_out(
    place: Place, stop: asyncio.Event, planned: Callable[[dict[str, Any]], Plan], *, as_json: bool
) -> int:
    """Do what is planned, with what the server can do in mind; the exit code."""
    with View(aside=as_json) as view:
        async with Downloads(place) as downloads:
            schemas = await downloads.schemas()
            carrying = Carrying(downloads, view, planned(schemas), as_json=as_json)
            async with Client(place, carrying.heard) as client:
                await carrying.work(client, schemas, stop)
    if as_json:
        typer.echo(orjson.dumps(carrying.answer, option=orjson.OPT_INDENT_2).decode())
    return INTERRUPTED if stop.is_set() else int(carrying.failed)


class Carrying:
    """The plan, and how far it is."""

    def __init__(self, downloads: Downloads, view: View, plan: Plan, *, as_json: bool) -> None:
        self.downloads = downloads
        self.view = view
        self.plan = plan
        self.as_json = as_json
        self.answer: dict[str, list[Item]] = {"data": [], "errors": []}
        self.failed = False
        self._files = Files(plan.folder)
        self._shares = dict[str, float]()
        self._began = time.monotonic()

    async def work(self, client: Client, schemas: dict[str, Any], stop: asyncio.Event) -> None:
        """Have all of it done."""
        plan = self.plan
        for target in plan.targets.values():
            target.parent.mkdir(parents=True, exist_ok=True)
        if client.place.own and not plan.keeps and not plan.single:
            self.view.line(_NOT_KEPT, aside=True)
        for task in plan.tasks:
            self._bring(schemas, task)
        uploads = [parcel.uuid for parcel in self._files.parcels.values()]
        stopping = asyncio.create_task(_stopped(stop, client, [*uploads, *map(_uuid, plan.tasks)]))
        if not await self._uploaded(client) and plan.single:
            return
        # All is asked for: what is not to be told is only not shown.
        futures = client.send([task | {"returnOutput": True} for task in plan.tasks])
        self._show()
        numbered = enumerate(zip(plan.tasks, futures, strict=True), start=1)
        await asyncio.gather(*(self._follow(number, task, future) for number, (task, future) in numbered))
        stopping.cancel()

    def _bring(self, schemas: dict[str, Any], task: Task) -> None:
        """Have the files of a task uploaded; of a type that the server does not know it says so itself."""
        if kind := TaskType.found(schemas, task["taskType"]):
            self._files.bring(kind, task)

    async def _uploaded(self, client: Client) -> bool:
        """Upload the files; whether all are there. What is wrong with one is told before its tasks fail."""
        free = asyncio.Semaphore(_UPLOADS_AT_ONCE)

        async def one(parcel: Parcel) -> None:
            async with free:
                (future,) = client.send([parcel.task], [parcel])
                try:
                    items_of(await future)
                except Failed as failure:
                    self.failed = True
                    self.answer["errors"] += [{"code": failure.code, "message": failure.message}]
                    self.view.line(f"FAIL  {parcel.path}: {failure}", aside=self.plan.single)

        await asyncio.gather(*map(one, self._files.parcels.values()))
        return not self.failed

    async def _follow(self, number: int, task: Task, future: asyncio.Future[Frame]) -> None:
        """Wait for one task, and keep what comes of it."""
        uuid, head = _uuid(task), "" if self.plan.single else f"{number} {task['taskType']}  "
        try:
            frame = await future
            self.answer["errors"] += frame.get("errors", [])
            told = await self._kept(uuid, items_of(frame), silent=task.get("returnOutput") is False)
            if not self.plan.single:
                told = f"ok    {head}{time.monotonic() - self._began:.1f} s  {told}".rstrip()
            if told and not (self.as_json and self.plan.single):
                self.view.line(told)
        except Failed as failure:
            self.failed = True
            self.view.line(f"FAIL  {head}{failure}", aside=self.plan.single)
        self._shares[uuid] = 1
        self._show()

    async def _kept(self, uuid: str, items: list[Item], *, silent: bool) -> str:
        """Write a result where it goes; what is to be said of it."""
        if silent:
            return ""
        target = self.plan.targets.get(uuid)
        written = await keep(self.downloads, items, target) if target else []
        self.answer["data"] += [
            item | ({"files": [str(path) for path in written]} if written else {}) for item in items
        ]
        if written:
            return "" if self.plan.streams else ", ".join(str(path) for path in written)
        text = words(items) or orjson.dumps(facts(items), option=orjson.OPT_INDENT_2 * self.plan.single).decode()
        if target and self.plan.single:
            write(target, f"{text}\n".encode())
            return "" if self.plan.streams else str(target)
        return text

    def heard(self, event: Event) -> None:
        """A task is further than it was."""
        self._shares[event["taskUUID"].lower()] = min(0.99, event.get("progress", 0) / 100)
        self._show(event.get("stage") or event.get("state", ""))

    def _show(self, stage: str = "") -> None:
        wanted = {_uuid(task) for task in self.plan.tasks}
        done = sum(share for uuid, share in self._shares.items() if uuid in wanted)
        self.view.show(done, len(wanted), stage if len(wanted) == 1 else f"{int(done)} of {len(wanted)}")


async def _stopped(stop: asyncio.Event, client: Client, uuids: list[str]) -> None:
    """Cancel what is open when the command is stopped."""
    await stop.wait()
    await client.cancel([uuid.lower() for uuid in uuids])


def _uuid(task: Task) -> str:
    return str(task["taskUUID"]).lower()
