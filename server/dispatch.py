"""The one door: a checked task object in, a queued job or its refusal out. Every face comes through here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson

from server import telemetry
from server.addresses import RECEIVER_PORTS, Guard
from server.blobs import Blobs
from server.catalog import Catalog
from server.envelope import ENVELOPE
from server.errors import ApiError, ConflictTaskUUID, InternalServerError
from server.graph import Step, arranged
from server.nodes import FAILURES
from server.prepare import Caller, Prepared, Refused, Request, prepare, refuse
from server.queue import Queue, Submitted
from server.statistics import Statistics
from server.tally import tally
from server.tenants import Tenants

_SHOWN = 200
_KEPT_BYTES = 256 * 1024


@dataclass(frozen=True)
class Accepted:
    """A task that will end in exactly one outcome, announced to the caller's session."""

    request: Request
    uuid: str
    delivery: Literal["sync", "async"]


@dataclass(frozen=True)
class Checked:
    """A task that would be accepted. `seconds`: how long such tasks take here; None while that is not known."""

    request: Request
    seconds: float | None


class Dispatch:
    """Takes task objects in."""

    def __init__(self, catalog: Catalog, queue: Queue, tenants: Tenants, blobs: Blobs) -> None:
        self.catalog = catalog
        self.queue = queue
        self.tenants = tenants
        self.blobs = blobs
        self.statistics = Statistics(queue.store)
        self.config = queue.config
        self.guard = Guard(queue.config.fetch_allow, RECEIVER_PORTS)

    def prepare(self, caller: Caller, request: Request) -> Prepared | Refused:
        """Check one object. Only CPU work: a large one may be checked in a thread."""
        return prepare(self.catalog, self.guard, caller, request, test_mode=self.config.test_mode)

    def arranged(self, steps: Sequence[Step]) -> tuple[list[Step], list[int]]:
        """The checked objects of one array, and the order to submit them in (see `graph`)."""
        return arranged(steps, self.config.max_graph_tasks, self.config.max_graph_depth)

    async def submit(self, caller: Caller, prepared: Prepared) -> Accepted | Refused:
        """Queue a checked task. Once this returns Accepted, an outcome will come."""
        answer, job = None, prepared.job
        span = telemetry.begin("server", f"receive {job.task_type}", job.traceparent, task_uuid=job.uuid, face=job.face)
        if span:
            prepared = replace(prepared, job=replace(job, traceparent=span.traceparent))
        try:
            return (answer := await self._submit(caller, prepared))
        finally:
            _tell(prepared, answer)
            if span:
                span.end(failure=answer.failures[0]["code"] if isinstance(answer, Refused) else "")

    async def check(self, caller: Caller, prepared: Prepared) -> Checked | Refused:
        """Whether a checked task would be accepted. Nothing is queued, stored or counted."""
        answer = None
        try:
            if prepared.graph:
                await prepared.graph.turn(prepared)
            await self._queue(caller, prepared)
            answer = Checked(prepared.request, await self.statistics.mean(prepared.job.task_type))
            return answer
        except ApiError as refusal:
            answer = refuse(prepared.request, [refusal])
            return answer
        finally:
            _tell(prepared, answer)

    async def _submit(self, caller: Caller, prepared: Prepared) -> Accepted | Refused:
        job, payloads = prepared.job, prepared.payloads
        staged = [name for name in job.staged if name not in payloads]
        try:
            if prepared.graph:
                await prepared.graph.turn(prepared)
            await self.tenants.spend(caller.tenant, 1)
            for name, data in payloads.items():
                staged.append(name)
                await self.blobs.put(name, data)
            answer = await self._queue(caller, prepared)
        except ApiError as refusal:
            # An unanswered submit may have gone through: its staged bytes are left to the sweeper.
            if not isinstance(refusal.__cause__, FAILURES):
                await self.blobs.discard(*staged)
            return refuse(prepared.request, [refusal])
        if answer != "accepted":
            tally.add("duplicates", answer)
            await self.blobs.discard(*staged)
        return Accepted(prepared.request, job.uuid, prepared.delivery)

    async def _queue(self, caller: Caller, prepared: Prepared) -> Submitted:
        answer = await self.queue.submit(
            prepared.job,
            session=caller.session,
            sent=_kept(prepared.request.sent),
            delivery=prepared.delivery,
            fingerprint=prepared.fingerprint,
            references=prepared.graph.outside(prepared) if prepared.graph else prepared.references,
            failing=prepared.failing,
            dry=prepared.dry,
        )
        if answer == "conflict":
            tally.add("duplicates", answer)
            raise ConflictTaskUUID(parameter="taskUUID")
        return answer


def _tell(prepared: Prepared, answer: Accepted | Checked | Refused | None) -> None:
    """The tasks of the array that build on this one may go on, or not. Without an answer: a bug took it."""
    if prepared.graph:
        lost = InternalServerError().as_dict() if answer is None else None
        prepared.graph.told(prepared.job.uuid, answer.failures[0] if isinstance(answer, Refused) else lost)


def _kept(sent: dict[str, Any]) -> dict[str, Any]:
    """A request as it is remembered and shown: without pixels; of one that is still huge, what every task has."""
    kept = shortened(sent)
    return kept if len(orjson.dumps(kept)) <= _KEPT_BYTES else {name: kept[name] for name in ENVELOPE if name in kept}


def shortened(value: Any) -> Any:
    """Long strings that look like pixels (they have no blank) cut down to what they begin with."""
    if isinstance(value, str) and len(value) > _SHOWN and " " not in value[:_SHOWN] and "://" not in value[:_SHOWN]:
        return f"{value[:40]}… ({len(value)} characters)"
    if isinstance(value, dict):
        return {name: shortened(member) for name, member in value.items()}
    if isinstance(value, list):
        return [shortened(member) for member in value]
    return value
