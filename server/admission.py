"""Why the queue does not take a task, in the words of its client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from server.config import Config
from server.errors import (
    ApiError,
    DependencyFailed,
    InvalidParameter,
    InvalidTaskReference,
    RateLimitExceeded,
    ServiceUnavailable,
    TaskCancelled,
)
from server.jobs import Reference
from server.tally import tally

MOST_MEMBERS = 10_000
"""Tasks in one batch: a task about it takes Redis time for each."""
_FULL_SECONDS = 5
"""What a client is told to wait when the queue is full."""


def refused(
    config: Config, references: Sequence[Reference], word: str, place: int = 0, about: bytes | int = 0
) -> ApiError | None:
    """What the step `submit` says, as a failure; None where the task is taken or known. `place` counts from 1."""
    match word:
        case "full":
            tally.add("rate_limited", "queue")
            sentence = f"This key has {config.max_queued_per_key} tasks waiting or running, as many as it may"
            sentence += " (TASKARRAY_MAX_QUEUED_PER_KEY). Send this one again when some have ended."
            return RateLimitExceeded(sentence, retryAfter=_FULL_SECONDS)
        case "full for all":
            tally.add("rate_limited", "queue_of_all")
            sentence = "The queue is full; nothing was accepted. Send the task again in a moment."
            return ServiceUnavailable(sentence, retryAfter=_FULL_SECONDS)
        case "full batch":
            sentence = f"This batch has {MOST_MEMBERS} tasks, as many as it may. Give further ones another batchUUID."
            return InvalidParameter(sentence, parameter="batchUUID", max=MOST_MEMBERS)
        case "no batch":
            sentence = "No task of this key has this batchUUID. Send them before this one, or in the same array."
            return InvalidTaskReference(sentence, parameter="of")
        case "unknown" | "fewer" | "broken":
            return _broken(references[place - 1], word, about)
        case _:
            return None


def _broken(named: Reference, word: str, about: bytes | int) -> ApiError:
    """Why a task cannot build on another one."""
    if word == "unknown":
        sentence = f"There is no task {named.uuid} of this key, or its result is no longer kept."
        return InvalidTaskReference(sentence, parameter=named.place)
    if word == "fewer":
        return fewer(named, about)
    return fallen(named, orjson.loads(bytes(about)))


def fallen(named: Reference, failure: Mapping[str, Any]) -> ApiError:
    """The refusal of a task that builds on one which failed. The first failure goes down the whole graph."""
    if failure["code"] == TaskCancelled.code:
        return TaskCancelled(f"Task {named.uuid}, which this one builds on, was cancelled.", parameter=named.place)
    cause = failure.get("cause") or {"taskUUID": named.uuid, "code": failure["code"]}
    sentence = DependencyFailed.sentence % (cause["taskUUID"], cause["code"])
    return DependencyFailed(sentence, parameter=named.place, cause=cause)


def fewer(named: Reference, results: bytes | int) -> InvalidTaskReference:
    """The refusal of a reference to a result that its task does not have."""
    sentence = f"Task {named.uuid} has {results} results; there is no result {named.n}."
    return InvalidTaskReference(sentence, parameter=named.place)
