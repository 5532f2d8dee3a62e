"""Binary frames on a socket that asked for them: uploads in, results out."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import struct
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from blake3 import blake3
from PIL import Image

from tests.api.conftest import Beside
from tests.client import Client, new_task, request
from tests.harness import KEY, OTHER_KEY, Installation, wait_for
from tests.pictures.files import encoded, opened

PICTURE = Image.frombytes("RGB", (400, 300), random.Random(7).randbytes(400 * 300 * 3))
PNG = encoded(PICTURE, "PNG")
QUERY = "?features=binary"
HASH = f"blake3:{blake3(PNG).hexdigest()}"


@pytest.fixture
async def client(installation: Installation) -> AsyncIterator[Client]:
    """An authenticated client of the shared installation that asked for binary frames."""
    async with installation.client(query=QUERY) as found:
        yield found


def framed(task: dict[str, Any], index: int, part: bytes) -> bytes:
    """One binary frame."""
    return UUID(task["taskUUID"]).bytes + struct.pack(">I", index) + part


def announced(frames: int = 3, file: bytes = PNG, **members: Any) -> tuple[dict[str, Any], list[bytes]]:
    """The announcement of an upload, and its binary frames."""
    task = new_task("imageUpload", binary={"frames": frames, "bytes": len(file)} | members)
    size = -(-len(file) // frames)
    return task, [framed(task, index, file[index * size : (index + 1) * size]) for index in range(frames)]


async def uploaded(client: Client, task: dict[str, Any], parts: list[bytes]) -> dict[str, Any]:
    """Announce, send every part, and take the one item of the answer."""
    await client.send([task])
    for part in parts:
        await client.send(part)
    frame = await client.answer(task["taskUUID"])
    assert "data" in frame, frame
    return frame["data"][0]


async def downloaded(item: dict[str, Any]) -> bytes:
    """The bytes at an item's imageURL."""
    return (await request("GET", item["imageURL"])).body


async def missing(client: Client) -> dict[str, Any]:
    """The next frame, which tells what of one upload is missing."""
    (event,) = (await client.next())["events"]
    assert event.pop("type") == "upload.missing"
    return event


async def refused(client: Client, uuid: str) -> dict[str, Any]:
    """The one error of the next frame, which is about this task."""
    (error,) = (await client.next())["errors"]
    assert error["taskUUID"] == uuid
    return error


async def test_upload(client: Client) -> None:
    """A file that comes in binary frames is an upload as any other; with its hash or without."""
    for more in ({}, {"hash": HASH}, {"hash": None}):
        task, parts = announced(**more)
        item = await uploaded(client, task, parts)
        assert item.keys() == {"taskType", "taskUUID", "imageUUID", "imageURL"}
        assert item["taskUUID"] == task["taskUUID"]
        assert await downloaded(item) == PNG
    await client.ping()


async def test_any_order(client: Client) -> None:
    """Frames may come in any order, between each other and between tasks, and more than once."""
    pairs = [announced(frames) for frames in (1, 2, 5, 9)]
    frames = [part for _, parts in pairs for part in parts * 2]
    random.Random(3).shuffle(frames)
    await client.send([task for task, _ in pairs])
    for frame in frames:
        await client.send(frame)
    for answer in await client.answers(*(task for task, _ in pairs)):
        assert await downloaded(answer["data"][0]) == PNG
    await client.ping()


async def test_a_large_one(client: Client) -> None:
    """Frames have up to 1 MiB of a file."""
    file = PNG + bytes(3 * 2**20 - len(PNG))
    item = await uploaded(client, *announced(3, file))
    assert opened(await downloaded(item)).tobytes() == PICTURE.tobytes()


async def test_same_task(client: Client) -> None:
    """The same file under the same taskUUID is the same task, whatever way it comes; another one is a conflict."""
    task, parts = announced()
    item = await uploaded(client, task, parts)
    assert await uploaded(client, task, []) == item
    hashed = task | {"binary": task["binary"] | {"frames": 1, "hash": HASH}}
    assert await uploaded(client, hashed, []) == item
    encoded_ = {"taskType": "imageUpload", "taskUUID": task["taskUUID"], "image": base64.b64encode(PNG).decode()}
    assert (await client.ask(encoded_))[0]["data"] == [item]
    other = task | {"binary": {"frames": 1, "bytes": 5}}
    assert (await client.ask(other))[0]["errors"][0]["code"] == "conflictTaskUUID"
    await client.send([hashed | {"binary": hashed["binary"] | {"hash": f"blake3:{'0' * 64}"}}])
    assert (await client.answer(task["taskUUID"]))["errors"][0]["code"] == "conflictTaskUUID"


