"""What cannot be carried out is refused by name, at once, and stops nothing else."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid1, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.client import Client, new_task
from tests.harness import Installation

V4 = "f47ac10b-58cc-4372-a567-0e02b2c3d479"


def named(frame: dict[str, Any]) -> dict[str, str]:
    """The parameters of an errors frame, with the code of each."""
    assert frame.keys() == {"errors"}
    assert all(error["message"] and {"taskUUID", "taskType"} <= error.keys() for error in frame["errors"])
    return {error["parameter"]: error["code"] for error in frame["errors"]}


async def test_all_at_once(client: Client) -> None:
    """All that is wrong with a task is told in one frame, each refusal under its parameter as the client wrote it."""
    task = new_task("audioInference", settings={"duration": "long"}, numberResults=21, deliveryMethod="pigeon")
    (frame,) = await client.ask(task | {"webhookURL": "file:///etc", "includeCost": 1, "strict": "yes"})
    assert named(frame) == {
        "settings.duration": "invalidDuration",
        "numberResults": "invalidNumberResults",
        "deliveryMethod": "invalidDeliveryMethod",
        "webhookURL": "invalidWebhookURL",
        "includeCost": "invalidIncludeCost",
        "strict": "invalidStrict",
    }
    by_name = {error["parameter"]: error for error in frame["errors"]}
    assert by_name["numberResults"]["max"] == 20
    assert by_name["deliveryMethod"]["allowedValues"] == ["sync", "async"]
    assert not any(error.keys() & {"status", "retryable"} for error in frame["errors"])


@pytest.mark.parametrize(
    ("members", "parameter", "code", "details"),
    [
        ({}, "seconds", "missingSeconds", {}),
        ({"seconds": None}, "seconds", "missingSeconds", {}),
        ({"seconds": "1"}, "seconds", "invalidSeconds", {"type": "number"}),
        ({"seconds": True}, "seconds", "invalidSeconds", {"type": "number"}),
        ({"seconds": [1]}, "seconds", "invalidSeconds", {"type": "number"}),
        ({"seconds": -0.1}, "seconds", "invalidSeconds", {"min": 0}),
        ({"seconds": 61}, "seconds", "invalidSeconds", {"max": 60}),
        ({"seconds": 10**300}, "seconds", "invalidSeconds", {"max": 60}),
        ({"seconds": 0, "marker": 1}, "marker", "invalidMarker", {"type": "string"}),
        ({"seconds": 0, "unheardOf": 1, "strict": True}, "unheardOf", "unknownParameter", {}),
        ({"seconds": 0, "deliveryMethod": "stream"}, "deliveryMethod", "invalidDeliveryMethod", {}),
    ],
)
async def test_parameters(
    client: Client, members: dict[str, Any], parameter: str, code: str, details: dict[str, Any]
) -> None:
    """A wrong parameter is told with its type or range."""
    (frame,) = await client.ask(new_task("sleeps", **members))
    (error,) = frame["errors"]
    assert (error["parameter"], error["code"]) == (parameter, code)
    assert {name: error.get(name) for name in details} == details


async def test_neighbours(client: Client) -> None:
    """A task that is refused stops none of its neighbours."""
    good = [new_task("nothing") for _ in range(3)]
    bad = [new_task("unheard of"), new_task("sleeps"), {"taskType": "nothing", "taskUUID": "?"}]
    objects = [good[0], bad[0], 7, good[1], [], bad[1], None, {}, bad[2], "task", good[2]]
    await client.send(objects)
    frames = [await client.next() for _ in objects]
    done = {frame["data"][0]["taskUUID"] for frame in frames if "data" in frame}
    assert done == {task["taskUUID"] for task in good}
    refused = [frame["errors"][0] for frame in frames if "errors" in frame]
    assert {error["taskUUID"] for error in refused if "taskUUID" in error} == {task["taskUUID"] for task in bad}
    assert [error["code"] for error in refused if "taskUUID" not in error] == ["invalidRequest"] * 5
    await client.ping()


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "null", "true", "7", '"ping"', "[]", "[[]]", "[7]", "[null]", "{}", "[{}]", "[{]", '{"taskType"',
        "ping", "\ufeff[]", "[1e400]", "[NaN]", "[Infinity]", '["\\ud800"]', "[{'taskType': 'ping'}]", "[" * 100_000,
        '[{"note": "ping"},]', "\0", b"\xff\xfe", b"\x89PNG\r\n\x1a\n", b"",
    ],
)  # fmt: skip
async def test_messages(client: Client, text: str | bytes) -> None:
    """A message that is no array of task objects gets one invalidRequest, and the socket stays."""
    await client.send(text)
    ((error,),) = (await client.next()).values()
    assert (error["code"], error.keys()) == ("invalidRequest", {"code", "message"})
    await client.ping()


@pytest.mark.parametrize(
    "member", ["NaN", "-Infinity", "1e400", "-1e400", '"\\ud800"', "01", "'x'", '"\t"', "{", "[" * 2000 + "]" * 2000]
)
async def test_broken_values(client: Client, member: str) -> None:
    """A message that is not JSON is refused under the taskUUIDs that can be made out in it."""
    first, second = new_task("nothing"), new_task("sleeps")
    broken = f"{json.dumps(second)[:-1]}, {json.dumps('seconds')}: {member}}}"
    await client.send(f"[{json.dumps(first)}, {broken}]")
    for task in (first, second):
        (error,) = (await client.next())["errors"]
        assert error["code"] == "invalidRequest"
        assert {name: error[name] for name in task} == task
    await client.ping()


@settings(max_examples=100, deadline=None, database=None)
@given(data=st.data())
async def test_nearly_json(installation: Installation, data: st.DataObject) -> None:
    """A message with some characters too many, too few or others is answered, and costs nobody the connection."""
    task = new_task("nothing", note="é", settings={"x": [1, None, "2"]}, includeCost=True)
    raw = bytearray(json.dumps([task, 7], ensure_ascii=False).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    async with installation.client() as client:
        await client.send(bytes(raw))
        assert (await client.next()).keys() in ({"data"}, {"errors"})
        await client.send([{"taskType": "ping"}])
        while await client.next() != {"data": [{"taskType": "ping", "pong": True}]}:
            pass


@pytest.mark.parametrize("depth", [10, 300, 1000])
async def test_depth(client: Client, depth: int) -> None:
    """A deeply nested member is taken or refused under the task's UUID, whichever member it is."""
    deep = "[" * depth + "]" * depth
    for member in ("note", "settings", "seconds", "taskType", "deliveryMethod"):
        task = new_task("nothing")
        others = {name: value for name, value in task.items() if name != member}
        await client.send(f'[{json.dumps(others)[:-1]}, "{member}": {deep}}}]')
        frame = await client.next()
        assert {item["taskUUID"] for items in frame.values() for item in items} == {task["taskUUID"]}
        codes = {error["code"] for error in frame.get("errors", ())}
        assert codes == {"invalidRequest"} if depth > 32 else "invalidRequest" not in codes, member
    await client.ping()


