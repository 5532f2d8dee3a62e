"""The messages of the README that are to be pasted, sent as they are."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from blake3 import blake3

from tests.client import Client, request
from tests.harness import KEY, Installation
from tests.messages import faults
from tests.readme.blocks import README, of

BLOCKS = [json.loads(block.text) for block in of("pasted")]
MESSAGES = [block for block in BLOCKS if isinstance(block, list)]
PICTURE = base64.b64decode(MESSAGES[1][0]["image"].partition(",")[2])


def fresh(message: Any, named: dict[str, str]) -> Any:
    """A message with a fresh UUID for each that stands in it, the same for the same, and a real key."""
    text = re.sub(
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        lambda found: named.setdefault(found[0], str(uuid4())),
        json.dumps(message),
    )
    return json.loads(text.replace('"apiKey": "\\u2026"', f'"apiKey": "{KEY}"'))


def simulates(message: Any) -> bool:
    """Whether a message is for a server in test mode only."""
    return any("simulate" in task for task in message)


async def paste(client: Client, message: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Send a message, with the binary frames that it announces; an answer for each of its objects."""
    assert not faults("tasks", message)
    await client.send(message)
    for task in message:
        if "binary" in task:
            assert (task["binary"]["frames"], task["binary"]["bytes"]) == (1, len(PICTURE))
            assert task["binary"]["hash"] == f"blake3:{blake3(PICTURE).hexdigest()}"
            await client.send(UUID(task["taskUUID"]).bytes + bytes(4) + PICTURE)
    found = list[dict[str, Any]]()
    while len(found) < len(message):
        frame = await client.next(60)
        if "events" not in frame:
            assert "data" in frame, frame
            found.append(frame["data"][0])
    return found


@asynccontextmanager
async def opened(installation: Installation) -> AsyncIterator[Client]:
    """A socket that has not authenticated."""
    client = await installation.client().open()
    try:
        yield client
    finally:
        await client.close()


def test_examples() -> None:
    """Every placeholder is a UUID v4, and what is shown as an answer is one."""
    assert len(MESSAGES) >= 10
    for block in BLOCKS:
        for text in re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", json.dumps(block)):
            assert UUID(text).version == 4
        if isinstance(block, dict):
            assert not faults("events", block)


async def test_pasted(installation: Installation) -> None:
    """Every message to paste, but for the one of the test mode, is answered without an error; the first of them gives
    four pictures."""
    named = dict[str, str]()
    async with opened(installation) as client:
        found = [await paste(client, fresh(message, named)) for message in MESSAGES if not simulates(message)]
    assert found[0][0]["features"] == ["binary", "events", "graph"]
    assert {item["taskType"] for item in found[1]} == {
        "imageUpload",
        "removeBackground",
        "upscale",
        "controlNetPreprocess",
    }
    states = [item["results"] for answers in found for item in answers if "results" in item]
    assert [[target["status"] for target in targets] for targets in states] == [["alreadyFinished", "notFound"]]
    assert [item["valid"] for answers in found for item in answers if "valid" in item] == [True]
    assert len([item for answers in found for item in answers if "receipt" in item]) == 1


async def test_put(installation: Installation) -> None:
    """The upload over HTTP works with its address and headers, and one that is cut goes on as the README says."""
    found = re.search(r"curl -T \S+ http://127.0.0.1:8000(\S+) -H 'authorization: Bearer …'", README)
    assert found
    url, key = installation.url + fresh(found[1], {}), {"authorization": f"Bearer {KEY}"}
    half, size = len(PICTURE) // 2, len(PICTURE)
    asked = await request("PUT", url, b"", content_range=f"bytes */{size}", **key)
    assert (asked.status, asked.headers.get("range")) == (308, None)
    cut = await request("PUT", url, PICTURE[:half], content_range=f"bytes 0-{half - 1}/{size}", **key)
    assert (cut.status, cut.headers["range"]) == (308, f"bytes=0-{half - 1}")
    rest = await request("PUT", url, PICTURE[half:], content_range=f"bytes {half}-{size - 1}/{size}", **key)
    assert (rest.status, rest.json["data"][0]["taskType"]) == (200, "imageUpload")


@pytest.mark.settings(TEST_MODE="1")
async def test_pasted_in_test_mode(own_installation: Installation) -> None:
    """The message of the test mode works on a server that is in it."""
    own_installation.start_all(workers=1, sweepers=0)
    named = dict[str, str]()
    async with opened(own_installation) as client:
        for message in (*MESSAGES[:2], *filter(simulates, MESSAGES)):
            await paste(client, fresh(message, named))
