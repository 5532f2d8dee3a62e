"""The messages of WebSocket /v1: what each is for, and which schema it has."""

from __future__ import annotations

from server.openapi.conversation import items, objects
from server.openapi.parts import Part, array, component

_TAKEN: dict[str, str] = {
    "authentication": "The key. The first object of the first message; tasks may follow it in the same array.",
    "ping": "Is anybody there? Answered before all else.",
    "getResponse": "How does a task stand, or what was its result? Held for a moment while there is no news.",
    "getTaskDetails": "What was sent as this task, and what was answered?",
    "accountManagement": "Whose key is this, and what has it had done?",
    "taskCancel": "End these tasks. Those that wait end at once, those that run as soon as they can.",
}
_GIVEN: dict[str, str] = {
    "authentication": "The key is good, and this is the session.",
    "ping": "Yes.",
    "getTaskDetails": "The request, and the answer to it.",
    "accountManagement": "The account.",
    "taskCancel": "What came of each target. A cancelled task itself ends with `taskCancelled`, in a frame of its own.",
}
_BINARY = "application/octet-stream"


def _message(name: str, summary: str, payload: Part, kind: str = "application/json") -> Part:
    return {"name": name, "summary": summary, "contentType": kind, "payload": payload}


def _one_or_more(name: str) -> Part:
    return {"anyOf": [array(component(name), minItems=1), component(name)]}


def _asked() -> dict[str, Part]:
    return {
        task_type: _message(task_type, _TAKEN[task_type], _one_or_more(name))
        for task_type, (name, _) in objects().items()
    }


def _answered() -> dict[str, Part]:
    kinds = {name[:1].lower() + name[1:].removesuffix("Item"): name for name in items()}
    return {
        f"{kind}Answer": _message(f"{kind}Answer", _GIVEN[kind], component(f"{name.removesuffix('Item')}Answer"))
        for kind, name in kinds.items()
    }


ASKED = _asked()
"""What a client says about the conversation."""
TAKEN: dict[str, Part] = ASKED | {
    "tasks": _message(
        "tasks",
        "An array of tasks of any kind. Each is taken or refused by itself; where one names another one's taskUUID in"
        " the place of an image, it gets that one's result.",
        component("TaskArray"),
    ),
    "binaryUpload": _message(
        "binaryUpload",
        "An upload whose picture comes in binary frames (feature `binary`).",
        _one_or_more("BinaryUpload"),
    ),
    "uploadFrame": _message(
        "uploadFrame",
        "A part of a picture that was announced.",
        component("BinaryFrame"),
        _BINARY,
    ),
}
"""What a client sends."""
ANSWERED = _answered()
GIVEN: dict[str, Part] = ANSWERED | {
    "authenticationRefused": _message(
        "authenticationRefused", "The key was not accepted; the socket closes with 4401.", component("TaskRefusal")
    ),
    "result": _message(
        "result",
        "Items of one task: that it was taken (`deliveryMethod` async), how it stands (getResponse), or its results.",
        component("ResultFrame"),
    ),
    "errors": _message("errors", "All that is wrong with one task. It will have no result.", component("ErrorsFrame")),
    "events": _message(
        "events", "What happens meanwhile, at most four times a second for a task.", component("EventsFrame")
    ),
    "resultFrame": _message(
        "resultFrame", "A part of a result that was asked for as `binary`.", component("BinaryFrame"), _BINARY
    ),
}
"""What a client gets."""
MESSAGES = TAKEN | GIVEN
