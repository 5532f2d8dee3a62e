"""What POST /v1 answers: what was done, what was not, and what is not done yet."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from uuid import uuid4

import psutil
import pytest

from tests.api.conftest import Beside
from tests.api.test_http import HURRIED, done, post
from tests.client import Client, new_task
from tests.harness import KEY, Installation
from tests.pictures.files import png
from tests.tasks.context import data_uri


async def outcome(where: Installation, task: dict[str, Any]) -> dict[str, Any]:
    """What getResponse tells of a task once it is done."""
    for _ in range(20):
        answer = await post(where, [new_task("getResponse", taskUUID=task["taskUUID"])])
        assert answer.status == 200, answer.json
        (item,) = answer.json["data"]
        if item["status"] != "processing":
            return item
    raise TimeoutError(task)


async def test_several(installation: Installation) -> None:
    """The items of all tasks come in one list, in the order of the array; each still names its task."""
    tasks = [new_task("sleeps", seconds=0.3), new_task("nothing"), new_task("ping"), new_task("nothing")]
    several = new_task("audioInference", duration=0, numberResults=3)
    answer = await post(installation, [*tasks, several])
    assert answer.status == 200
    told = [item["taskUUID"] for item in answer.json["data"]]
    assert told == [task["taskUUID"] for task in (*tasks, several, several, several)]


async def test_partial_success(installation: Installation) -> None:
    """When some of the tasks succeed the answer is 200 with both members."""
    good, bad, worse = new_task("nothing"), new_task("unheard of"), new_task("exits", how="raise")
    answer = await post(installation, [bad, good, worse, 7])
    assert (answer.status, answer.json["data"]) == (200, [done(good)])
    codes = [(error.get("taskUUID"), error["code"]) for error in answer.json["errors"]]
    assert codes == [
        (bad["taskUUID"], "unsupportedTaskType"),
        (worse["taskUUID"], "internalServerError"),
        (None, "invalidRequest"),
    ]
    assert answer.json.keys() == {"data", "errors"}


FAILED = {
    "a wrong type": (new_task("unheard of"), 400, "unsupportedTaskType"),
    "a missing parameter": (new_task("sleeps"), 400, "missingSeconds"),
    "a wrong parameter": (new_task("sleeps", seconds=61), 400, "invalidSeconds"),
    "a bad image": (new_task("imageUpload", image="?"), 400, "invalidImage"),
    "a private URL": (new_task("imageUpload", image="http://10.0.0.1/a.png"), 400, "invalidImageURL"),
    "an unknown image": (new_task("imageUpload", image=str(uuid4())), 404, "mediaNotFound"),
    "an unknown task": (new_task("getResponse"), 404, "taskNotFound"),
    "an unknown task's details": (new_task("getTaskDetails"), 404, "taskNotFound"),
    "too large an image": (
        new_task("imageUpload", image=data_uri(png(40_000, 40_000, 1, 0, bytes(5001)))), 413, "valueTooLarge",
    ),
    "a handler that raises": (new_task("exits", how="raise"), 500, "internalServerError"),
    "a handler that crashes": (new_task("exits", how="exit"), 500, "processingFailed"),
}  # fmt: skip


@pytest.mark.parametrize("what", FAILED)
async def test_all_failed(installation: Installation, what: str) -> None:
    """When no task succeeds the answer has the status of the first failure, which stands there in both forms."""
    task, status, code = FAILED[what]
    task = task | {"taskUUID": str(uuid4())}
    answer = await post(installation, [task, new_task("unheard of")])
    first, second = answer.json["errors"]
    assert (answer.status, first["code"], first["taskUUID"]) == (status, code, task["taskUUID"])
    assert answer.json == {"errors": [first, second], "error": first}


async def test_waited_too_long(beside: Beside) -> None:
    """A request waits so long and no longer: then it is 504, and the task goes on and can be asked for."""
    gateway, quick = beside(**HURRIED | {"SYNC_WAIT": "2s"}), new_task("nothing")
    slow = new_task("sleeps", seconds=6)
    began = time.monotonic()
    answer = await post(gateway, [slow])
    assert 1.9 < time.monotonic() - began < 5.8
    assert (answer.status, answer.json["error"]["code"]) == (504, "responseTimeout")
    assert answer.json["error"]["taskUUID"] == slow["taskUUID"]
    answer = await post(gateway, [quick, slow])
    assert (answer.status, answer.json["data"]) == (200, [done(quick)])
    assert [error["code"] for error in answer.json["errors"]] == ["responseTimeout"]
    assert (await outcome(gateway, slow))["text"] == "slept 6.0"


async def test_async(installation: Installation) -> None:
    """An async task is acknowledged at once; getResponse tells its progress, then its result, again and again."""
    task = new_task("sleeps", seconds=2.5, deliveryMethod="async")
    began, known = time.monotonic(), {"taskType": "sleeps", "taskUUID": task["taskUUID"]}
    answer = await post(installation, [task])
    assert (answer.status, answer.json) == (200, {"data": [known]})
    (item,) = (await post(installation, [new_task("getResponse", taskUUID=task["taskUUID"])])).json["data"]
    if time.monotonic() - began < 2.5:
        assert (item["status"], 0 <= item.get("progress", 0) <= 100) == ("processing", True)
    result = known | {"status": "success", "text": "slept 2.5"}
    assert [await outcome(installation, task) for _ in range(2)] == [result, result]


async def test_async_failure(installation: Installation) -> None:
    """An async task that failed is told by getResponse as an error of that task, with its status."""
    task = new_task("exits", how="raise", deliveryMethod="async")
    await post(installation, [task])
    answer = await post(installation, [new_task("getResponse", taskUUID=task["taskUUID"])])
    error = answer.json["error"]
    assert (answer.status, error["code"], error["status"]) == (500, "internalServerError", "error")
    assert {name: error[name] for name in ("taskUUID", "taskType")} == {
        "taskUUID": task["taskUUID"], "taskType": "exits",
    }  # fmt: skip


async def test_both_faces(installation: Installation, client: Client) -> None:
    """What was sent over HTTP is found over the socket, and the other way round."""
    posted, sent = new_task("nothing"), new_task("nothing")
    await asyncio.gather(post(installation, [posted]), client.ask(sent))
    (answer,) = await client.ask(new_task("getTaskDetails", taskUUID=posted["taskUUID"]))
    assert answer["data"][0]["request"] == [posted]
    (item,) = (await post(installation, [new_task("getTaskDetails", taskUUID=sent["taskUUID"])])).json["data"]
    assert (item["request"], item["response"]) == ([sent], {"data": [done(sent)]})


async def test_same_uuid(installation: Installation) -> None:
    """Of two tasks of one array under one taskUUID the same is answered alike, another is a conflict at once."""
    task = new_task("sleeps", seconds=0.5)
    answer = await post(installation, [task, task])
    assert [item["text"] for item in answer.json["data"]] == ["slept 0.5", "slept 0.5"]
    task, began = new_task("sleeps", seconds=0.5), time.monotonic()
    answer = await post(installation, [task, task | {"seconds": 0.6}])
    assert (answer.status, time.monotonic() - began < 20) == (200, True)
    assert len(answer.json["data"]) == 1
    assert [error["code"] for error in answer.json["errors"]] == ["conflictTaskUUID"]
    again = await post(installation, [task | {"seconds": 7}])
    assert (again.status, again.json["error"]["code"]) == (400, "conflictTaskUUID")


async def test_hang_up(installation: Installation) -> None:
    """A client that hangs up loses nothing: its task is done, and can be asked for."""
    task = new_task("sleeps", seconds=0.5)
    body = json.dumps([task])
    head = f"POST /v1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", installation.ports[0])
    writer.write((head + body).encode())
    await writer.drain()
    async with installation.client() as watcher, asyncio.timeout(20):
        while "errors" in (await watcher.ask(new_task("getTaskDetails", taskUUID=task["taskUUID"])))[0]:
            await asyncio.sleep(0.02)
    writer.transport.abort()
    assert (await outcome(installation, task))["text"] == "slept 0.5"


async def test_large(beside: Beside) -> None:
    """Results that come in the answer itself are put there one after the other, as it is taken: however many are asked
    for, the gateway holds few of them. What is not there any more is told among the errors."""
    gateway = beside(DRAIN_TIMEOUT="1s")
    large = new_task("paints", width=1500, noise=True, outputFormat="PNG", outputType="base64Data")
    (item,) = (await post(gateway, [large])).json["data"]
    again = [new_task("getResponse", taskUUID=large["taskUUID"]) for _ in range(24)]
    process = psutil.Process(next(iter(gateway.processes)).pid)
    memory = [process.memory_info().rss]

    async def watch() -> None:
        while True:
            memory.append(process.memory_info().rss)
            await asyncio.sleep(0.01)

    watching = asyncio.create_task(watch())
    answer = await post(gateway, [new_task("getResponse"), *again, new_task("unheard of")])
    watching.cancel()
    assert answer.json["data"] == [item | {"status": "success"}] * len(again)
    assert [error["code"] for error in answer.json["errors"]] == ["taskNotFound", "unsupportedTaskType"]
    assert answer.json.keys() == {"data", "errors"}
    assert max(memory) - memory[0] < len(again) * len(item["imageBase64Data"]) * 0.6


async def test_large_and_gone(installation: Installation) -> None:
    """Where none of several results is there any more, the answer is that of the first failure."""
    tasks = [new_task("paints", outputType="base64Data") for _ in range(2)]
    for item in (await post(installation, tasks)).json["data"]:
        for blob in (installation.folder / "images").rglob(f"{item['imageUUID']}.*"):
            blob.unlink()
    answer = await post(installation, [new_task("getResponse", taskUUID=task["taskUUID"]) for task in tasks])
    assert (answer.status, answer.json["error"]["code"]) == (404, "mediaNotFound")
    assert [error["taskUUID"] for error in answer.json["errors"]] == [task["taskUUID"] for task in tasks]
