"""The addresses behind the live board in the document, for keys with the scope `dash`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
    feed = answer("For as long as it is read.", content(text(), "text/event-stream"))
    done = {"description": "The work is done, whatever earlier results there are. Webhooks are not sent."}
    return {
        "/board/feed": {"get": _operation("getBoardFeed", Face.feed, feed, refused(told, 401, 403, 429, 503))},
        "/board/tasks/{taskUUID}": {
            "get": {"parameters": [uuid]}
            | _operation(
                "findTask",
                Face.search,
                answer("Nothing of what they were asked or answered.", content(found)),
                refused(told, 400, 401, 403, 404, 503),
            )
        },
        f"{task}/cancel": {
            "post": {"parameters": [tenant, uuid]}
            | _operation(
                "cancelAnyTask", Face.cancel, answer("It has ended.", cancelled), refused(told, 401, 403, 404, 503)
            )
        },
        f"{task}/rerun": {
            "post": {"parameters": [tenant, uuid]}
            | done
            | _operation("rerunTask", Face.rerun, answer("It is queued.", again), refused(told))
        },
    }


def _operation(name: str, does: Callable[..., Any], found: Part, refusals: dict[str, Part]) -> Part:
    return {"operationId": name, "summary": summary(does), "responses": {"200": found, **refusals}}


def _items(item: Part) -> Part:
    return content(members(["data"], data=array(item, minItems=1, maxItems=1)))