async def test_encoded_first(client: Client) -> None:
    """A task that came as base64 is known when it comes in binary frames."""
    task, parts = announced()
    encoded_ = {"taskType": "imageUpload", "taskUUID": task["taskUUID"], "image": base64.b64encode(PNG).decode()}
    (frame,) = await client.ask(encoded_)
    assert await uploaded(client, task, parts) == frame["data"][0]


async def test_resume(installation: Installation, beside: Beside) -> None:
    """An upload that was cut off goes on at another socket, or gateway, when it is announced again: its client is told
    what is missing."""
    task, parts = announced(5)
    first = await installation.client(query=QUERY).connect()
    await first.send([task])
    for index in (3, 0):
        await first.send(parts[index])
    await first.send([task])
    event = await missing(first)
    assert event == {"taskUUID": task["taskUUID"], "frames": [1, 2, 4]}
    await first.drop()
    async with beside(IDLE_TIMEOUT="90s").client(query=QUERY) as second:
        await second.send([task])
        assert await missing(second) == event
        for index in (1, 2, 4):
            await second.send(parts[index])
        item = (await second.answer(task["taskUUID"]))["data"][0]
        assert await downloaded(item) == PNG


async def test_two_sockets(installation: Installation) -> None:
    """Two sockets may bring one upload together; each that announced it is answered."""
    task, parts = announced(4)
    async with installation.client(query=QUERY) as first, installation.client(query=QUERY) as second:
        await first.send([task])
        await first.send(parts[0])
        await first.send([task])
        assert (await missing(first))["frames"] == [1, 2, 3]
        await second.send([task])
        assert (await missing(second))["frames"] == [1, 2, 3]
        for part in parts[2:]:
            await second.send(part)
        await second.send(parts[1])
        item = (await second.answer(task["taskUUID"]))["data"][0]
        await first.send(parts[1])
        assert (await first.answer(task["taskUUID"]))["data"][0] == item


async def test_wrong(client: Client) -> None:
    """A file of another size or hash than was said is refused, with what was expected and found; then the same
    taskUUID may be used again."""
    task, parts = announced(2)
    await client.send([task])
    for part in parts:
        await client.send(part[:-1])
    error = await refused(client, task["taskUUID"])
    assert (error["code"], error["expected"], error["found"]) == ("invalidBinary", len(PNG), len(PNG) - 2)
    await client.send([task])
    await client.send(parts[0] + parts[1])
    error = await refused(client, task["taskUUID"])
    assert (error["code"], error["expected"]) == ("invalidBinary", len(PNG))
    await client.send(parts[1])
    wrong = task | {"binary": task["binary"] | {"hash": f"blake3:{'0' * 64}"}}
    await client.send([wrong])
    for part in parts:
        await client.send(part)
    error = await refused(client, task["taskUUID"])
    assert (error["code"], error["expected"], error["found"]) == ("invalidBinary", wrong["binary"]["hash"], HASH)
    assert await downloaded(await uploaded(client, task, parts)) == PNG


async def test_bad_frames(client: Client) -> None:
    """A frame that belongs to nothing, says nothing or too much is told of under its task, and harms nothing."""
    task, parts = announced(2)
    await client.send([task])
    for frame, uuid in ((b"ping", ""), (parts[0][:19], task["taskUUID"]), (parts[0][:20], task["taskUUID"])):
        await client.send(frame)
        (error,) = (await client.next())["errors"]
        assert (error["code"], error.get("taskUUID", "")) == ("invalidBinary", uuid)
    await client.send(framed(task, 2, b"x"))
    assert (await refused(client, task["taskUUID"]))["code"] == "invalidBinary"
    await client.send(framed(task, 0, bytes(2**20 + 1)))
    assert (await refused(client, task["taskUUID"]))["code"] == "invalidBinary"
    unknown = new_task("imageUpload")
    for _ in range(3):
        await client.send(framed(unknown, 0, b"x"))
    assert (await refused(client, unknown["taskUUID"]))["code"] == "taskNotFound"
    await client.ping()
    for part in parts:
        await client.send(part)
    assert await downloaded((await client.answer(task["taskUUID"]))["data"][0]) == PNG


