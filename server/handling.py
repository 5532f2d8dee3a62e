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
from typing import Any
from uuid import uuid4

from server import telemetry
from server.blobs import Blobs
from server.catalog import Catalog
from server.config import Config
from server.doing import Aside, Doing
from server.errors import ApiError, ProcessingFailed, ServiceUnavailable
from server.jobs import Claim, Job, Outcome
from server.log import incident, log
from server.piece import Phase, Piece
from server.queue import Queue
from server.receipts import Clock
from server.runner import Stopped
from server.tally import tally
from server.webhooks import owed

_RUNNING_SECONDS = 0.05
_RETRY_SECONDS = 0.5
_STAGES = {f"{name}Ms": name for name in ("fetch", "decode", "run", "encode", "store")} | {"queuedMs": "queue"}
"""The stages of `receipts.Spent` as they are counted."""


class Handling:
    """What a worker does with its claims."""

    def __init__(self, config: Config, queue: Queue, blobs: Blobs, catalog: Catalog, doing: Doing) -> None:
        self.config = config
        self.queue = queue
        self.blobs = blobs
        self.catalog = catalog
        self.doing = doing
        self._telling = set[asyncio.Future[Any]]()

    async def handle(self, claim: Claim, entered: Callable[[Phase], None]) -> None:
        """Carry one job to its outcome; `entered` is told of each phase."""
        started, job = time.monotonic(), claim.job
        if claim.attempt > 1:
            tally.add("retries", "worker_lost")
        scratch = (self.blobs.scratch or Path(tempfile.gettempdir())) / f"task-{uuid4().hex}"
        progress = partial(self._tell, self.queue.progress, claim)
        piece = Piece(claim, scratch, Clock(job.submitted), entered, progress, claim.attempt)
        if job.start_within and not await self._begun(claim):
            return  # its time was over
        noting = asyncio.get_running_loop().call_later(_RUNNING_SECONDS, self._tell, self.queue.start, claim)
        try:
            outcome = self._owing(job, await self._outcome(piece))
            await self._finish(claim, outcome, time.monotonic() - started)
        except (Stopped, Aside):
            return
        finally:
            noting.cancel()
            if scratch.exists():
                shutil.rmtree(scratch, ignore_errors=True)
        _tell_end(piece, outcome, time.monotonic() - started)

    async def _begun(self, claim: Claim) -> bool:
        while True:
            try:
                return await self.queue.start(claim)
            except ServiceUnavailable:
                await asyncio.sleep(_RETRY_SECONDS)

    async def _outcome(self, piece: Piece) -> Outcome:
        try:
            if piece.claim.attempt > self.config.attempts:
                tally.add("quarantined")
                raise ProcessingFailed("Its worker died each time this task ran, so it was given up.")
            await self.doing.suffer(piece)
            outcome = await self._persevering(piece)
        except (Stopped, Aside):
            raise
        except ApiError as failure:
            outcome = Outcome(failure=failure.as_dict())
        except Exception as bug:
            job = piece.job
            failure = incident("worker_raised", bug, hide=job.params, task_uuid=job.uuid, task_type=job.task_type)
            outcome = Outcome(failure=failure.as_dict())
        piece.entered("finishing")
        outcome = _spelled(piece.job, outcome)
        about = outcome.about | {"spent": piece.clock.told()}
        if trace := _traced(piece, outcome, about["spent"]):
            about["traceparent"] = trace
        return replace(outcome, about=about)

    async def _persevering(self, piece: Piece) -> Outcome:
        """An accepted task waits for a Redis that is away; it does not fail for it."""
        while True:
            try:
                return await self.doing.outcome(piece)
            except ServiceUnavailable:
                await asyncio.sleep(_RETRY_SECONDS)

    def _owing(self, job: Job, outcome: Outcome) -> Outcome:
        """The outcome with what is to be sent to the task's receivers."""
        # Of a type that this worker does not know nothing was made.
        member = self.catalog.named(job.task_type).uuid_member if outcome.images else ""
        return replace(outcome, deliveries=owed(job, outcome, member or ""))

    async def _finish(self, claim: Claim, outcome: Outcome, seconds: float) -> None:
        """Say the outcome until Redis has it. A job that is no longer ours leaves nothing behind."""
        while True:
            try:
                kept = await self.queue.finish(claim, outcome, seconds)
                break
            except ServiceUnavailable:
                await asyncio.sleep(_RETRY_SECONDS)
        if not kept:
            log.warning("late_answer_refused", task_uuid=claim.job.uuid, worker=claim.worker)
            await self.blobs.discard(*(image["blob"] for image in outcome.images))
            return
        await self.blobs.discard(*claim.job.staged)

    def _tell(self, step: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any) -> None:
        """Note something that nobody waits for."""
        telling = asyncio.ensure_future(step(*arguments))
        self._telling.add(telling)

        def told(ended: asyncio.Future[Any]) -> None:
            self._telling.discard(ended)
            if not ended.cancelled() and (failure := ended.exception()):
                log.debug("note_lost", reason=str(failure))

        telling.add_done_callback(told)


def _traced(piece: Piece, outcome: Outcome, spent: dict[str, float]) -> str:
    """The span of a task, with its stages one after the other; what it is named by, for those that come after it."""
    job, claim = piece.job, piece.claim
    span = telemetry.begin(
        "consumer", f"task {job.task_type}", job.traceparent, job.submitted, task_uuid=job.uuid,
        task_type=job.task_type, worker=claim.worker, attempt=claim.attempt,
        cached=bool(outcome.about.get("cached")),
    )  # fmt: skip
    if span is None:
        return job.traceparent
    at = job.submitted
    for stage, milliseconds in spent.items():
        if milliseconds and stage in _STAGES:
            span.part(_STAGES[stage], at, at + milliseconds / 1000)
            at += milliseconds / 1000
    span.end(failure=outcome.failure["code"] if outcome.failure else "")
    return span.traceparent


def _tell_end(piece: Piece, outcome: Outcome, seconds: float) -> None:
    """The line and the counts of a finished task."""
    job, claim, spent = piece.job, piece.claim, outcome.about["spent"]
    for stage, milliseconds in spent.items():
        if milliseconds and stage in _STAGES:
            tally.stage(job.task_type, _STAGES[stage], milliseconds / 1000)
    trace = outcome.about.get("traceparent", "")
    taken = sum(brought.bytes for brought in piece.inputs.values())  # where they have been read as a whole
    log.info(
        "task_finished", task_uuid=job.uuid, task_type=job.task_type, tenant=job.tenant, worker=claim.worker,
        face=job.face, attempt=claim.attempt, queued_s=round(spent["queuedMs"] / 1000, 3), duration_s=round(seconds, 3),
        bytes_out=sum(image["bytes"] for image in outcome.images),
        cached=bool(outcome.about.get("cached")), code=outcome.failure["code"] if outcome.failure else "",
        **({"bytes_in": taken} if taken else {}), **({"trace_id": trace.split("-")[1]} if trace else {}),
    )  # fmt: skip


def _spelled(job: Job, outcome: Outcome) -> Outcome:
    """A failure with its parameter as the client wrote it; who gets it for the same work may have written another."""
    failure = outcome.failure or {}
    parameter = failure.get("parameter")
    if not isinstance(parameter, str) or parameter not in job.spelling:
        return outcome
    shown = failure | {"parameter": job.spelling[parameter]}
    return replace(outcome, failure=shown, about=outcome.about | {"parameter": parameter})
