"""Tell how the tasks of a batch ended."""

from __future__ import annotations

from typing import Literal

from server.errors import DependencyFailed
from server.task import Annotated, BatchParams, Context, Field, Member, Result, Schema, task


class Batch(BatchParams):
    """Which tasks, and what counts as a success."""

    policy: Annotated[
        Literal["all", "any", "best-effort"],
        Field(description="Fail unless all of them succeeded, or any of them did; best-effort never fails."),
    ] = "best-effort"


class Ended(Schema):
    """How one of them ended."""

    task_type: str
    task_uuid: str
    status: Literal["succeeded", "failed", "cancelled"]
    code: Annotated[str | None, Field(description="Of its failure.")] = None
    seconds: Annotated[float, Field(description="How long it ran.")]


class Batched(Result):
    """The tasks by how they ended."""

    total: int
    succeeded: int
    failed: int
    cancelled: int
    tasks: list[Ended]


@task("batch", seconds=60)
def batch(params: Batch, context: Context) -> Batched:
    """Tell how the tasks with one batchUUID ended, when all have."""
    tasks = [_ended(member) for member in context.members()]
    count = {status: sum(task.status == status for task in tasks) for status in ("succeeded", "failed", "cancelled")}
    short = len(tasks) - count["succeeded"]
    if short and (params.policy == "all" or (params.policy == "any" and not count["succeeded"])):
        first = next(task for task in tasks if task.code)
        raise DependencyFailed(
            f"{short} of the {len(tasks)} tasks of the batch did not succeed, first {first.task_uuid}: {first.code}.",
            cause={"taskUUID": first.task_uuid, "code": first.code},
            total=len(tasks),
            succeeded=count["succeeded"],
            failed=count["failed"],
            cancelled=count["cancelled"],
        )
    return Batched(total=len(tasks), tasks=tasks, **count)


def _ended(member: Member) -> Ended:
    status = "cancelled" if member.code == "taskCancelled" else "failed" if member.code else "succeeded"
    return Ended(
        task_type=member.task_type,
        task_uuid=member.uuid,
        status=status,
        code=member.code or None,
        seconds=round(member.seconds, 3),
    )
