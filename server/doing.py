"""The work of one job: its inputs brought, the same work looked for, else its handler run and its images stored.

What may be known of it beyond the items is kept in `Outcome.about`: whether it is an earlier result (`cached`), and
what is needed to give it to another task (`images`, `inputs`; see `reuse`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from server.batches import members
from server.blobs import Blobs, image_blob
from server.catalog import Catalog
from server.config import Config
from server.dressing import dressed
from server.errors import ProcessingFailed, TaskTimeout
from server.images import record
from server.inputs import IMAGES, Inputs, known, named, slow
from server.jobs import Outcome
from server.log import log
from server.piece import Piece
from server.queue import Queue
from server.reuse import Reuse
from server.runner import Crashed, Overgrown, Runner, TimedOut
from server.simulation import suffer
from server.tally import tally
from server.task import Task
from server.work import Work


class Aside(Exception):
    """The claim is over without an outcome: another job does the same work, or another worker has this one."""


class Doing:
    """What is done for a job between its claim and its end."""

    def __init__(
        self, config: Config, queue: Queue, blobs: Blobs, catalog: Catalog, inputs: Inputs, runner: Runner
    ) -> None:
        self.config = config
        self.queue = queue
        self.blobs = blobs
        self.catalog = catalog
        self.inputs = inputs
        self.runner = runner
        self.work = Work(config)
        self.reuse = Reuse(inputs.images, blobs)

    async def suffer(self, piece: Piece) -> None:
        """The faults that the task asks for: a worker can bear several tasks' at a time."""
        if piece.job.simulate:
            piece.entered("bringing")
            await suffer(piece.job.simulate, piece.progress)

    async def outcome(self, piece: Piece) -> Outcome:
        """Do the work. Raises Aside, Stopped, and the ApiError that the task fails with, or that of a Redis away."""
        job, task = piece.job, self.catalog.named(piece.job.task_type)
        params = task.params.model_validate(job.params, by_alias=True, by_name=False)
        piece.places = named(params)
        piece.entered("bringing" if slow(piece.places.values()) else "running")
        with piece.clock.stage("fetch"):
            places = {reference: place for place, reference in piece.places.items()}
            piece.inputs = await self.inputs.bring(job, places, piece.folder)
        piece.entered("running")
        repeats = self.work.repeats(job, task, params)
        if repeats or job.include_receipt:
            piece.inputs = await known(piece.inputs)
        if repeats:
            contents = {reference: brought.content for reference, brought in piece.inputs.items()}
            if earlier := await self._earlier(piece, task, self.work.key(job, task, params, contents)):
                return earlier
        answer = await self._run(piece, task)
        piece.entered("finishing")
        piece.clock.add(**answer["spent"])
        if failure := answer.get("failure"):
            return Outcome(failure=failure)
        return await self._stored(piece, task, answer, repeats)

    async def _earlier(self, piece: Piece, task: Task[Any, Any], key: str) -> Outcome | None:
        """What the same work gave before; None where it is to be done now. Raises Aside."""
        passed = ""
        while (found := await self.queue.lead(piece.claim, key, self.config.cache_ttl, passed)) != "lead":
            if isinstance(found, str):
                if found == "follow":
                    tally.add("singleflight", "followed")
                raise Aside(found)
            owner, leader, kept = found
            if failure := kept.get("failure"):
                return Outcome(failure=failure | ({"parameter": kept["parameter"]} if "parameter" in kept else {}))
            with piece.clock.stage("store"):
                given = await self.reuse.given(owner, kept, piece.job, piece.placed)
            if given:
                items = dressed(piece, given.items, given.images, task.uuid_member or "", cached=True)
                tally.add("cache_hits")
                return Outcome(items=items, images=given.images, about={"cached": True})
            passed = f"{owner}:{leader}"
        tally.add("singleflight", "led")
        return None

    async def _run(self, piece: Piece, task: Task[Any, Any]) -> dict[str, Any]:
        """The handler's answer. A task whose process crashes is tried again, as often as the settings say."""
        job = piece.job
        order = {
            "task_uuid": job.uuid, "task_type": job.task_type, "params": job.params, "uuids": job.uuids,
            "scratch": str(piece.scratch), "limits": job.limits, "claim": piece.claim.name,
            "inputs": {reference: brought.as_dict() for reference, brought in piece.inputs.items()},
            "images_url": f"{job.base_url}{IMAGES}{job.tenant}",
            "members": await members(self.queue.store, job.tenant, job.uuid) if job.of else [],
        }  # fmt: skip
        seconds = self.config.task_timeout or task.seconds
        for attempt in range(piece.claim.attempt, self.config.attempts + 1):
            piece.attempt = attempt
            try:
                return await self.runner.run(order, seconds, piece.progress)
            except Crashed:
                log.warning("task_process_crashed", task_uuid=job.uuid, task_type=job.task_type)
                if attempt < self.config.attempts:
                    tally.add("retries", "process_crashed")
            except Overgrown:
                raise ProcessingFailed(
                    f"The task needed more than {self.config.task_memory} bytes of memory (TASKARRAY_TASK_MEMORY) and"
                    " was ended. Send a smaller image."
                ) from None
            except TimedOut:
                raise TaskTimeout(f"The task took longer than {seconds:g} s and was ended.") from None
        tally.add("quarantined")
        raise ProcessingFailed("Its process crashed each time this task ran, so it was given up.")

    async def _stored(self, piece: Piece, task: Task[Any, Any], answer: dict[str, Any], repeats: bool) -> Outcome:
        records = list[dict[str, Any]]()
        with piece.clock.stage("store"):
            for image in answer["images"]:
                blob = image_blob(piece.job.tenant, image["uuid"])
                await self.blobs.adopt(Path(image.pop("path")), blob)
                records.append(record(blob=blob, **image))
        blobs = {image["uuid"]: image["blob"] for image in records}
        for item in answer["items"]:
            if "inline" in item:
                item["inline"] = [(member, blobs[uuid], head) for member, uuid, head in item["inline"]]
        items = dressed(piece, answer["items"], records, task.uuid_member or "", cached=False)
        about = _for_others(piece.places, answer["named"], blobs) if repeats else {}
        return Outcome(items=items, images=records, forget=answer["forget"], about=about)


def _for_others(places: Mapping[str, str], named: Mapping[str, str], made: Mapping[str, str]) -> dict[str, Any]:
    """The UUIDs of the results, and those of the inputs by their places."""
    inputs = {place: named[reference] for place, reference in places.items() if reference in named}
    return {"images": [uuid for uuid in made if uuid not in named.values()], "inputs": inputs}