async def test_bad_announcements(client: Client) -> None:
    """What is said of a file must be possible, and is of uploads only; all else is refused before any frame."""
    for binary, code in (
        ({"frames": 1}, "invalidBinary"),
        ({"frames": 0, "bytes": 1}, "invalidBinary"),
        ({"frames": 4097, "bytes": 2**20}, "invalidBinary"),
        ({"frames": 2, "bytes": 1}, "invalidBinary"),
        ({"frames": 1, "bytes": 2**20 + 1}, "invalidBinary"),
        ({"frames": 1, "bytes": 1, "hash": "md5:00"}, "invalidBinary"),
        ("many", "invalidBinary"),
        ({"frames": 100, "bytes": 65 * 2**20}, "valueTooLarge"),
    ):
        error = await client.fail("imageUpload", binary=binary)
        assert (error["code"], error["parameter"]) == (code, "binary")
    fine = {"frames": 1, "bytes": 1}
    assert (await client.fail("imageUpload", binary=fine, image="x"))["code"] == "invalidBinary"
    assert (await client.fail("imageUpload", binary=fine, priority=99))["code"] == "invalidPriority"
    assert (await client.fail("upscale", binary=fine, inputImage=str(uuid4())))["code"] == "invalidBinary"


async def test_without_the_feature(installation: Installation) -> None:
    """Without the feature there are no binary frames: a message of bytes is JSON, and nothing comes in such frames."""
    async with installation.client() as plain:
        assert (await plain.fail("imageUpload", binary={"frames": 1, "bytes": 1}))["code"] == "invalidBinary"
        error = await plain.fail("paints", outputType="binary")
        assert (error["code"], error["parameter"]) == ("invalidOutputType", "outputType")
        task = new_task("ping")
        await plain.send(json.dumps([task]).encode())
        assert (await plain.next())["data"][0]["taskUUID"] == task["taskUUID"]
    for task in (new_task("imageUpload", binary={"frames": 1, "bytes": 1}), new_task("paints", outputType=["binary"])):
        answer = await request("POST", f"{installation.url}/v1", [task], authorization=f"Bearer {KEY}")
        assert (answer.status, answer.json["error"]["code"][:7]) == (400, "invalid")


async def test_too_many(beside: Beside) -> None:
    """A key may have 64 uploads under way; another key's are other ones, of the same taskUUID too."""
    where = beside(API_KEYS=f"limited:limited-key,other:{OTHER_KEY}")
    pairs = [announced(2) for _ in range(65)]
    async with (
        where.client(query=QUERY, key="limited-key") as client,
        where.client(query=QUERY, key=OTHER_KEY) as other,
    ):
        await client.send([task for task, _ in pairs])
        (error,) = (await client.next())["errors"]
        assert (error["code"], error["retryAfter"] > 0) == ("rateLimitExceeded", True)
        assert await downloaded(await uploaded(other, *pairs[0])) == PNG
        await client.send([pairs[0][0]])
        await client.quiet(0.3)


async def test_builds_on_it(client: Client) -> None:
    """Tasks of the same message may build on a file that is still to come; where it fails, they fail."""
    (task, parts), (broken, _) = announced(), announced()
    child = new_task("imageTransform", inputImage=task["taskUUID"], operations=[{"operation": "rotate", "angle": 90}])
    orphan = new_task("imageTransform", inputImage=broken["taskUUID"], operations=[{"operation": "flip"}])
    await client.send([child, task, orphan, broken])
    for part in parts:
        await client.send(part)
    assert "data" in await client.answer(task["taskUUID"])
    item = (await client.answer(child["taskUUID"]))["data"][0]
    assert opened(await downloaded(item)).size == (300, 400)
    await client.send(framed(broken, 0, bytes(len(PNG) + 1)))
    assert (await client.answer(broken["taskUUID"]))["errors"][0]["code"] == "invalidBinary"
    assert (await client.answer(orphan["taskUUID"]))["errors"][0]["code"] == "dependencyFailed"


async def received(client: Client, item: dict[str, Any]) -> bytes:
    """The image that follows an item in binary frames, put together."""
    told, file = item["binary"], b""
    for index in range(told["first"], told["first"] + told["frames"]):
        frame = await client.socket.recv()
        assert isinstance(frame, bytes) and len(frame) <= 2**20
        assert frame[:20] == framed(item, index, b"")
        file += frame[20:]
    assert (len(file), f"blake3:{blake3(file).hexdigest()}") == (told["bytes"], told["hash"])
    return file


LARGE = {"width": 900, "height": 700, "noise": True, "outputFormat": "PNG"}


