"""What a server sends as whole frames: the schemas that only the socket has."""

from __future__ import annotations

from server.api.binary import Announced
from server.openapi.conversation import items, named
from server.openapi.parts import Part, array, component, members, schemas_of, text

_UUID = text("The task.", format="uuid")
_STATES = ["waiting", "queued", "running", "finished"]
_EVENTS: dict[str, Part] = {
    "TaskEvent": members(
        ["type", "taskUUID", "state"],
        type={"const": "task"},
        taskUUID=_UUID,
        state=text("waiting: for tasks that it builds on; queued: for its turn.", enum=_STATES),
        result=text("Of a task that has no answer (`returnOutput` false), when it is finished.", enum=["succeeded"]),
        progress={"type": "integer", "minimum": 0, "maximum": 100},
        stage=text("What it is doing."),
        queuePosition={"type": "integer", "minimum": 0, "description": "Tasks that start before it."},
    ),
    "SessionEvent": members(
        ["type", "state", "recovered", "from"],
        type={"const": "session"},
        state=text("What the socket has: the session that it named, or a new one.", enum=["resumed", "new"]),
        recovered={"type": "boolean", "description": "false: what was not delivered can only be asked for."},
        **{"from": {"type": "integer", "minimum": 0, "description": "After how many answers the session goes on."}},
    ),
    "UploadEvent": members(
        ["type", "taskUUID", "frames"],
        type={"const": "upload.missing"},
        taskUUID=_UUID,
        frames=array({"type": "integer", "minimum": 0}, description="Frames that have not come. Send them again."),
    ),
}


def frames() -> dict[str, Part]:
    """The schemas of frames, each with one task's answer; and of what happens meanwhile."""
    answers = {name.removesuffix("Item") + "Answer": _data(component(name)) for name in items()}
    events = array({"oneOf": [component(name) for name in _EVENTS]}, minItems=1)
    failures = members(["errors"], errors=array(component("TaskFailure"), minItems=1))
    announced = named(members(["taskUUID", "binary"], binary=component("BinaryFile")), ["imageUpload"])
    return (
        answers
        | _EVENTS
        | schemas_of(Announced, "BinaryFile", "Binary", "validation")
        | {"BinaryUpload": {"allOf": [component("TaskEnvelope"), announced]}}
        | {
            "ResultFrame": _data(component("TaskItem")) | _without("errors"),
            "ErrorsFrame": failures | _without("data"),
            "EventsFrame": members(["events"], events=events) | {"additionalProperties": False},
            "BinaryFrame": text(
                "16 bytes: the taskUUID. 4 bytes: the index of the frame, counted from 0, big-endian. The rest: the"
                " next bytes of the picture, at most 1 MiB.",
                format="binary",
            ),
        }
    )


def _data(item: Part) -> Part:
    """A frame with items of this kind; with `?data=object`, the one item itself."""
    return members(["data"], data={"anyOf": [array(item, minItems=1), item]})


def _without(name: str) -> Part:
    return {"not": {"required": [name]}}
