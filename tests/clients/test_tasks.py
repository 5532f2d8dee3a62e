"""Tasks that take their time: several results, acks, progress, answers asked for later."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from tests.clients import colours
from tests.clients.conftest import Connect
from tests.clients.network import Held
from tests.clients.program import Refused
from tests.clients.proof import proves
from tests.outside import Website, answer

pytestmark = pytest.mark.clients
ALL = pytest.mark.parametrize("name", ["legacy", "new", "js"])


@proves("several")
@ALL
async def test_several_results(connect: Connect, name: str):
    """A sync task with numberResults has exactly so many, each under its own UUID (rules 11 and 14)."""
    client = await connect(name)
    found = await client.do("hum", duration=0.2, results=4, delivery="sync")
    assert len({item["uuid"] for item in found}) == len(found) == 4
    assert [await colours.status(item["url"]) for item in found] == [200] * 4


@proves("async")
@pytest.mark.parametrize("name", ["new", "js"])
@pytest.mark.parametrize("duration", [0, 2])
async def test_async(connect: Connect, name: str, duration: float):
    """An async task is acknowledged, with its results or without, and polled for until all are there
    (rules 12 and 13)."""
    client = await connect(name)
    found = await client.do("hum", duration=duration, results=3, delivery="async")
    assert len({item["uuid"] for item in found}) == len(found) == 3


@proves("async", by="legacy")
async def test_async_legacy(connect: Connect):
    """The old Python client gets an ack, and getResponse from any connection brings all results, without the half
    minute that it stalls when a UUID is missing (rules 12, 13 and 15)."""
    client, other = await connect("legacy"), await connect("legacy")
    acked = await client.do("hum", duration=2, results=3, delivery="async")
    found, same = await asyncio.gather(
        client.do("response", task=acked["task"], results=3, within=15),
        other.do("response", task=acked["task"], results=3, within=15),
    )
    assert len({item["uuid"] for item in found}) == len(found) == 3
    assert sorted(item["uuid"] for item in found) == sorted(item["uuid"] for item in same)


async def test_sync_result_is_kept(connect: Connect):
    """The results of a sync task can be asked for again, on another connection of the same key (rule 15)."""
    client, other = await connect("legacy"), await connect("legacy")
    found = await client.do("hum", duration=0, results=2)
    again = await other.do("response", task=found[0]["task"], results=2)
    assert again == found


async def test_same_task_again(connect: Connect):
    """A taskUUID that was used for another task is refused, and never run twice (rule 16)."""
    client = await connect("legacy")
    found = await client.do("hum", duration=0, results=2)
    with pytest.raises(Refused) as refused:
        await client.do("hum", duration=0, results=3, task=found[0]["task"])
    assert refused.value.about["code"] == "conflictTaskUUID"


@proves("progress", by="new")
async def test_progress(connect: Connect):
    """While an async task runs, the new Python client is told its progress in numbers, over either transport."""
    clients = await connect("new"), await connect("new", transport="rest")
    calls = (client.do("run", taskType="sleeps", seconds=3) for client in clients)
    for found in await asyncio.gather(*calls):
        assert [item["text"] for item in found["items"]] == ["slept 3.0"]
        assert found["progress"] == sorted(found["progress"]) != []
        assert 0 < found["progress"][0] < 100


@pytest.mark.parametrize("name", ["new", "js"])
async def test_uuid_before_result(connect: Connect, name: str):
    """getResponse names the UUID of the coming result, and a status, while the task still runs (rule 13)."""
    client, other = await connect("new"), await connect(name)
    held, uuid = Held(answer(colours.png(colours.plain(1)))), str(uuid4())
    async with Website({"/held": held}) as website:
        asked = {"taskType": "mediaStorage", "taskUUID": uuid, "media": website.url("/held")}
        running = asyncio.create_task(client.do("run", **asked))
        await asyncio.wait_for(held.asked.wait(), 10)
        (early,) = await other.do("response", task=uuid)
        held.let.set()
        (item,) = (await running)["items"]
    (late,) = await other.do("response", task=uuid)
    assert [early["status"], late["status"]] == ["processing", "success"]
    assert early["mediaUUID"] == late["mediaUUID"] == item["mediaUUID"]
    assert early["taskType"] == late["taskType"] == "mediaStorage"


@ALL
async def test_details(connect: Connect, name: str):
    """getTaskDetails shows the request in a list, its pixels cut short, and the answer to it."""
    client = await connect(name)
    stored = await client.do("store", media=colours.data_uri(colours.plain(1, (500, 500))))
    details = await client.do("details", task=stored["task"])
    (request,) = details["request"]
    assert (request["taskType"], request["taskUUID"]) == ("mediaStorage", stored["task"])
    assert len(request["media"]) < 300
    response = details["response"]
    (item,) = response if name == "legacy" else response["data"]
    assert item["mediaUUID"] == stored["uuid"]


async def test_http(connect: Connect):
    """Over HTTP a success has no `errors` at all, and a failure is no 2xx (rule 19)."""
    client = await connect("new", transport="rest")
    uploaded = await client.do("upload", image=colours.data_uri(colours.plain(4)))
    await colours.assert_shows(uploaded["url"], colours.plain(4))
    assert len(await client.do("hum", duration=0.2, results=3, delivery="sync")) == 3
    with pytest.raises(Refused, match="base64") as refused:
        await client.do("upload", image="###")
    assert (refused.value.about["code"], refused.value.about["status_code"]) == ("validation", 400)
