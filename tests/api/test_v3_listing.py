"""The list of a key's predictions, and their deletion."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from PIL import Image

from tests.api.predictions import ask, checked, data, ended, refusal, run, submit
from tests.client import Client, new_task, request
from tests.harness import OTHER_KEY, Installation
from tests.tasks.desk import data_uri

NOISE = data_uri(Image.effect_noise((64, 64), 100))


@pytest.fixture(scope="module")
async def made(installation: Installation) -> AsyncIterator[list[dict[str, Any]]]:
    """A few predictions, oldest first: three that went well, one that failed, one that runs."""
    found = [await run(installation, "taskarray/paints", width=8) for _ in range(2)]
    found.append(await run(installation, "wavespeed-ai/real-esrgan", image=NOISE, scale=2))
    found.append(await run(installation, "taskarray/regrets", image=NOISE, how="refuse"))
    found.append(await submit(installation, "taskarray/sleeps", seconds=6))
    yield found


def ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["id"] for item in items]


async def test_pages(installation: Installation, made: list[dict[str, Any]]) -> None:
    """Newest first, in pages, by body or by query; each item is the prediction without its inputs."""
    whole = await data(installation, "POST", "/predictions", {})
    assert ids(whole["items"])[:5] == ids(made)[::-1]
    assert (whole["page"], len(whole["items"])) == (1, min(whole["total"], 100))
    second = await data(installation, "POST", "/predictions", {"page": 2, "page_size": 2})
    assert ids(second["items"]) == ids(made)[1:3][::-1]
    assert second == await data(installation, "GET", "/predictions?page=2&page_size=2")
    assert second["total"] == whole["total"]
    for item in second["items"]:
        assert "input" not in item
        checked(item | {"input": {}})
    assert (await data(installation, "GET", "/predictions?page=999999"))["items"] == []


async def test_filters(installation: Installation, made: list[dict[str, Any]]) -> None:
    """By status, by model, by time; all of them hold together."""

    async def found(**wanted: Any) -> list[str]:
        return ids((await data(installation, "POST", "/predictions", wanted))["items"])

    mine = set(ids(made))
    assert set(await found(status="failed")) & mine == {made[3]["id"]}
    assert set(await found(status="processing")) & mine == {made[4]["id"]}
    assert set(await found(status="completed")) & mine == mine - {made[3]["id"], made[4]["id"]}
    assert not set(await found(status="cancelled")) & mine
    assert set(await found(model="wavespeed-ai/real-esrgan")) & mine == {made[2]["id"]}
    assert not set(await found(model="wavespeed-ai/real-esrgan", status="failed")) & mine
    late = made[2]["created_at"]
    assert await found(created_after=late) == ids(made)[:1:-1]
    assert set(await found(created_before=late)) & mine == set(ids(made)[:2])
    assert await found(created_after=late.replace("Z", "+00:00"), status="failed") == [made[3]["id"]]


async def test_inputs(installation: Installation, made: list[dict[str, Any]]) -> None:
    """With include_inputs the inputs come under both names, without pixels."""
    for wanted in ("POST", {"include_inputs": True}), ("GET", None):
        path = "/predictions" if wanted[1] else "/predictions?include_inputs=true"
        items = (await data(installation, wanted[0], path, wanted[1]))["items"]
        (item,) = [item for item in items if item["id"] == made[2]["id"]]
        assert item["input"] == item["inputs"]
        assert item["input"]["scale"] == 2
        assert len(item["input"]["image"]) < 100 < len(NOISE)


async def test_refused_filters(installation: Installation) -> None:
    """What no filter can be is refused, with its name."""
    for name, value in {"page": 0, "page_size": 101, "status": "done", "created_after": "yesterday"}.items():
        status, code, message = await refusal(installation, "POST", "/predictions", {name: value})
        assert (status, code, message.startswith(name)) == (400, 1401, True)


async def test_other_key(installation: Installation, made: list[dict[str, Any]]) -> None:
    """Another key sees none of it and deletes none of it."""
    assert not set(ids((await data(installation, "POST", "/predictions", {}, OTHER_KEY))["items"])) & set(ids(made))
    body = {"ids": ids(made)}
    assert await data(installation, "POST", "/predictions/delete", body, OTHER_KEY) == {"deleted_count": 0}


async def test_delete(installation: Installation, client: Client) -> None:
    """What is deleted is gone with what it made, from every face; whoever still asks learns that it was deleted."""
    first, second = [await run(installation, "taskarray/paints", width=8, numberResults=2) for _ in range(2)]
    task = new_task("paints", width=8)
    await client.ask(task)
    body = {"ids": [first["id"], first["id"], task["taskUUID"], "0" * 32, "nonsense"]}
    assert await data(installation, "POST", "/predictions/delete", body) == {"deleted_count": 2}
    assert await data(installation, "POST", "/predictions/delete", body) == {"deleted_count": 0}
    left = ids((await data(installation, "POST", "/predictions", {}))["items"])
    assert second["id"] in left
    assert first["id"] not in left
    assert [(await request("GET", url)).status for url in first["outputs"]] == [404, 404]
    assert [(await request("GET", url)).status for url in second["outputs"]] == [200, 200]
    shown = checked(await data(installation, "GET", f"/predictions/{first['id']}"))
    assert (shown["status"], shown["outputs"], shown["created_at"]) == ("deleted", [], first["created_at"])
    (frame,) = await client.ask({"taskType": "getResponse", "taskUUID": task["taskUUID"]})
    assert frame["errors"][0]["code"] == "taskNotFound"


async def test_delete_one(installation: Installation) -> None:
    """One prediction is deleted by its address; one that runs is not, and one that is unknown is 404."""
    shown = await run(installation, "taskarray/nothing")
    found = await data(installation, "DELETE", f"/predictions/{shown['id']}")
    assert found == {"id": shown["id"], "status": "deleted"}
    assert (await refusal(installation, "DELETE", f"/predictions/{shown['id']}"))[:2] == (404, 404)
    runs = await submit(installation, "taskarray/sleeps", seconds=0.5)
    assert (await refusal(installation, "DELETE", f"/predictions/{runs['id']}"))[:2] == (400, 400)
    assert await data(installation, "POST", "/predictions/delete", {"ids": [runs["id"]]}) == {"deleted_count": 0}
    assert (await ended(installation, runs["id"]))["status"] == "completed"
    for ids_ in (None, "x", [1], ["x"] * 1001):
        assert (await refusal(installation, "POST", "/predictions/delete", {"ids": ids_}))[:2] == (400, 1401)


async def test_refused_is_not_listed(installation: Installation) -> None:
    """What was not taken is not in the list."""
    before = (await data(installation, "GET", "/predictions"))["total"]
    await ask(installation, "POST", "/wavespeed-ai/real-esrgan", {})
    await asyncio.gather(*(ask(installation, "POST", "/taskarray/nothing", {"webhook_url": 7}) for _ in range(2)))
    assert (await data(installation, "GET", "/predictions"))["total"] == before
