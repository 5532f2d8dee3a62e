"""POST /v1 in the document: the task types of the catalogue, what each gives, and every code of failure."""

from __future__ import annotations

from typing import Any

from server.catalog import Catalog
from server.envelope import Envelope
from server.errors import CODES
from server.openapi import conversation, parts, requests
from server.openapi.conversation import named
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
from server.receipts import Receipt
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
_SHOWN: dict[str, Any] = {
    "taskType": text("As it was sent."),
    "taskUUID": text("As it was sent."),
    "status": text("How the task stands.", enum=["processing", "success", "error"]),
    "progress": {"type": "integer", "minimum": 0, "maximum": 100, "description": "Of a running task, as far as it is."},
    "stage": text("What a running task is doing."),
    "queuePosition": {
        "type": "integer",
        "minimum": 0,
        "description": "Tasks that start before this one, while it waits for its turn.",
    },
    "cost": {"type": "number", "description": "0; with `includeCost`."},
    "cached": {"type": "boolean", "description": "true: an earlier answer to the same work."},
    "receipt": component("TaskReceipt"),
    "binary": members(
        ["first", "frames", "bytes", "hash", "member"],
        first={"type": "integer", "minimum": 0, "description": "The index of the first of them."},
        frames={"type": "integer", "minimum": 1},
        bytes={"type": "integer", "minimum": 1},
        hash=text("`blake3:` and the hash of the file."),
        member=text("What it would stand under as base64, like `image`."),
    )
    | {"description": "The image follows in binary frames, on a socket with that feature (`outputType` binary)."},
    "warnings": array(text(), description="What is not as it was asked for, and why."),
    "valid": {"const": True, "description": "With `validateOnly`: the task would be taken."},
    "estimatedSeconds": {"type": "number", "minimum": 0, "description": "With `validateOnly`: how long it would take."},
}


def schemas(catalog: Catalog) -> dict[str, Part]:
    """The schemas of this face."""
    found = schemas_of(Envelope, "TaskEnvelope", "Task", "validation")
    found |= schemas_of(Receipt, "TaskReceipt", "Receipt", "serialization")
    found |= {
        "TaskState": members(["taskType"], **_SHOWN)
        | {"description": "What every item has, and all that there is of a task that has only been taken."},
    }
    names, items = dict[str, str](), list[Part]()
    for task in tasks(catalog):
        head = pascal(task.task_type)
        own = _params(task, head) | schemas_of(task.result, f"{head}Result", head, "serialization")
        found |= own | {f"{head}Task": _task(task, head), f"{head}Item": _item(task, head)}
        names |= dict.fromkeys((task.task_type, *task.aliases), f"{head}Task")
        items.append(component(f"{head}Item"))
    for task_type, (name, schema) in conversation.objects().items():
        found[name] = schema
        names[task_type] = name
    found["TaskObject"] = {
        "oneOf": [component(name) for name in dict.fromkeys(names.values())],
        "discriminator": {
            "propertyName": "taskType",
            "mapping": {name: component(target)["$ref"] for name, target in names.items()},
        },
    }
    found["TaskArray"] = {"anyOf": [array(component("TaskObject"), minItems=1), component("TaskObject")]}
    items += [component(name) for name in conversation.items()]
    items.append(component("TaskState"))
    return found | conversation.items() | _answers({"anyOf": items})


def paths(catalog: Catalog) -> dict[str, Part]:
    """The addresses of this face."""
    single = parameter(
        "query", "data", text(enum=["object"]), "`object`: where there is one item, `data` is this item."
    )
    dry = parameter("query", "dryRun", text(enum=["1", "true"]), "All tasks are as if they had `validateOnly`.")
    operation = {
        "operationId": "runTasks",
        "summary": "Do tasks, and answer when all are done.",
        "description": "Parameters may also stand in the members `settings` and `inputs` of a task, and null is as if"
        " absent. What is wrong with one task concerns no other: as long as one item is there, the status is 200.",
        # The key may also stand in the first object.
        "security": [{"bearer": []}, {}],
        "parameters": [single, dry],
        "requestBody": body(content(component("TaskArray"))),
        "responses": {
            "200": answer("At least one task was done or taken.", content(component("TaskAnswer"))),
            **refused(refusals()),
        },
    }
    return {"/v1": {"post": operation}} | requests.paths(refusals())


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
    return named(both, [task.task_type, *task.aliases])


def _params(task: Task[Any, Any], head: str) -> dict[str, Part]:
    found = schemas_of(task.params, f"{head}Params", head, "validation")
    if issubclass(task.params, OutputParams):
        properties = found[f"{head}Params"]["properties"]
        several = properties["outputType"]
        properties["outputType"] = {"anyOf": [several["items"], several]}  # one needs no list around it
    return found


def _item(task: Task[Any, Any], head: str) -> Part:
    return named({"allOf": [component("TaskState"), component(f"{head}Result")]}, [task.task_type, *task.aliases])


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
        status=text("In an answer to getResponse.", enum=["error"]),
        cause=members(["taskUUID", "code"], taskUUID=text(), code=text())
        | {"description": "With `dependencyFailed`: the task that failed first, and its code."},
        retryAfter={"type": "number", "minimum": 0, "description": "Seconds after which to try again."},
    )
    failed = array(component("TaskFailure"), minItems=1)
    return {
        "TaskFailure": failure,
        "TaskItem": item,
        "TaskAnswer": members(data={"anyOf": [array(component("TaskItem")), component("TaskItem")]}, errors=failed),
        "TaskRefusal": members(["error"], errors=failed, error=component("TaskFailure"))
        | {"description": "Nothing was done. `error` is the first of `errors`."},
    }
