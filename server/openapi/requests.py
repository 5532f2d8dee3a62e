"""Requests of the task array besides POST /v1: an upload as bytes, the end of a task, what a key had done."""

from __future__ import annotations

from server.api import tasks as api
from server.content import CONTENT
from server.openapi.parts import (
    Part,
    answer,
    array,
    component,
    content,
    members,
    parameter,
    refused,
    summary,
    text,
)


def paths(refusals: dict[str, Part]) -> dict[str, Part]:
    """Their addresses. `refusals` are the answers of POST /v1 to what fails."""
    return {
        "/v1/uploads/{taskUUID}": {"put": _put(refusals)},
        "/v1/tasks/{taskUUID}": {"delete": _cancelled(refusals)},
        "/v1/usage": {"get": _used(refusals)},
    }


def _put(refusals: dict[str, Part]) -> Part:
    come = {"Range": {"schema": text(pattern="^bytes=0-[0-9]+$"), "description": "Which bytes have come."}}
    piece = text(pattern=r"^bytes ([0-9]+-[0-9]+|\*)/[0-9]+$")
    return {
        "operationId": "putUpload",
        "summary": "Upload an image file, whole or in pieces: an imageUpload whose body is the file.",
        "description": "A piece says by Content-Range where it belongs, and follows the one before it. What was cut off"
        " is kept for an hour and goes on at any gateway: ask with `Content-Range: bytes */‹size›` and no body. The"
        " same upload again gets the same answer.",
        "parameters": [
            parameter("path", "taskUUID", text(format="uuid"), "A fresh random UUID v4: the name of the upload."),
            parameter("header", "Content-Range", piece, "Which bytes of the file these are, of how many."),
            parameter("header", "X-Content-Hash", text(pattern=f"^{CONTENT}$"), "Checked when all has come."),
        ],
        "requestBody": {"content": content(text(format="binary"), "application/octet-stream")},
        "responses": {
            "200": answer("All has come, and the image is kept.", content(component("TaskAnswer"))),
            "308": answer("More is to come. Without Range, from the start.") | {"headers": come},
            "416": answer("The piece does not begin where the last one ended.", content(component("TaskRefusal")))
            | {"headers": come},
            **refused(refusals),
        },
    }


def _cancelled(refusals: dict[str, Part]) -> Part:
    status = text("What came of it.", enum=["cancelled", "alreadyFinished"])
    item = members(["taskUUID", "status"], taskUUID=text("As it was sent."), status=status)
    return {
        "operationId": "cancelTask",
        "summary": summary(api.cancel),
        "description": "The task itself ends with `taskCancelled`, unless it had ended.",
        "parameters": [parameter("path", "taskUUID", text(format="uuid"), "A task of this key.")],
        "responses": {
            "200": answer("It has ended.", content(members(["data"], data=array(item, minItems=1, maxItems=1)))),
            **refused(refusals, 401, 404, 503),
        },
    }


def _used(refusals: dict[str, Part]) -> Part:
    item = members(
        ["day", "taskType", "tasks", "seconds"],
        day=text(format="date"),
        taskType=text(),
        tasks={"type": "integer", "minimum": 1},
        seconds={"type": "number", "minimum": 0, "description": "For which they ran."},
    )
    days = {"type": "integer", "minimum": 1, "maximum": api.MOST_DAYS, "default": api.DAYS}
    return {
        "operationId": "getUsage",
        "summary": summary(api.usage),
        "parameters": [parameter("query", "days", days, "How many days, today among them.")],
        "responses": {
            "200": answer(
                "A day on which there was nothing is left out.", content(members(["data"], data=array(item)))
            ),
            **refused(refusals, 400, 401, 503),
        },
    }
