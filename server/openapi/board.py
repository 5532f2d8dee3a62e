"""The addresses behind the live board in the document, for keys with the scope `dash`."""

from __future__ import annotations

from server.api.board import Face
from server.catalog import Catalog
from server.openapi import task_array
from server.openapi.parts import Part, answer, array, component, content, members, parameter, refused, summary, text

TAG = {"name": "board", "description": "What operators see and do, with a key of the scope `dash`."}
_TENANT = members(["id", "name"], id=text(), name=text("Of its keys; empty where none is known."))
_MS = {"type": "number", "minimum": 0}
_TIME = {"type": "integer", "description": "Milliseconds since 1970."}


def schemas(catalog: Catalog) -> dict[str, Part]:
    """The schemas of these answers."""
    story = members(
        ["tenant", "taskUUID", "taskType", "state", "created"],
        tenant=_TENANT,
        taskUUID=text(),
        taskType=text(),
        state=text(enum=["held", "queued", "running", "succeeded", "failed"]),
        created=_TIME,
        ended=_TIME,
        code=text("Of its failure."),
        worker=text(),
        progress={"type": "integer", "description": "Percent."},
        spans={"type": "object", "additionalProperties": _MS, "description": "Milliseconds in each of its stages."},
    )
    return {"TaskStory": story}


def refusals() -> dict[str, Part]:
    """They fail in the words of the task array."""
    return {}


def paths(catalog: Catalog) -> dict[str, Part]:
    """The addresses."""
    told = task_array.refusals()
    tenant, uuid = parameter("path", "tenant", text("A tenant's id.")), parameter("path", "taskUUID", text())
    status = text("What came of it.", enum=["cancelled", "alreadyFinished"])
    cancelled = _items(members(["taskUUID", "status"], taskUUID=text(), status=status))
    again = _items(members(["taskUUID", "of"], taskUUID=text("Of the new task."), of=text("Of the one before.")))
    partly = {"type": "boolean", "description": "There may be others that were not looked at."}
    found = members(["data", "partly"], data=array(component("TaskStory"), minItems=1), partly=partly)
    task = "/board/tasks/{tenant}/{taskUUID}"
    return {
        "/board/feed": {
            "get": {
                "operationId": "getBoardFeed",
                "summary": summary(Face.feed),
                "responses": {
                    "200": answer("For as long as it is read.", content(text(), "text/event-stream")),
                    **refused(told, 401, 403, 429, 503),
                },
            }
        },
        "/board/tasks/{taskUUID}": {
            "get": {
                "operationId": "findTask",
                "summary": summary(Face.search),
                "parameters": [uuid],
                "responses": {
                    "200": answer("Nothing of what they were asked or answered.", content(found)),
                    **refused(told, 400, 401, 403, 404, 503),
                },
            }
        },
        f"{task}/cancel": {
            "post": {
                "operationId": "cancelAnyTask",
                "summary": summary(Face.cancel),
                "parameters": [tenant, uuid],
                "responses": {"200": answer("It has ended.", cancelled), **refused(told, 401, 403, 404, 503)},
            }
        },
        f"{task}/rerun": {
            "post": {
                "operationId": "rerunTask",
                "summary": summary(Face.rerun),
                "description": "The work is done, whatever earlier results there are. Webhooks are not sent.",
                "parameters": [tenant, uuid],
                "responses": {"200": answer("It is queued.", again), **refused(told)},
            }
        },
    }


def _items(item: Part) -> Part:
    return content(members(["data"], data=array(item, minItems=1, maxItems=1)))
