"""What is said about the conversation itself, as schemas: the objects that are no tasks of the catalogue, and the
items that answer them."""

from __future__ import annotations

from server.api.answers import CONVERSATION, MOST_TARGETS
from server.api.entrance import FEATURES
from server.openapi.parts import Part, array, component, members, text

UUID = text("As it was sent.", format="uuid")
_ASKED = text("The task that is asked about.", format="uuid")
_SESSION = text("A session that is to go on, with what its last socket missed.", format="uuid")
_FEATURES = array(
    text(enum=sorted(FEATURES)),
    description="What this socket understands beyond the plain protocol: `events` are side frames, `binary` binary"
    " frames, `graph` says no more than that task graphs are known here. The answer tells which it has.",
)
_OBJECTS: dict[str, Part] = {
    "authentication": members(
        ["apiKey"],
        apiKey=text("The key, where no header has it. The first object."),
        connectionSessionUUID=_SESSION,
        features=_FEATURES,
    ),
    "ping": members(taskUUID=UUID, ping={"type": "boolean"}),
    "getResponse": members(["taskUUID"], taskUUID=_ASKED),
    "getTaskDetails": members(["taskUUID"], taskUUID=_ASKED),
    "accountManagement": members(operation=text("The details of the account.", enum=["getDetails"])),
    "taskCancel": members(
        ["taskUUID"],
        taskUUID=UUID,
        targets=array(
            text(format="uuid"), minItems=1, maxItems=MOST_TARGETS, description="The tasks of this key that are to end."
        ),
        batchUUID=text("In place of targets or beside them: all tasks of this batch.", format="uuid"),
    ),
}
_NAMED = array(members(["name"], name=text()))
_CANCELLED = members(
    ["taskUUID", "status"],
    taskUUID=text("One of the targets."),
    status=text("What came of it.", enum=["cancelled", "alreadyFinished", "notFound"]),
)
_ITEMS: dict[str, Part] = {
    "authentication": members(
        ["connectionSessionUUID"],
        connectionSessionUUID=text("The session, to resume it on another socket.", format="uuid"),
        features=_FEATURES,
        resultTTL={"type": "integer", "description": "Seconds for which an answer can be asked for again."},
    ),
    "ping": members(["pong"], pong={"const": True}, taskUUID=UUID),
    "getTaskDetails": members(
        ["request", "response"],
        taskUUID=UUID,
        request=array({"type": "object"}, minItems=1, description="The task as it was sent, pixels cut short."),
        response=component("TaskAnswer"),
    ),
    "accountManagement": members(
        ["operation", "organizationUUID", "organizationName", "usage", "webhookSecret"],
        operation=text(),
        organizationUUID=text(format="uuid"),
        organizationName=text("The name of the key."),
        balance={"type": "number"},
        usage={"type": "object"},
        webhookSecret=text("What call backs are signed with."),
        team=_NAMED,
        apiKeys=_NAMED,
    ),
    "taskCancel": members(["taskUUID", "results"], taskUUID=UUID, results=array(_CANCELLED, minItems=1)),
}
"""getResponse has no item of its own: it gives those of the task that it asks about."""


def objects() -> dict[str, tuple[str, Part]]:
    """By task type, the name and the schema of the object that a client sends."""
    return {name: (f"{_head(name)}Object", named(_OBJECTS[name], [name])) for name in CONVERSATION}


def items() -> dict[str, Part]:
    """The schemas of the answers' items, by their names."""
    return {f"{_head(name)}Item": named(_ITEMS[name], [name]) for name in CONVERSATION if name in _ITEMS}


def named(schema: Part, names: list[str]) -> Part:
    """A schema of objects with one of these task types."""
    properties = schema.get("properties", {}) | {"taskType": text(enum=names)}
    return (
        {"type": "object"} | schema | {"properties": properties, "required": ["taskType", *schema.get("required", [])]}
    )


def _head(name: str) -> str:
    return name[:1].upper() + name[1:]
