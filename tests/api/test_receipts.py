"""Receipts: what was worked on, what was made, where the time went; and that the work can be done again from one."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from blake3 import blake3
from redis import Redis

from tests.client import Client, new_task, request
from tests.harness import Installation
from tests.pictures.drawing import photo
from tests.tasks.desk import data_uri, encoded

STAGES = ("queuedMs", "fetchMs", "decodeMs", "runMs", "encodeMs", "storeMs")


def hash_of(data: bytes) -> str:
    return f"blake3:{blake3(data).hexdigest()}"


@pytest.mark.parametrize("task_type", ["removeBackground", "upscale"])
async def test_done_again(client: Client, task_type: str):
    """The same task, done again, makes the same bytes, and its receipt says so."""
    data = encoded(photo(48, 40, seed=911))
    asked = {"inputImage": data_uri(data), "includeReceipt": True, "cache": "off", "outputFormat": "PNG"}
    one, other = [await client.run(task_type, **asked) for _ in range(2)]
    for item in (one, other):
        (made,) = item["receipt"]["outputs"]
        body = (await request("GET", item["imageURL"])).body
        assert made == {"imageUUID": item["imageUUID"], "hash": hash_of(body), "bytes": len(body)}
    assert one["receipt"]["outputs"][0]["hash"] == other["receipt"]["outputs"][0]["hash"]
    assert not one["receipt"]["cached"] and not other["receipt"]["cached"]


async def test_what_it_says(client: Client):
    """A receipt names the inputs as the task did, what did the work, and stages whose times are within the whole."""
    data = encoded(photo(300, 240, seed=912))
    asked: dict[str, Any] = {"inputs": {"image": data_uri(data)}, "outputFormat": "PNG", "includeReceipt": True}
    item = await client.run("upscale", **asked)
    receipt = item["receipt"]
    assert receipt["inputs"] == [{"parameter": "inputs.image", "hash": hash_of(data), "bytes": len(data)}]
    assert (receipt["model"], receipt["attempt"], receipt["cost"]) == (item["model"], 1, 0)
    assert receipt["worker"]
    assert sum(receipt[stage] for stage in STAGES) <= receipt["totalMs"] + 1
    assert min(receipt[stage] for stage in ("decodeMs", "runMs", "encodeMs")) > 0


async def test_of_an_earlier_result(client: Client):
    """The receipt of a result that was made for another task says so, with images of its own and no time for work."""
    asked = {"inputImage": data_uri(encoded(photo(48, 40, seed=913))), "includeReceipt": True}
    first, again = [await client.run("upscale", **asked) for _ in range(2)]
    assert again["receipt"]["cached"] and not first["receipt"]["cached"]
    assert again["receipt"]["inputs"] == first["receipt"]["inputs"]
    (made,), (known,) = again["receipt"]["outputs"], first["receipt"]["outputs"]
    assert (made["imageUUID"], made["hash"]) == (again["imageUUID"], known["hash"])
    assert again["receipt"]["runMs"] == again["receipt"]["encodeMs"] == 0
    plain = await client.run("upscale", inputImage=asked["inputImage"])
    assert "receipt" not in plain


async def test_of_several_results(client: Client):
    """Each of several results has a receipt with its own image."""
    task = new_task("paints", numberResults=2, includeReceipt=True)
    (frame,) = await client.ask(task)
    for item in frame["data"]:
        assert [made["imageUUID"] for made in item["receipt"]["outputs"]] == [item["imageUUID"]]


async def test_of_a_failure(client: Client):
    """A task that fails has no receipt."""
    error = await client.fail("upscale", inputImage=data_uri(b"no image"), includeReceipt=True)
    assert "receipt" not in error


async def test_of_every_task(client: Client, installation: Installation):
    """Where the time went is kept of every task, with or without a receipt, ended well or not."""
    done = new_task("upscale", inputImage=data_uri(encoded(photo(48, 40, seed=914))))
    failed = new_task("upscale", inputImage=data_uri(b"no image"))
    await client.ask(done, failed)
    with Redis.from_url(installation.environment["REDIS_URL"]) as redis:
        for task in (done, failed):
            (key,) = redis.keys(f"{installation.environment['TASKARRAY_PREFIX']}:*:task:*:{task['taskUUID']}")
            spent = orjson.loads(redis.hget(key, "outcome"))["spent"]
            assert set(spent) == {*STAGES, "totalMs"}
            assert spent["totalMs"] >= spent["decodeMs"] > 0 or task is failed
