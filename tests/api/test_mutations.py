"""Task objects with anything in them: each gets its one answer, and none costs the connection."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.client import Client
from tests.harness import Installation

DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
VALID: list[dict[str, Any]] = [
    {"taskType": "nothing"},
    {"taskType": "sleeps", "seconds": 0, "marker": ""},
    {"taskType": "sleeps", "settings": {"seconds": 0.01}, "deliveryMethod": "async"},
    {"taskType": "audioInference", "duration": 0, "numberResults": 2, "includeCost": True},
    {"taskType": "imageUpload", "image": DOT},
    {"taskType": "mediaStorage", "operation": "upload", "media": f"data:image/png;base64,{DOT}"},
    {"taskType": "mediaStorage", "operation": "delete", "media": "f47ac10b-58cc-4372-a567-0e02b2c3d479"},
    {"taskType": "getResponse"},
    {"taskType": "getTaskDetails"},
    {"taskType": "ping", "ping": True},
]
MEMBERS = sorted({name for task in VALID for name in task} | {"inputs", "strict", "webhookURL", "taskUUID", "uuid"})
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
TELLING = st.sampled_from([member for task in VALID for member in task.values()] + ["/etc/passwd", "async", "delete"])
NUMBERS = st.integers(-(2**70), 1) | st.integers(61, 2**70) | st.floats(-1, 0.2)
"""None of them is a time that would pass for long."""
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS | TELLING,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(MEMBERS) | TEXTS, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    """A valid task of which some members are others, elsewhere, or gone."""
    task = {"taskUUID": str(draw(st.uuids(version=4)))} | draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(MEMBERS) | TEXTS)
        match draw(st.sampled_from(["replace", "replace", "remove", "nest"])):
            case "replace":
                task[name] = draw(ANYTHING)
            case "remove":
                task.pop(name, None)
            case "nest":
                inner = {name: task.pop(name, None)} | draw(st.dictionaries(TEXTS, ANYTHING, max_size=2))
                task[draw(st.sampled_from(["settings", "inputs"]))] = inner
    return task


def names(task: dict[str, Any]) -> dict[str, str]:
    """What a client knows its task by."""
    return {name: task[name] for name in ("taskType", "taskUUID") if isinstance(task.get(name), str)}


def proper(frame: dict[str, Any], task: dict[str, Any]) -> None:
    """An answer that leads to this task and to no other."""
    assert frame.keys() in ({"data"}, {"errors"}), frame
    ((member, items),) = frame.items()
    assert items, frame
    known = names(task) | ({"taskType": items[0]["taskType"]} if task.get("taskType") == "getResponse" else {})
    for item in items:
        assert known.items() <= item.items()
        assert (member == "errors") == ("code" in item)
        assert member == "data" or item["message"]
        assert member == "data" or item["code"] != "internalServerError", item


async def answered(client: Client, message: str | bytes, task: dict[str, Any]) -> None:
    await client.send(message)
    proper(await client.next(), task)
    await client.ping()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
@given(task=objects())
async def test_objects(installation: Installation, task: dict[str, Any]) -> None:
    """Any object gets exactly one answer that leads to it, and the connection goes on."""
    if task.get("taskType") == "authentication":
        return
    async with installation.client() as client:
        fresh = (
            {"taskUUID": str(uuid4())} if isinstance(task.get("taskUUID"), str) and len(task["taskUUID"]) == 36 else {}
        )
        await answered(client, json.dumps([task | fresh]), task | fresh)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
@given(tasks=st.lists(objects(), min_size=2, max_size=6))
async def test_arrays(installation: Installation, tasks: list[dict[str, Any]]) -> None:
    """Of any array each object gets its own answer."""
    tasks = [task | {"taskUUID": str(uuid4())} for task in tasks if task.get("taskType") != "authentication"]
    async with installation.client() as client:
        await client.send(json.dumps([*tasks, {"taskType": "ping"}]))
        frames = {json.dumps(names(item)): frame for frame in [await client.next() for _ in range(len(tasks) + 1)]
                  for items in frame.values() for item in items}  # fmt: skip
        by_uuid = {json.loads(name).get("taskUUID"): frame for name, frame in frames.items()}
        assert by_uuid.keys() == {task["taskUUID"] for task in tasks} | {None}
        for task in tasks:
            proper(by_uuid[task["taskUUID"]], task)
        await client.ping()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
@given(data=st.data(), task=objects())
async def test_texts(installation: Installation, data: st.DataObject, task: dict[str, Any]) -> None:
    """A message with a character too many, too few or another gets an answer, and the connection goes on."""
    if task.get("taskType") == "authentication":
        return
    raw = bytearray(json.dumps([task | {"taskUUID": str(uuid4())}], ensure_ascii=False).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    async with installation.client() as client:
        await client.send(bytes(raw))
        assert (await client.next()).keys() in ({"data"}, {"errors"})
        await client.ping()
