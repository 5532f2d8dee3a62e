"""One job from claim to outcome: its inputs brought, its handler run, its images stored, its end said.

Failures of a task are caught here and nowhere below. What a client may know becomes its outcome; anything else is
a bug, which the client sees as an incident number and the log as a traceback.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from server.blobs import Blobs, image_blob
from server.catalog import Catalog
from server.config import Config
from server.errors import (
    ApiError,
    InternalServerError,
    ProcessingFailed,
    ServiceUnavailable,
    TaskTimeout,
    UploadFailed,
)
from server.images import record
from server.inputs import IMAGES, Inputs
from server.jobs import Claim, Job, Outcome
from server.log import log
from server.queue import Queue
from server.runner import Crashed, Overgrown, Runner, Stopped, TimedOut
from server.webhooks import owed

_RUNNING_SECONDS = 0.05
_RETRY_SECONDS = 0.5
Phase = Literal["bringing", "running", "finishing"]


class Handling:
    """What a worker does with its claims."""

    def __init__(
        self, config: Config, queue: Queue, blobs: Blobs, catalog: Catalog, inputs: Inputs, runner: Runner
    ) -> None:
        self.config = config
        self.queue = queue
        self.blobs = blobs
        self.catalog = catalog
        self.inputs = inputs
        self.runner = runner
        self._telling = set[asyncio.Future[Any]]()

    async def handle(self, claim: Claim, entered: Callable[[Phase], None]) -> None:
        """Carry one job to its outcome; `entered` is told of each phase."""
        started, job = time.monotonic(), claim.job
        scratch = (self.blobs.scratch or Path(tempfile.gettempdir())) / f"task-{uuid4().hex}"
        if job.start_within and not await self.queue.start(claim):
            return  # its time was over
        noting = asyncio.get_running_loop().call_later(_RUNNING_SECONDS, self._tell, self.queue.start, claim)
        try:
            outcome = self._owing(job, await self._outcome(claim, scratch, entered))
            await self._finish(claim, outcome, time.monotonic() - started)
        except Stopped:
            return
        finally:
            noting.cancel()
            if scratch.exists():
                shutil.rmtree(scratch, ignore_errors=True)
        log.info(
            "task_finished", task=job.uuid, task_type=job.task_type, tenant=job.tenant, attempt=claim.attempt,
            queued_s=round(time.time() - job.submitted - (time.monotonic() - started), 3),
            run_s=round(time.monotonic() - started, 3), code=outcome.failure["code"] if outcome.failure else "",
        )  # fmt: skip

    async def _outcome(self, claim: Claim, scratch: Path, entered: Callable[[Phase], None]) -> Outcome:
        job = claim.job
        try:
            if claim.attempt > self.config.attempts:
                raise ProcessingFailed("Its worker died each time this task ran, so it was given up.")
            answer = await self._persevering(claim, scratch, entered)
            entered("finishing")
            if failure := answer.get("failure"):
                return self._failed(job, failure)
            return await self._stored(job, answer)
        except Stopped:
            raise
        except ApiError as failure:
            return self._failed(job, failure.as_dict())
        except Exception as bug:
            incident = uuid4().hex[:12]
            log.error("worker_raised", incident=incident, task=job.uuid, exc_info=bug)
            failure = InternalServerError(f"The task failed on the server, incident {incident}.")
            return self._failed(job, failure.as_dict())

    async def _persevering(self, claim: Claim, scratch: Path, entered: Callable[[Phase], None]) -> dict[str, Any]:
        """An accepted task waits for a Redis that is away; it does not fail for it."""
        while True:
            try:
                return await self._perform(claim, scratch, entered)
            except ServiceUnavailable:
                await asyncio.sleep(_RETRY_SECONDS)

    async def _perform(self, claim: Claim, scratch: Path, entered: Callable[[Phase], None]) -> dict[str, Any]:
        """The handler's answer. A task whose process crashes is tried again, as often as the settings say."""
        job = claim.job
        task = self.catalog.named(job.task_type)
        named = self.inputs.named(job, task)
        entered("bringing" if self.inputs.slow(named) else "running")
        inputs = await self.inputs.bring(job, named, partial(_made, scratch))
        entered("running")
        order = {
            "task_type": job.task_type, "params": job.params, "uuids": job.uuids, "scratch": str(scratch),
            "limits": job.limits, "claim": claim.name,
            "inputs": {reference: brought.as_dict() for reference, brought in inputs.items()},
            "images_url": f"{job.base_url}{IMAGES}{job.tenant}",
        }  # fmt: skip
        seconds = self.config.task_timeout or task.seconds
        for _ in range(claim.attempt, self.config.attempts + 1):
            try:
                return await self.runner.run(order, seconds, partial(self._tell, self.queue.progress, claim))
            except Crashed:
                log.warning("task_process_crashed", task=job.uuid, task_type=job.task_type)
            except Overgrown:
                raise ProcessingFailed(
                    f"The task needed more than {self.config.task_memory} bytes of memory (TASKARRAY_TASK_MEMORY) and"
                    " was ended. Send a smaller image."
                ) from None
            except TimedOut:
                raise TaskTimeout(f"The task took longer than {seconds:g} s and was ended.") from None
        raise ProcessingFailed("Its process crashed each time this task ran, so it was given up.")

    async def _stored(self, job: Job, answer: dict[str, Any]) -> Outcome:
        records = list[dict[str, Any]]()
        for image in answer["images"]:
            blob = image_blob(job.tenant, image["uuid"])
            await self.blobs.adopt(Path(image.pop("path")), blob)
            records.append(record(blob=blob, **image))
        blobs = {image["uuid"]: image["blob"] for image in records}
        items = answer["items"]
        for item in items:
            if "inline" in item:
                item["inline"] = [(member, blobs[uuid], head) for member, uuid, head in item["inline"]]
        for item in items if job.include_cost else ():
            item["cost"] = 0
        for index, item in enumerate(items if len(items) > 1 else ()):
            item["resultIndex"] = index
        return Outcome(items=items, images=records, forget=answer["forget"])

    def _failed(self, job: Job, failure: dict[str, Any]) -> Outcome:
        parameter = failure.get("parameter")
        if isinstance(parameter, str):
            failure["parameter"] = job.spelling.get(parameter, parameter)
        return Outcome(failure=failure)

    def _owing(self, job: Job, outcome: Outcome) -> Outcome:
        """The outcome with what is to be sent to the task's receivers."""
        member = self.catalog.named(job.task_type).uuid_member or ""
        return replace(outcome, deliveries=owed(job, outcome, member))

    async def _finish(self, claim: Claim, outcome: Outcome, seconds: float) -> None:
        """Say the outcome until Redis has it. A job that is no longer ours leaves nothing behind."""
        while True:
            try:
                kept = await self.queue.finish(claim, outcome, seconds)
                break
            except ServiceUnavailable:
                await asyncio.sleep(_RETRY_SECONDS)
        if not kept:
            log.warning("late_answer_refused", task=claim.job.uuid, worker=claim.worker)
            await self.blobs.delete(*(image["blob"] for image in outcome.images))
            return
        await self.blobs.delete(*claim.job.staged)

    def _tell(self, step: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any) -> None:
        """Note something that nobody waits for."""
        telling = asyncio.ensure_future(step(*arguments))
        self._telling.add(telling)

        def told(ended: asyncio.Future[Any]) -> None:
            self._telling.discard(ended)
            if not ended.cancelled() and (failure := ended.exception()):
                log.debug("note_lost", reason=str(failure))

        telling.add_done_callback(told)


def _made(scratch: Path) -> Path:
    """The task's folder. It is made when something is to be put there, which most tasks do not need."""
    try:
        scratch.mkdir(mode=0o700, exist_ok=True)
        return scratch
    except OSError as failure:
        raise UploadFailed("The server has no room to work on images. Try again.") from failure