async def test_results(client: Client) -> None:
    """With outputType binary the images follow the answer in binary frames, whose indexes run on over all of them."""
    task = new_task("paints", outputType="binary", numberResults=2, **LARGE)
    (frame,) = await client.ask(task)
    assert [item["binary"]["first"] for item in frame["data"]] == [0, frame["data"][0]["binary"]["frames"]]
    for item in frame["data"]:
        assert item["binary"]["member"] == "image"
        assert item["binary"]["frames"] > 1
        assert await received(client, item) == await downloaded(item)
    await client.ping()
    item = await client.run("paints", outputType=["binary", "base64Data"])
    assert base64.b64decode(item["imageBase64Data"]) == await received(client, item)


async def test_asked_for(client: Client, installation: Installation) -> None:
    """They come with an answer that is asked for too, and again; over HTTP and to other sockets there is the URL."""
    task = new_task("paints", outputType="binary", deliveryMethod="async")
    (frame,) = await client.ask(task)
    if "imageUUID" in frame["data"][0]:
        await received(client, frame["data"][0])
    asked = {"taskType": "getResponse", "taskUUID": task["taskUUID"]}
    for _ in range(2):
        (frame,) = await client.ask(asked)
        assert await received(client, frame["data"][0]) == await downloaded(frame["data"][0])
    (frame,) = await client.ask(asked | {"taskType": "getTaskDetails"})
    assert "binary" not in frame["data"][0]["response"]["data"][0]
    answer = await request("POST", f"{installation.url}/v1", [asked], authorization=f"Bearer {KEY}")
    (item,) = answer.json["data"]
    assert "binary" not in item and await downloaded(item)
    async with installation.client() as plain:
        (frame,) = await plain.ask(asked)
        assert frame["data"] == [item]
    await client.ping()


async def test_replay(installation: Installation) -> None:
    """A result comes again to who returns to its session: in binary frames, or by its URL where these are not read."""
    first = await installation.client(query=QUERY).connect()
    task = new_task("paints", outputType="binary")
    (frame,) = await first.ask(task)
    await first.drop()
    second = await installation.client().connect(first.session)
    again = await second.answer(task["taskUUID"])
    assert again["data"][0] == {name: value for name, value in frame["data"][0].items() if name != "binary"}
    await second.drop()
    third = await installation.client(query=QUERY).connect(first.session)
    assert await third.answer(task["taskUUID"]) == frame
    assert await received(third, frame["data"][0]) == await downloaded(frame["data"][0])
    await third.close()


async def test_gone(client: Client, installation: Installation) -> None:
    """Where the image is no longer there, an error comes instead of frames."""
    task = new_task("paints", outputType="binary")
    (frame,) = await client.ask(task)
    await received(client, frame["data"][0])
    uuid = frame["data"][0]["imageUUID"]
    await client.run("mediaStorage", operation="delete", media=uuid)
    await asyncio.to_thread(wait_for, lambda: not list(installation.folder.rglob(f"{uuid}.*")))
    (frame,) = await client.ask(task)
    assert frame["errors"][0]["code"] == "mediaNotFound"


async def test_many_wait(client: Client) -> None:
    """However many tasks wait for files, the frames of these are taken; new ones are refused until some have come."""
    (task, parts), most = announced(1), 1000
    checks = [new_task("nothing", dependsOn=[task["taskUUID"]], validateOnly=True) for _ in range(60)]
    for _ in range(most // 60 + 1):
        await client.send([task, *({**check, "taskUUID": str(uuid4())} for check in checks)])
    late, _ = announced(1)
    (frame,) = await client.ask(late)
    assert (frame["errors"][0]["code"], frame["errors"][0]["retryAfter"]) == ("rateLimitExceeded", 1)
    await client.send(parts[0])
    assert "data" in await client.answer(task["taskUUID"])
    await client.drop()


async def test_replies_not_read(installation: Installation) -> None:
    """Who sends wrong frames and reads no answers is not listened to for long."""
    client = await installation.client(query=QUERY).connect(max_queue=1)
    task, _ = announced(2)
    await client.send([task])
    client.socket.transport.pause_reading()
    with pytest.raises(TimeoutError):
        for _ in range(400):
            async with asyncio.timeout(1):
                for _ in range(1000):
                    await client.send(framed(task, 9, bytes(64)))
    await client.drop()


async def test_stopped_meanwhile(beside: Beside) -> None:
    """A gateway that stops does not wait for files that do not come, nor for tasks that build on them."""
    gateway = beside(DRAIN_TIMEOUT="25s")
    client = await gateway.client(query=QUERY).connect()
    task, _ = announced()
    await client.send([task, new_task("nothing", dependsOn=[task["taskUUID"]])])
    await client.ping()
    (process,) = gateway.processes
    process.terminate()
    assert (await client.closed(5))[0] == 1012