@pytest.mark.parametrize("uuid", ["", None, 7, ["x"], {"a": 1}])
async def test_without_uuid(client: Client, uuid: object) -> None:
    """A task without a taskUUID is refused; there is none to name it by."""
    await client.send([{"taskType": "nothing", "taskUUID": uuid}])
    (error,) = (await client.next())["errors"]
    assert error["parameter"] == "taskUUID"
    assert error["code"] == ("missingTaskUUID" if uuid in ("", None) else "invalidTaskUUID")


@pytest.mark.parametrize(
    "uuid",
    [
        str(uuid1()), V4.replace("-4372-", "-3372-"), V4.replace("-a567-", "-c567-"), V4.replace("-", ""), V4 + "0",
        V4[:-1], f"{{{V4}}}", f"urn:uuid:{V4}", f" {V4}", f"{V4}\n", V4.replace("f", "g"), "1", "ꜰ" + V4[1:],
        "x" * 9000, "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
        V4.replace("4", "٤"),
    ],
)  # fmt: skip
async def test_not_a_uuid(client: Client, uuid: str) -> None:
    """A taskUUID that is no UUID v4 is refused under the string that was sent."""
    ((error,),) = [frame["errors"] for frame in await client.ask({"taskType": "nothing", "taskUUID": uuid})]
    assert (error["code"], error["parameter"], error["taskUUID"]) == ("invalidTaskUUID", "taskUUID", uuid)


@pytest.mark.parametrize(
    "kind", ["unheardOf", "", "Nothing", "nothing ", "__proto__", "videoInference", "modelUpload", "x" * 5000]
)
async def test_unknown_type(client: Client, kind: str) -> None:
    """A taskType that is not installed is refused by name."""
    (frame,) = await client.ask(new_task("nothing", taskType=kind))
    assert named(frame) == {"taskType": "unsupportedTaskType"}
    assert frame["errors"][0]["taskType"] == kind
    assert len(frame["errors"][0]["message"]) < 1000


@pytest.mark.parametrize("kind", [None, 7, ["nothing"], {"nothing": 1}, True])
async def test_no_type(client: Client, kind: object) -> None:
    """A task whose type is no string is refused under its UUID."""
    (frame,) = await client.ask(new_task("nothing", taskType=kind))
    assert [(error["code"], error["parameter"]) for error in frame["errors"]] == [("unsupportedTaskType", "taskType")]


async def test_odd_names(client: Client) -> None:
    """Members of any name are passed over, and of members that stand twice the last one counts."""
    uuid = str(uuid4())
    odd = '"__proto__": {"taskType": "exits"}, "constructor": 1, "": 2, "__class__": "x", "model_config": {}'
    await client.send(f'[{{"taskType": "unheardOf", "taskUUID": "{V4}", "taskUUID": "{uuid}", {odd}, '
                      f'"taskType": "nothing"}}]')  # fmt: skip
    assert await client.next() == {"data": [{"taskType": "nothing", "taskUUID": uuid, "text": "done"}]}


async def test_envelope_stands_outside(client: Client) -> None:
    """What every task has is read at the top of its object, nowhere else."""
    uuid = str(uuid4())
    await client.send([{"taskType": "nothing", "settings": {"taskUUID": uuid}}, {"inputs": {"taskType": "nothing"}}])
    for _ in range(2):
        assert "missingTaskUUID" in [error["code"] for error in (await client.next())["errors"]]
    settings = {"deliveryMethod": "async", "webhookURL": "http://example.com", "strict": True, "taskType": "exits"}
    assert (await client.run("nothing", settings=settings))["text"] == "done"
