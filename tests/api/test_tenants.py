"""What belongs to one key does not exist for another: a foreign id is answered exactly as an unknown one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from server.catalog import Catalog
from server.task import Params, references, wire_name
from tests.client import Client, new_task, request
from tests.harness import KEY, OTHER_KEY, Installation
from tests.pictures.drawing import photo
from tests.pictures.files import encoded
from tests.tasks.context import data_uri


def least(schema: dict[str, Any]) -> Any:
    """Something small that a JSON schema allows."""
    if "enum" in schema:
        return schema["enum"][0]
    return {"number": schema.get("minimum", 1), "integer": schema.get("minimum", 1)}.get(schema.get("type", ""), "x")


def image_members() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every member of every task that names an image, with what else such a task needs."""
    for task in {id(task): task for task in Catalog.discover(("tests.misbehaving",)).by_name.values()}.values():
        every = task.params.model_construct(**dict.fromkeys(task.params.model_fields, "x"))
        schema = task.params.model_json_schema()
        needs = {wire_name(name) for name, field in task.params.model_fields.items() if field.is_required()}
        for name, _ in references(every):
            member = wire_name(name)
            yield task.task_type, member, {n: least(schema["properties"][n]) for n in needs - {member}}


def alike(one: Any, other: Any, *uuids: str) -> None:
    """Two answers are the same but for the UUIDs that were asked for."""
    texts = [json.dumps(answer, sort_keys=True) for answer in (one, other)]
    for uuid in uuids:
        texts = [text.replace(uuid, "…") for text in texts]
    assert texts[0] == texts[1]


MEMBERS = [*image_members(), ("mediaStorage", "media", {"operation": "delete"})]


@pytest.fixture
async def image(client: Client) -> str:
    """The UUID of an image of the first key."""
    return (await client.run("imageUpload", image=data_uri(encoded(photo(32, 32), "PNG"))))["imageUUID"]


@pytest.mark.parametrize(("task_type", "member", "others"), MEMBERS, ids=lambda value: str(value))
async def test_images(client: Client, other: Client, image: str, task_type: str, member: str, others: dict) -> None:
    """No task takes or deletes an image of another key, in whatever member it is named."""
    task, unknown = new_task(task_type, **others), str(uuid4())
    foreign = (await other.ask(task | {member: image}))[0]
    nobody = new_task(task_type, **others) | {member: unknown}
    assert foreign["errors"][0]["code"] == "mediaNotFound"
    assert foreign["errors"][0]["parameter"] == member
    alike(foreign, (await other.ask(nobody))[0], image, unknown, task["taskUUID"], nobody["taskUUID"])
    assert "data" in (await client.ask(new_task("imageUpload", image=image)))[0]


@pytest.mark.parametrize("task_type", ["getResponse", "getTaskDetails"])
async def test_tasks(installation: Installation, client: Client, other: Client, task_type: str) -> None:
    """No task of another key can be asked for, whether it runs or has ended, on a socket or over HTTP."""
    done, running, unknown = new_task("nothing"), new_task("sleeps", seconds=1), str(uuid4())
    await client.ask(done)
    await client.send([running])
    await client.ping()
    expected = await answers(installation, other, new_task(task_type, taskUUID=unknown))
    for task in (done, running):
        alike(await answers(installation, other, new_task(task_type, taskUUID=task["taskUUID"])), expected,
              task["taskUUID"], unknown)  # fmt: skip
    await client.answers(running)


async def answers(installation: Installation, other: Client, task: dict[str, Any]) -> list[Any]:
    """What the other key gets on a socket and over HTTP."""
    posted = await request("POST", f"{installation.url}/v1", [task], authorization=f"Bearer {OTHER_KEY}")
    headers = {name: value for name, value in posted.headers.items() if name != "date"}
    return [await other.ask(task), posted.status, headers, posted.json]


async def test_task_uuids(client: Client, other: Client) -> None:
    """A taskUUID that one key has used is free for another, also while the task runs; each gets its own answer."""
    task = new_task("sleeps", seconds=0.4)
    await client.send([task])
    await client.ping()
    assert (await other.ask(task | {"seconds": 0}))[0]["data"][0]["text"] == "slept 0.0"
    assert (await client.answers(task))[0]["data"][0]["text"] == "slept 0.4"
    for owner, text in ((client, "slept 0.4"), (other, "slept 0.0")):
        assert (await owner.run("getResponse", taskUUID=task["taskUUID"]))["text"] == text


async def test_sessions(installation: Installation, client: Client) -> None:
    """A session of another key is as unknown as one that never was; its results go to nobody else."""
    task = new_task("sleeps", seconds=0.3)
    await client.send([task])
    await client.ping()
    await client.drop()
    shown = list[set[str]]()
    for session in (client.session, str(uuid4())):
        stranger = await installation.client(key=OTHER_KEY).connect(session)
        assert stranger.session != session
        await stranger.quiet(0.6)
        shown.append({name for name in vars(stranger) if name == "session"})
        await stranger.close()
    back = await installation.client(key=KEY).connect(client.session)
    assert back.session == client.session
    assert (await back.answers(task))[0]["data"][0]["text"] == "slept 0.3"
    await back.close()


async def test_files(installation: Installation, client: Client, other: Client, image: str) -> None:
    """An image is at the address of its own key only."""
    theirs = await other.run("imageUpload", image=data_uri(encoded(photo(32, 32), "PNG")))
    folder = theirs["imageURL"].rpartition("/")[0]
    foreign, nobody = [await request("GET", f"{folder}/{uuid}.png") for uuid in (image, str(uuid4()))]
    assert foreign.status == nobody.status == 404
    alike(foreign.json, nobody.json, image)
    assert foreign.headers == nobody.headers | {"date": foreign.headers["date"]}


def test_every_member_is_known() -> None:
    """The list above has what takes an image today."""
    assert {(task_type, member) for task_type, member, _ in MEMBERS} >= {
        ("imageUpload", "image"), ("mediaStorage", "media"),
    }  # fmt: skip
    assert issubclass(Catalog.discover().named("imageUpload").params, Params)
