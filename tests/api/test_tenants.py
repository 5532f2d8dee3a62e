"""What one key sees of another's: nothing. A foreign id is answered exactly as one that never was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest

from tests.client import Client, new_task, request
from tests.harness import OTHER_KEY, Installation
from tests.pictures.drawing import corners
from tests.pictures.files import encoded
from tests.tasks.context import data_uri

PICTURE = data_uri(encoded(corners(), "PNG"))


@pytest.fixture
async def image(client: Client) -> dict[str, Any]:
    """The first key's image."""
    return await client.run("imageUpload", image=PICTURE)


def tenant(item: dict[str, Any]) -> str:
    """The word that stands for a key in the URLs of its images."""
    return urlsplit(item["imageURL"]).path.split("/")[2]


def nameless(answer: object, *ids: str) -> str:
    """An answer without the ids that it was asked about, so that two can be compared."""
    text = json.dumps(answer)
    for uuid in ids:
        text = text.replace(uuid, "?")
    return text


async def taken(client: Client, task: dict[str, Any]) -> None:
    """Send a task, and wait until it was accepted."""
    await client.send([task])
    async with asyncio.timeout(20):
        asked = new_task("getTaskDetails", taskUUID=task["taskUUID"])
        while True:
            await client.send([asked])
            frame = await client.next()
            items = frame.get("data") or frame["errors"]
            if items[0]["taskType"] != "getTaskDetails":
                client.frames.append(frame)  # done already
            elif "data" in frame:
                return


# Every member that takes an id, as the task that sends it.
MEMBERS: dict[str, Callable[[str], dict[str, Any]]] = {
    "imageUpload.image": lambda uuid: new_task("imageUpload", image=uuid),
    "mediaStorage.media, upload": lambda uuid: new_task("mediaStorage", operation="upload", media=uuid),
    "mediaStorage.media, delete": lambda uuid: new_task("mediaStorage", operation="delete", media=uuid),
    "image of any task": lambda uuid: new_task("regrets", image=uuid, how="refuse"),
    "getResponse.taskUUID": lambda uuid: new_task("getResponse", taskUUID=uuid),
    "getTaskDetails.taskUUID": lambda uuid: new_task("getTaskDetails", taskUUID=uuid),
}


@pytest.mark.parametrize("face", ["socket", "HTTP"])
@pytest.mark.parametrize("member", MEMBERS)
async def test_members(
    installation: Installation, client: Client, other: Client, image: dict[str, Any], member: str, face: str
) -> None:
    """A foreign id in any member is answered in the very words in which an unknown one is, and changes nothing."""
    foreign, unknown = image["taskUUID" if "taskUUID" in member else "imageUUID"], str(uuid4())
    answers = list[str]()
    for uuid in (foreign, foreign.upper(), unknown):
        task = MEMBERS[member](uuid)
        if face == "socket":
            answer: object = (await other.ask(task))[0]
        else:
            told = await request("POST", f"{installation.url}/v1", [task], authorization=f"Bearer {OTHER_KEY}")
            assert told.status == 404
            answer = told.json
        answers.append(nameless(answer, uuid, uuid.lower(), task["taskUUID"]))
    assert answers[0] == answers[1] == answers[2]
    assert "NotFound" in answers[0]
    assert (await client.run("imageUpload", image=image["imageUUID"]))["imageUUID"]
    assert (await client.run("getResponse", taskUUID=image["taskUUID"]))["imageUUID"] == image["imageUUID"]


async def test_paths(installation: Installation, other: Client, image: dict[str, Any]) -> None:
    """A foreign image under one's own part of the addresses is as unknown as any, for a download and as an input."""
    own = tenant(await other.run("imageUpload", image=PICTURE))
    uuids = (image["imageUUID"], image["imageUUID"].upper(), str(uuid4()))
    urls = [f"{installation.url}/im/{own}/{uuid}.png" for uuid in uuids]
    downloads = [await request("GET", url) for url in urls]
    assert len({(found.status, found.body) for found in downloads}) == 1
    assert downloads[0].status == 404
    refusals = [await other.fail("imageUpload", image=url) for url in urls]
    assert {error["code"] for error in refusals} == {"mediaNotFound"}
    said = [error | {"taskUUID": ""} for error in refusals]
    assert len({nameless(error, *uuids) for error in said}) == 1


