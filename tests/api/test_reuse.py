"""The same work is done once: for all who ask at the same time, and for those who ask again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from tests.api.conftest import Beside
from tests.client import Client, new_task, request
from tests.harness import Installation, wait_for
from tests.outside import Website, answer
from tests.pictures.drawing import photo
from tests.tasks.desk import data_uri, encoded

PICTURE = encoded(photo(64, 48))
INLINE = data_uri(PICTURE)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """Where the task `repeats` counts its runs."""
    return tmp_path / "marker"


def runs(marker: Path) -> int:
    return len(marker.read_text().splitlines()) if marker.exists() else 0


def repeats(marker: Path, image: str = INLINE, **members: Any) -> dict[str, Any]:
    return new_task("repeats", inputImage=image, marker=str(marker), outputFormat="PNG", **members)


async def items(client: Client, task: dict[str, Any]) -> list[dict[str, Any]]:
    (frame,) = await client.ask(task)
    assert "data" in frame, frame
    return frame["data"]


async def file(url: str) -> bytes:
    reply = await request("GET", url)
    assert reply.status == 200, url
    return reply.body


async def test_at_the_same_time(client: Client, installation: Installation, marker: Path):
    """Tasks of a key that ask for the same work at the same time, whatever they call its image, are one run; each gets
    results of its own with the same bytes, and names its own input."""
    kept = await client.run("imageUpload", image=INLINE)
    by_hash = f"blake3:{blake3(PICTURE).hexdigest()}"
    async with installation.client() as second, Website({"/1.png": answer(PICTURE)}) as site:
        names = (INLINE, kept["imageUUID"], kept["imageURL"], by_hash, site.url("/1.png"))
        asked = [repeats(marker, image, seconds=0.7) for image in names]
        sockets = [client, second, client, second, second]
        for socket, task in zip(sockets, asked, strict=True):
            await socket.send([task])
        found = [(await one.answers(task))[0]["data"][0] for one, task in zip(sockets, asked, strict=True)]
    assert runs(marker) == 1
    assert len({item["imageUUID"] for item in found}) == len({item["imageURL"] for item in found}) == 5
    assert len({await file(item["imageURL"]) for item in found}) == 1
    inputs = [item["inputImageUUID"] for item in found]
    assert inputs[1] == inputs[2] == kept["imageUUID"]
    assert inputs[3] == (await client.run("imageUpload", imageHash=by_hash))["imageUUID"]
    assert len({*inputs[:2], inputs[4]}) == 3, "what came with a task is registered for it alone"
    again = [await client.run("imageUpload", image=uuid) for uuid in inputs]
    assert {await file(item["imageURL"]) for item in again} == {PICTURE}


async def test_again(client: Client, beside: Beside, marker: Path):
    """Work that was done is not done again: the answer has images of the new task's own, under the address that it
    came by, and otherwise what the new task asks for."""
    elsewhere = beside(TEST_MODE="1")
    members = {"outputType": ["URL", "base64Data"], "numberResults": 2, "maskImage": INLINE}
    first = await items(client, repeats(marker, includeCost=True, **members))
    async with elsewhere.client() as another:
        task = repeats(marker, **members)
        second = await items(another, task)
        told = (await another.run("getTaskDetails", taskUUID=task["taskUUID"]))["response"]["data"]
    assert runs(marker) == 1
    assert [item.get("cost") for item in (*first, *second)] == [0, 0, None, None]
    assert [item["resultIndex"] for item in second] == [0, 1]
    assert len({item["imageUUID"] for item in (*first, *second)}) == 4
    for one, other in zip(first, second, strict=True):
        assert one["imageBase64Data"] == other["imageBase64Data"]
        assert other["imageURL"].startswith(f"{elsewhere.url}/im/")
        assert await file(other["imageURL"]) == await file(one["imageURL"])
        assert {one["inputImageUUID"], one["maskImageUUID"]}.isdisjoint(
            [other["inputImageUUID"], other["maskImageUUID"]]
        )
    assert told == second
    await client.run("mediaStorage", operation="delete", media=first[0]["imageUUID"])
    assert (await request("GET", first[0]["imageURL"])).status == 404
    assert await file(second[0]["imageURL"]), "what is deleted for one task is kept for the other"


@pytest.mark.parametrize(("cache", "then"), [("refresh", 2), ("off", 3)])
async def test_not_from_the_cache(client: Client, marker: Path, cache: str, then: int):
    """`refresh` does the work again and is remembered for the next one; `off` does it and is not remembered."""
    await items(client, repeats(marker, cache=cache))
    await items(client, repeats(marker, cache=cache))
    assert runs(marker) == 2
    await items(client, repeats(marker))
    assert runs(marker) == then


async def test_of_another_key(client: Client, other: Client, marker: Path):
    """The work of one key never answers another key's task."""
    first, second = [await items(one, repeats(marker)) for one in (client, other)]
    assert runs(marker) == 2
    assert first[0]["imageUUID"] != second[0]["imageUUID"]


async def test_an_image_that_is_gone(client: Client, marker: Path):
    """Where an image of the earlier result is gone, the work is done again."""
    first = await items(client, repeats(marker))
    await client.run("mediaStorage", operation="delete", media=first[0]["imageUUID"])
    assert await file((await items(client, repeats(marker)))[0]["imageURL"])
    assert runs(marker) == 2


async def test_a_failure(client: Client, marker: Path):
    """Those who wait for the same work get its failure, each with the parameter as it wrote it; who asks later does
    not."""
    plain = repeats(marker, fails=True, seconds=0.4)
    nested = {name: value for name, value in plain.items() if name != "inputImage"} | {"inputs": {"image": INLINE}}
    asked = [plain, new_task("repeats", **{**nested, "taskUUID": new_task("")["taskUUID"]})]
    failures = [frame["errors"][0] for frame in await client.ask(*asked)]
    assert [failure["code"] for failure in failures] == ["invalidInputImage"] * 2
    assert [failure["parameter"] for failure in failures] == ["inputImage", "inputs.image"]
    assert runs(marker) == 1
    await client.fail(
        "repeats", **{name: value for name, value in plain.items() if name not in ("taskType", "taskUUID")}
    )
    assert runs(marker) == 2


async def test_a_leader_whose_time_is_over(client: Client, marker: Path):
    """A task that is given up for its own deadline does not end those that waited for the same work."""
    late, other = repeats(marker, seconds=1, deadlineMs=300), repeats(marker, seconds=1)
    await client.send([late])
    wait_for(lambda: runs(marker) == 1)
    await client.send([other])
    frames = await client.answers(late, other)
    assert frames[0]["errors"][0]["code"] == "deadlineExceeded"
    assert "data" in frames[1]
    assert runs(marker) == 2
