"""What every task may say besides its own parameters: who it is, what it waits for, how its answer comes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from server.schema import Params, Schema, Uuid4, wire_name

_MOST_MS = 7 * 86400 * 1000
TRACEPARENT = "00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"


class Simulate(Schema):
    """Faults on demand, on a server in test mode (`TASKARRAY_TEST_MODE`): what a client has to bear."""

    delay_ms: Annotated[int, Field(ge=0, le=600_000, description="Wait so long before the work.")] = 0
    error: Annotated[
        str | None, Field(min_length=1, max_length=64, description="Fail with this code instead of working.")
    ] = None
    drop_socket_after: Annotated[
        Literal["ack", "result"] | None,
        Field(description="Close the socket without a word once this has been sent, or would have been."),
    ] = None
    duplicate_result: Annotated[bool, Field(description="Send the answer twice.")] = False
    progress: Annotated[
        list[Annotated[int, Field(ge=0, le=100)]],
        Field(max_length=100, default_factory=list, description="Tell these percentages, evenly over the delay."),
    ]


class Envelope(Params):
    """What every task has."""

    task_type: Annotated[str, Field(min_length=1, description="What is to be done.")]
    task_uuid: Annotated[
        Uuid4, Field(description="A fresh random UUID v4: the name of the task, under which its answers come.")
    ]
    delivery_method: Annotated[
        Literal["sync", "async"], Field(description="async: the answer says at once that the task was taken.")
    ] = "sync"
    include_cost: Annotated[bool, Field(description="Have `cost` in the answer. It is 0.")] = False
    include_receipt: Annotated[
        bool, Field(description="Have `receipt` in the answer: where the time went, and what was worked on.")
    ] = False
    webhook_url: Annotated[
        str | None, Field(description="Where the outcome is posted to.", json_schema_extra={"format": "uri"})
    ] = None
    upload_endpoint: Annotated[
        str | None, Field(description="Where each image of the result is put.", json_schema_extra={"format": "uri"})
    ] = None
    strict: Annotated[bool, Field(description="Refuse parameters that the task does not have.")] = False
    depends_on: Annotated[
        list[Uuid4],
        Field(max_length=64, default_factory=list, description="Tasks that must have succeeded before this one."),
    ]
    batch_uuid: Annotated[
        Uuid4 | None, Field(description="A UUID v4 of yours that tasks have in common: see the task `batch`.")
    ] = None
    return_output: Annotated[
        bool, Field(description="false: nothing is said when the task succeeds; other tasks use its result.")
    ] = True
    priority: Annotated[
        int, Field(ge=-10, le=10, description="Goes before the same key's tasks of lower priority.")
    ] = 0
    deadline_ms: Annotated[
        int | None,
        Field(ge=1, le=_MOST_MS, description="Milliseconds after its receipt in which the task must have ended."),
    ] = None
    start_within_ms: Annotated[
        int | None,
        Field(ge=1, le=_MOST_MS, description="Milliseconds after its receipt in which the task must have started."),
    ] = None
    cache: Annotated[
        Literal["use", "refresh", "off"],
        Field(description="Whether an earlier answer to the same work will do (use), is replaced, or not looked at."),
    ] = "use"
    validate_only: Annotated[bool, Field(description="Check the task and do nothing.")] = False
    traceparent: Annotated[
        str | None,
        Field(
            pattern=f"^{TRACEPARENT}$",
            description="The span of yours that the task is part of (W3C Trace Context); its webhooks carry it on.",
        ),
    ] = None
    simulate: Annotated[Simulate | None, Field(description="Faults on demand, in test mode only.")] = None


ENVELOPE = tuple(wire_name(name) for name in Envelope.model_fields)
"""The members of a task object that are no parameters of its own."""
