"""POST /v1 in the document: the task types of the catalogue, what each gives, and every code of failure."""

from __future__ import annotations

from typing import Any

from server.catalog import Catalog
from server.envelope import Envelope
from server.errors import CODES
from server.openapi import parts
from server.openapi.parts import (
    Part,
    answer,
    array,
    body,
    by_status,
    component,
    content,
    members,
    parameter,
    refused,
    schemas_of,
    text,
)
from server.schema import OutputParams
from server.task import Task

TAG = {"name": "task array", "description": "POST /v1: many tasks of any kind in one request."}
WEBHOOKS: Part = {
    "task": {
        "post": {
            "summary": "A result of a task, or its failure, to its webhookURL, signed after Standard Webhooks.",
            "requestBody": body(content(component("TaskAnswer"))),
            "responses": {"2XX": answer("Taken. Any other answer has the message sent again later.")},
        }
    }
}
_STATUS = text("How the task stands.", enum=["processing", "success", "error"])
_SHOWN: dict[str, Any] = {
    "taskType": text("As it was sent."),
    "taskUUID": text("As it was sent."),
    "status": _STATUS,
    "progress": {"type": "integer", "minimum": 0, "maximum": 100},
    "stage": text("What the task is doing."),
    "cost": {"type": "number"},
    "queuePosition": {
        "type": "integer",
        "minimum": 0,
        "description": "Tasks that start before this one, while it waits for its turn.",
    },
    "resultIndex": {"type": "integer", "minimum": 0, "description": "Which of several results this is."},
}
_ASKED = {"taskUUID": text("The task that is asked about.", format="uuid")}
_CONVERSATION: dict[str, Part] = {
    "authentication": members(["apiKey"], apiKey=text("The key, where no header has it. The first object.")),
    "ping": members(taskUUID=_ASKED["taskUUID"], ping={"type": "boolean"}),
    "getResponse": members(["taskUUID"], **_ASKED),
    "getTaskDetails": members(["taskUUID"], **_ASKED),
    "accountManagement": members(operation=text("The details of the account.", enum=["getDetails"])),
}
"""Objects that are no tasks of the catalogue; the gateway answers them itself."""


def schemas(catalog: Catalog) -> dict[str, Part]:
    """The schemas of this face."""
    found = schemas_of(Envelope, "TaskEnvelope", "Task", "validation") | {
        "TaskState": members(["taskType"], **_SHOWN)
        | {"description": "What every item has, and all that there is of a task that has only been taken."},
    }
    named, items = dict[str, str](), list[Part]()
    for task in tasks(catalog):
        head = pascal(task.task_type)
        own = _params(task, head) | schemas_of(task.result, f"{head}Result", head, "serialization")
        found |= own | {f"{head}Task": _task(task, head), f"{head}Item": _item(task, head)}
        named |= dict.fromkeys((task.task_type, *task.aliases), f"{head}Task")
        items.append(component(f"{head}Item"))
    for name, schema in _CONVERSATION.items():
        found[f"{pascal(name)}Object"] = _named(schema, [name])
        named[name] = f"{pascal(name)}Object"
    found["TaskObject"] = {
        "oneOf": [component(name) for name in dict.fromkeys(named.values())],
        "discriminator": {
            "propertyName": "taskType",
            "mapping": {name: component(target)["$ref"] for name, target in named.items()},
        },
    }
    items.append(component("TaskState"))
    return found | _answers({"anyOf": items})


def paths(catalog: Catalog) -> dict[str, Part]:
    """The addresses of this face."""
    sent = {"anyOf": [array(component("TaskObject"), minItems=1), component("TaskObject")]}
    single = parameter(
        "query", "data", text(enum=["object"]), "`object`: where there is one item, `data` is this item."
    )
    operation = {
        "operationId": "runTasks",
        "summary": "Do tasks, and answer when all are done.",
        "description": "Parameters may also stand in the members `settings` and `inputs` of a task, and null is as if"
        " absent. What is wrong with one task concerns no other: as long as one item is there, the status is 200.",
        # The key may also stand in the first object.
        "security": [{"bearer": []}, {}],
        "parameters": [single],
        "requestBody": body(content(sent)),
        "responses": {
            "200": answer("At least one task was done or taken.", content(component("TaskAnswer"))),
            **refused(refusals()),
        },
    }
    return {"/v1": {"post": operation}}


def refusals() -> dict[str, Part]:
    """The answers of this face to what fails."""
    codes = by_status((failure.status, code.replace("*", "‹Parameter›")) for code, failure in CODES.items())
    return parts.refusals(codes, "Task", component("TaskRefusal"))


def tasks(catalog: Catalog) -> list[Task[Any, Any]]:
    """Every task once, whatever other names it has."""
    return list({task.task_type: task for task in catalog.by_name.values()}.values())


def pascal(name: str) -> str:
    """A task type as the beginning of a schema's name."""
    return "".join(letter for letter in name[:1].upper() + name[1:] if letter.isascii() and letter.isalnum())


def _task(task: Task[Any, Any], head: str) -> Part:
    both = {"allOf": [component("TaskEnvelope"), component(f"{head}Params")], "description": task.summary}
    return _named(both, [task.task_type, *task.aliases])


def _params(task: Task[Any, Any], head: str) -> dict[str, Part]:
    found = schemas_of(task.params, f"{head}Params", head, "validation")
    if issubclass(task.params, OutputParams):
        properties = found[f"{head}Params"]["properties"]
        several = properties["outputType"]
        properties["outputType"] = {"anyOf": [several["items"], several]}  # one needs no list around it
    return found


def _item(task: Task[Any, Any], head: str) -> Part:
    return _named({"allOf": [component("TaskState"), component(f"{head}Result")]}, [task.task_type, *task.aliases])


def _named(schema: Part, names: list[str]) -> Part:
    """A schema of objects with one of these task types."""
    properties = schema.get("properties", {}) | {"taskType": text(enum=names)}
    return (
        {"type": "object"} | schema | {"properties": properties, "required": ["taskType", *schema.get("required", [])]}
    )


def _answers(item: Part) -> dict[str, Part]:
    plain = [code for code in sorted(CODES) if "*" not in code]
    patterns = [{"pattern": f"^{code.removesuffix('*')}[A-Z_]"} for code in sorted(CODES) if "*" in code]
    failure = members(
        ["code", "message"],
        code={"type": "string", "anyOf": [{"enum": plain}, *patterns]},
        message=text("What is wrong, and what to do."),
        parameter=text("What it is wrong with, as the client wrote it."),
        taskType=_SHOWN["taskType"],
        taskUUID=_SHOWN["taskUUID"],
    )
    failed = array(component("TaskFailure"), minItems=1)
    return {
        "TaskFailure": failure,
        "TaskItem": item,
        "TaskAnswer": members(data={"anyOf": [array(component("TaskItem")), component("TaskItem")]}, errors=failed),
        "TaskRefusal": members(["error"], errors=failed, error=component("TaskFailure"))
        | {"description": "Nothing was done. `error` is the first of `errors`."},
    }
