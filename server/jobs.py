"""A task as the queue has it: the job that waits, the claim of a worker on it, its outcome, what is kept of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import orjson

TERMINAL = ("succeeded", "failed")


@dataclass(frozen=True, eq=False)
class Job:
    """A task as it waits in the queue. Small: image bytes are named, never carried."""

    tenant: str
    uuid: str
    task_type: str
    params: dict[str, Any]
    uuids: list[str]
    """The UUIDs of its results, given out before it runs."""
    base_url: str
    staged: list[str] = field(default_factory=list[str])
    """Blobs that came with the task and go when it is finished."""
    spelling: dict[str, str] = field(default_factory=dict[str, str])
    """Parameters that the client wrote in another place or form, by our name."""
    limits: dict[str, int] = field(default_factory=dict[str, int])
    """Limits of its own, in place of the server's (see `task.Limits`)."""
    include_cost: bool = False
    include_receipt: bool = False
    submitted: float = field(default_factory=time.time)
    start_within: int = 0
    """Milliseconds in which it must be started; 0: any time. Its worker says at once that it starts."""
    end_within: int = 0
    """Milliseconds in which it must have ended; 0: any time."""
    priority: int = 0
    batch: str = ""
    """The batch it belongs to."""
    of: str = ""
    """The batch it is about: it waits for every task in it."""
    cache: str = "use"
    simulate: dict[str, Any] = field(default_factory=dict[str, Any])
    """Faults on demand (`envelope.Simulate`), in test mode."""
    face: str = "v1"
    """The dialect in which the task came, and in which its receiver is told of it."""
    webhook: str = ""
    """Where the answer is posted; empty: nowhere."""
    upload: str = ""
    """Where the bytes of each image are put."""
    traceparent: str = ""
    """The span that it is part of (W3C Trace Context)."""


_MEMBERS = tuple(Job.__dataclass_fields__)
"""What a job is read by: one that a newer gateway has queued may have more."""


def read_job(text: bytes) -> Job:
    """A job as it lies in Redis."""
    told = orjson.loads(text)
    return Job(**{name: told[name] for name in _MEMBERS if name in told})


@dataclass(frozen=True)
class Reference:
    """Another task that a job names: by its UUID, or its n-th result (from 1; 0: the first, or nothing but its end).

    `bare`: the UUID may be an image's as well. `place` is where the client wrote it.
    """

    uuid: str
    place: str
    n: int = 0
    bare: bool = False


@dataclass(frozen=True, eq=False)
class Claim:
    """A job in a worker's hands: `message` is its place in the stream, `attempt` counts deliveries from 1."""

    job: Job
    base: str
    message: str
    worker: str
    attempt: int

    @property
    def name(self) -> str:
        """What it is called among the claims of all shards."""
        return f"{self.base}|{self.message}"


@dataclass(frozen=True)
class Outcome:
    """How a job ended: items for the client, or one failure (`ApiError.as_dict`)."""

    items: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    failure: dict[str, Any] | None = None
    images: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Records to register (`images.record`)."""
    forget: list[str] = field(default_factory=list[str])
    """UUIDs of images to take out of the registry."""
    about: dict[str, Any] = field(default_factory=dict[str, Any])
    """What is kept with the items and not sent with them: how the task was done."""
    deliveries: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """What is to be sent to receivers (`webhooks.record`)."""

    @property
    def state(self) -> str:
        return "failed" if self.failure else "succeeded"

    @property
    def kept(self) -> dict[str, Any]:
        """What is kept of it for whoever asks."""
        return ({"failure": self.failure} if self.failure else {"items": self.items}) | self.about


@dataclass(frozen=True)
class Known:
    """What is kept of a task: its request as sent, its state, and its outcome once there is one."""

    request: dict[str, Any]
    state: str
    delivery: str
    uuids: list[str]
    progress: float | None
    stage: str
    outcome: dict[str, Any] | None
    created: float = 0.0
    """When it was taken, in seconds since 1970."""
    seconds: float = 0.0
    """How long it ran, from claim to outcome."""
    started: float = 0.0
    worker: str = ""
    oversized: int = 0
    """How often a client hung up on its answer for its size."""
    fingerprint: str = ""
    """What makes two requests the same task."""


@dataclass(frozen=True)
class Standing:
    """How a task stands: `state` is empty for one that is not known, `progress` from 0 to 1, and `ahead` how many are
    given out before it: 0 for one that runs or is next, None for one that waits for other tasks."""

    state: str
    progress: float | None
    stage: str
    ahead: int | None
