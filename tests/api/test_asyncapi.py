"""The AsyncAPI document: valid, as the code has it, and true of real conversations."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from jsonschema import Draft7Validator
from PIL import Image

import server.api
from server.api.answers import CONVERSATION
from server.api.entrance import FEATURES
from server.asyncapi import document
from server.asyncapi.channel import CLOSES
from server.catalog import Catalog
from server.openapi import document as openapi
from tests.client import Client, new_task, request
from tests.clients.install import ASYNCAPI, installed
from tests.harness import KEY, Installation
from tests.messages import DOCUMENT, faults
from tests.pictures.files import encoded

CATALOG = Catalog.discover()
TEXT = base64.b64encode(encoded(Image.new("RGB", (8, 8), "red"), "PNG")).decode()


async def hear(client: Client, message: str, *others: str) -> dict[str, Any]:
    """The next frame that is no event, which must be this message and none of the others."""
    while "events" in (frame := await client.next()):
        assert not faults("events", frame)
    assert not faults(message, frame), frame
    assert all(faults(other, frame) for other in ("events", *others)), frame
    return frame


async def say(client: Client, message: str, sent: Any) -> None:
    """Send what is this message by the document."""
    assert not faults(message, sent)
    await client.send(sent)


@pytest.mark.clients
def test_valid() -> None:
    """The document is valid by the official schema of AsyncAPI 3.0, with a public address or without."""
    folder = installed(ASYNCAPI) / "node_modules" / "@asyncapi" / "specs" / "schemas"
    schema = Draft7Validator(json.loads((folder / "3.0.0.json").read_text()))
    assert not list(schema.iter_errors(DOCUMENT))
    assert not list(schema.iter_errors(DOCUMENT | {"servers": document(CATALOG, "https://example.com/a")["servers"]}))
    wrong = DOCUMENT["operations"] | {"ping": DOCUMENT["operations"]["ping"] | {"action": "shout"}}
    assert not schema.is_valid(DOCUMENT | {"operations": wrong})


async def test_served(installation: Installation) -> None:
    """Every server has the document of its own tasks."""
    answer = await request("GET", f"{installation.url}/asyncapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json == document(Catalog.discover(("tests.misbehaving",)))


def test_address() -> None:
    """A server that knows its public address tells it."""
    server = document(CATALOG, "https://example.com/images")["servers"]["this"]
    assert (server["protocol"], server["host"], server["pathname"]) == ("wss", "example.com", "/images")


def test_complete() -> None:
    """Every reference leads somewhere; each task of the conversation and each feature is told, and the codes with
    which the server closes a socket."""
    text = json.dumps(DOCUMENT)
    for place in set(re.findall(r'"\$ref": "#/([^"]+)"', text)):
        found: Any = DOCUMENT
        for word in place.split("/"):
            found = found[word]
    assert set(CONVERSATION) <= set(DOCUMENT["operations"])
    channel = DOCUMENT["channels"]["v1"]
    assert all(word in channel["bindings"]["ws"]["query"]["properties"]["features"]["description"] for word in FEATURES)
    sources = "".join(path.read_text() for path in Path(server.api.__path__[0]).glob("*.py"))
    used = {int(code) for code in re.findall(r"(?:close\(|fail\(|refusal, |apiKey\"\), )(\d{4})\b", sources)}
    assert used == set(CLOSES)
    assert all(f"| {code} | " in channel["description"] for code in CLOSES)


def test_same_schemas() -> None:
    """A task is the same in both documents, but for a discriminator."""
    mine, theirs = DOCUMENT["components"]["schemas"], openapi(CATALOG)["components"]["schemas"]
    for name in ("TaskEnvelope", "RemoveBackgroundTask", "RemoveBackgroundItem", "TaskFailure", "TaskItem"):
        assert mine[name] == theirs[name]
    assert mine["TaskObject"] == theirs["TaskObject"] | {"discriminator": "taskType"}


async def test_conversation(arrive: Any) -> None:
    """The frames of a real conversation are as the document says."""
    client: Client = await arrive()
    await say(client, "authentication", [{"taskType": "authentication", "apiKey": KEY, "features": ["events"]}])
    await hear(client, "authenticationAnswer", "pingAnswer", "errors")
    await say(client, "ping", {"taskType": "ping"})
    await hear(client, "pingAnswer", "authenticationAnswer", "errors")
    task = new_task("imageUpload", image=TEXT)
    await say(client, "tasks", [task])
    await hear(client, "result", "pingAnswer", "errors")
    await say(client, "getResponse", [{"taskType": "getResponse", "taskUUID": task["taskUUID"]}])
    assert (await hear(client, "result", "errors"))["data"][0]["status"] == "success"
    await say(client, "getResponse", [{"taskType": "getResponse", "taskUUID": str(uuid4())}])
    await hear(client, "errors", "result", "getTaskDetailsAnswer")
    await say(client, "getTaskDetails", [{"taskType": "getTaskDetails", "taskUUID": task["taskUUID"]}])
    await hear(client, "getTaskDetailsAnswer", "errors", "accountManagementAnswer")
    await say(client, "accountManagement", [new_task("accountManagement", operation="getDetails")])
    await hear(client, "accountManagementAnswer", "errors", "getTaskDetailsAnswer")
    await say(client, "tasks", [task | {"image": TEXT[::-1]}])
    await hear(client, "errors", "result", "authenticationRefused")


async def test_cancelled(arrive: Any) -> None:
    """The events of a task that runs and is cancelled, the answer to the one who cancels, and the task's end are as
    the document says."""
    client: Client = await arrive()
    await client.send([{"taskType": "authentication", "apiKey": KEY, "features": ["events"]}])
    await client.next()
    task = new_task("audioInference", duration=30)
    await client.send([task])
    event = (await client.next())["events"][0]
    assert (event["type"], event["taskUUID"]) == ("task", task["taskUUID"])
    assert not faults("events", {"events": [event]})
    assert faults("events", {"events": [event | {"state": "lost"}]})
    await say(client, "taskCancel", [new_task("taskCancel", targets=[task["taskUUID"]])])
    heard = [await _heard(client), await _heard(client)]
    cancelled, ended = sorted(heard, key=lambda frame: "errors" in frame)
    assert not faults("taskCancelAnswer", cancelled)
    assert not faults("errors", ended)


async def _heard(client: Client) -> dict[str, Any]:
    while "events" in (frame := await client.next()):
        assert not faults("events", frame)
    return frame


async def test_returned(installation: Installation, arrive: Any) -> None:
    """A socket that names an earlier session is told whether it goes on, as the document says."""
    async with installation.client() as earlier:
        for session, recovered in ((earlier.session, True), (str(uuid4()), False)):
            client: Client = await arrive()
            asked = {"taskType": "authentication", "apiKey": KEY, "features": ["events"]}
            await say(client, "authentication", [asked | {"connectionSessionUUID": session}])
            assert not faults("authenticationAnswer", await client.next())
            told = await client.next()
            assert not faults("events", told)
            assert told["events"][0]["recovered"] is recovered


async def test_binary(arrive: Any) -> None:
    """Pictures in binary frames, in and out, are as the document says: announced in text, each frame with the task, its
    index and a part."""
    client: Client = await arrive()
    await say(client, "authentication", [{"taskType": "authentication", "apiKey": KEY, "features": ["binary"]}])
    await client.next()
    picture = base64.b64decode(TEXT)
    upload = new_task("imageUpload", binary={"frames": 1, "bytes": len(picture)})
    await say(client, "binaryUpload", [upload])
    assert faults("binaryUpload", upload | {"binary": {"frames": 1}})
    await client.send(UUID(upload["taskUUID"]).bytes + bytes(4) + picture)
    await hear(client, "result", "errors")
    task = new_task("upscale", inputImage=upload["taskUUID"], outputType="binary", outputFormat="PNG")
    await say(client, "tasks", [task])
    about = (await hear(client, "result", "errors"))["data"][0]["binary"]
    frame = await client.socket.recv()
    assert isinstance(frame, bytes)
    assert (frame[:16], frame[16:20], about["frames"]) == (UUID(task["taskUUID"]).bytes, bytes(4), 1)
    assert (frame[20:24], len(frame) - 20) == (b"\x89PNG", about["bytes"])


async def test_refused(arrive: Any) -> None:
    """A refused key is told as the document says, and the socket closes with the code that it tells."""
    client: Client = await arrive()
    await say(client, "authentication", [{"taskType": "authentication", "apiKey": "wrong"}])
    await hear(client, "authenticationRefused", "authenticationAnswer")
    code, _ = await client.closed()
    assert code == 4401
