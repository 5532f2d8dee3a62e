"""The shape of what goes in and what comes out."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from tests.api.conftest import Arrive
from tests.client import Client, new_task
from tests.harness import KEY, Installation


async def test_answer(client: Client) -> None:
    """An answer is one text frame with one JSON object, whose `data` is a list of items."""
    task = new_task("nothing")
    await client.send([task])
    raw = await client.socket.recv()
    assert isinstance(raw, str)
    assert json.loads(raw) == {"data": [{"taskType": "nothing", "taskUUID": task["taskUUID"], "text": "done"}]}


async def test_known_by_what_was_sent(client: Client) -> None:
    """taskType and taskUUID come back byte for byte as they were sent."""
    shout = new_task("nothing")
    shout["taskUUID"] = shout["taskUUID"].upper()
    wrong = shout | {"taskType": "nöthing\u2028", "taskUUID": 'Not a UUID é " \\ 😀'}
    for task in (shout, wrong):
        ((item,),) = [frame.values() for frame in await client.ask(task)]
        assert {name: item[0][name] for name in task} == task


async def test_one_task_a_frame(client: Client) -> None:
    """Tasks of one array are independent: each is answered in its own frame, the quick ones first."""
    slow, quick = new_task("sleeps", seconds=1), [new_task("nothing") for _ in range(5)]
    bad = [new_task("nothing", deliveryMethod="pigeon") for _ in range(2)]
    await client.send([slow, *quick, *bad])
    frames = [await client.next() for _ in range(8)]
    shown = [next(iter(frame.values())) for frame in frames]
    assert {len(items) for items in shown} == {1}
    assert {items[0]["taskUUID"] for items in shown} == {task["taskUUID"] for task in (slow, *quick, *bad)}
    assert shown[-1][0]["taskUUID"] == slow["taskUUID"]
    assert all(len(frame) == 1 for frame in frames)
    await client.ping()


async def test_one_message_after_another(client: Client) -> None:
    """A message does not wait for the tasks of those before it."""
    slow, quick = new_task("sleeps", seconds=1), new_task("nothing")
    await client.send([slow])
    await client.send([quick])
    assert (await client.next())["data"][0]["taskUUID"] == quick["taskUUID"]
    assert (await client.next())["data"][0]["taskUUID"] == slow["taskUUID"]


async def test_several_results(client: Client) -> None:
    """All results of a task come in one frame, each with a UUID v4 of its own and its place."""
    (frame,) = await client.ask(new_task("audioInference", duration=0, numberResults=4))
    items = frame["data"]
    assert [item["resultIndex"] for item in items] == [0, 1, 2, 3]
    assert len({UUID(item["audioUUID"], version=4) for item in items}) == 4
    assert len({item["audioURL"] for item in items}) == 4
    assert not any(item.keys() & {"code", "error", "errorId"} for item in items)


async def test_message_is_an_object(client: Client) -> None:
    """A single object is taken as an array of one."""
    task = new_task("nothing")
    await client.send(task)
    assert (await client.answer(task["taskUUID"]))["data"][0]["text"] == "done"


async def test_data_is_an_object(installation: Installation) -> None:
    """With `?data=object` one result is an object, as the documents show it, and several stay a list."""
    async with installation.client(query="?data=object") as client:
        one, several, bad = await client.ask(
            new_task("nothing"), new_task("audioInference", duration=0, numberResults=2), new_task("unheard of")
        )
    assert one["data"]["text"] == "done"
    assert len(several["data"]) == 2
    assert len(bad["errors"]) == 1


@pytest.mark.parametrize(
    "members",
    [
        {"seconds": 0.01},
        {"settings": {"seconds": 0.01}},
        {"settings": {"seconds": 0.01, "unheardOf": [1]}, "seconds": None, "marker": None, "inputs": {}},
        {"inputs": {"seconds": 0.01}, "settings": None},
        {"seconds": 0.01, "settings": {"seconds": 60}},
        {"seconds": 0.01, "customTaskUUID": "x", "safety": {"mode": "fast"}, "providerSettings": {"a": {"b": 1}}},
        {"seconds": 0.01, "deliveryMethod": None, "includeCost": None, "webhookURL": None, "strict": False},
    ],
)
async def test_forms_of_a_task(client: Client, members: dict[str, Any]) -> None:
    """Settings may stand nested or flat, null is absent, and what is not known is passed over."""
    assert (await client.run("sleeps", **members))["text"] == "slept 0.01"


async def test_cost(client: Client) -> None:
    """The cost is 0, for those who ask for it."""
    assert (await client.run("nothing", includeCost=True))["cost"] == 0
    assert "cost" not in await client.run("nothing", includeCost=False)


async def test_frames_of_any_make(client: Client) -> None:
    """A message may come in fragments, in a binary frame, or with spaces around it."""
    tasks = [new_task("nothing", note="é" * 40_000) for _ in range(4)]
    texts = [json.dumps([task], ensure_ascii=False) for task in tasks]
    await client.send_parts(texts[0][at : at + 9999] for at in range(0, len(texts[0]), 9999))
    await client.send(texts[1].encode())
    whole = texts[2].encode()
    await client.send_parts([whole[:501], b"", whole[501:502], whole[502:]])
    await client.send(f"\r\n\t {texts[3]} \n")
    for task in tasks:
        assert (await client.answer(task["taskUUID"]))["data"][0]["text"] == "done"


async def test_plain_frames(arrive: Arrive) -> None:
    """Frames are not compressed, whatever the client offers."""
    client = await arrive(compression="deflate")
    assert "Sec-WebSocket-Extensions" not in client.socket.response.headers
    assert client.socket.protocol.extensions == []
    await client.send({"taskType": "authentication", "apiKey": KEY})
    assert "data" in await client.next()


async def test_no_subprotocol_needed(arrive: Arrive) -> None:
    """A client that offers sub-protocols is let in; none of them is spoken."""
    client = await arrive(subprotocols=["json", "graphql-ws"])
    assert client.socket.subprotocol is None