async def test_names(client: Client, other: Client, image: dict[str, Any]) -> None:
    """The word for a key in its URLs is not made of the key, and two keys have two."""
    theirs = await other.run("imageUpload", image=PICTURE)
    assert tenant(image) != tenant(theirs)
    assert client.key not in image["imageURL"]
    assert tenant(await client.run("imageUpload", image=PICTURE)) == tenant(image)


async def test_session(installation: Installation, client: Client) -> None:
    """A foreign session is as unknown as any: whoever asks for it gets a new one, and its owner notices nothing."""
    task = new_task("sleeps", seconds=1)
    await client.send([task])
    sessions = set[str]()
    for asked in (client.session, client.session.upper(), str(uuid4()), "x"):
        visitor = await installation.client(key=OTHER_KEY).connect(asked)
        sessions.add(visitor.session)
        assert visitor.session.lower() != asked.lower()
        assert UUID(visitor.session).version == 4
        await visitor.ping()
        await visitor.close()
    assert len(sessions) == 4
    assert (await client.answer(task["taskUUID"]))["data"][0]["text"] == "slept 1.0"
    await client.ping()


async def test_session_left(installation: Installation) -> None:
    """What waits in a session for its owner to come back is given to nobody else."""
    owner = await installation.client().connect()
    task = new_task("sleeps", seconds=0.5)
    await taken(owner, task)
    await owner.drop()
    visitor = await installation.client(key=OTHER_KEY).connect(owner.session)
    back = await installation.client().connect(owner.session)
    assert back.session == owner.session
    assert (await back.answer(task["taskUUID"]))["data"][0]["text"] == "slept 0.5"
    await visitor.ping()
    for found in (visitor, back):
        await found.close()


@pytest.mark.parametrize("when", ["while it runs", "when it is done"])
async def test_same_task_uuid(client: Client, other: Client, when: str) -> None:
    """A taskUUID that another key has used is free: neither the same task nor another one attaches or conflicts."""
    for theirs in ({"seconds": 0.3}, {"seconds": 0.2}):
        task = new_task("sleeps", seconds=0.3)
        await taken(client, task)
        if when == "when it is done":
            await client.answer(task["taskUUID"])
        (frame,) = await other.ask(task | theirs)
        assert frame["data"][0]["text"] == f"slept {theirs['seconds']}"
        if when == "while it runs":
            assert (await client.answer(task["taskUUID"]))["data"][0]["text"] == "slept 0.3"
        for key, seconds in ((client, 0.3), (other, theirs["seconds"])):
            (details,) = await key.ask(new_task("getTaskDetails", taskUUID=task["taskUUID"]))
            assert details["data"][0]["request"] == [task | {"seconds": seconds}]
            assert details["data"][0]["response"]["data"][0]["text"] == f"slept {seconds}"
        await client.ping()
        await other.ping()


async def test_two_results(client: Client, other: Client) -> None:
    """One taskUUID of two keys has two results: each gets its own image, and only that."""
    task = new_task("imageUpload", image=PICTURE)
    ours, theirs = [(await key.ask(task))[0]["data"][0] for key in (client, other)]
    assert ours["imageUUID"] != theirs["imageUUID"]
    for own, key, foreign in ((ours, client, theirs), (theirs, other, ours)):
        found = await key.run("getResponse", taskUUID=task["taskUUID"])
        assert (found["imageUUID"], tenant(found)) == (own["imageUUID"], tenant(own))
        assert (await key.fail("imageUpload", image=foreign["imageUUID"]))["code"] == "mediaNotFound"
