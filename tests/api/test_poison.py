"""An answer that a client hangs up on for its size comes in another form the next time, and never makes a loop."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
import websockets
from PIL import Image

from tests.api.conftest import Beside
from tests.client import new_task, request
from tests.harness import KEY, Installation
from tests.tasks.desk import data_uri

LARGE = {"width": 1000, "noise": True, "outputFormat": "PNG", "outputType": "base64Data"}
WARNED = ["resultTooLargeForConnection"]


class HungUp(Exception):
    """A client that comes back has hung up often enough."""


class Returning:
    """A client that takes messages up to `most` bytes, and comes back with its session whenever that ends a socket."""

    def __init__(self, installation: Installation, most: int) -> None:
        self.installation = installation
        self.most = most
        self.session = ""
        self.hung_up = 0

    async def answer(self, message: dict[str, Any], times: int = 2) -> dict[str, Any]:
        """Send a message again and again until its answer can be taken; of getResponse, the final one."""
        async with asyncio.timeout(20):
            while self.hung_up < times:
                client = await self.installation.client().connect(self.session, max_size=self.most)
                self.session = client.session
                try:
                    while True:
                        await client.send([message])
                        frame = await client.next()
                        if message["taskType"] != "getResponse" or _final(frame):
                            return frame
                except websockets.ConnectionClosed as closed:
                    assert closed.sent.code == 1009
                    self.hung_up += 1
                finally:
                    await client.close()
        raise HungUp


def _final(frame: dict[str, Any]) -> bool:
    """Whether it is not an ack, which is sent again to who resumes, and tells no news of a running task."""
    return "errors" in frame or frame["data"][0].get("status", "processing") != "processing"


def asks(task: dict[str, Any]) -> dict[str, Any]:
    return new_task("getResponse", taskUUID=task["taskUUID"])


async def test_sync(installation: Installation) -> None:
    """A sync result above what its client takes comes with its URL and a warning when the client is back."""
    client, task = Returning(installation, 2**20), new_task("paints", **LARGE)
    (item,) = (await client.answer(task))["data"]
    assert (client.hung_up, item["taskUUID"], item["warnings"]) == (1, task["taskUUID"], WARNED)
    assert not {"imageBase64Data", "imageDataURI"} & item.keys()
    answer = await request("GET", item["imageURL"])
    assert answer.headers["content-type"] == "image/png"
    assert len(answer.body) > 2**20


async def test_replayed(installation: Installation) -> None:
    """Who only resumes its session, and sends nothing again, gets it so as well."""
    task = new_task("paints", **LARGE)
    client = await installation.client().connect(max_size=2**20)
    await client.send([task])
    assert (await client.closed())[0] == 1006  # nothing came from the server: the client itself has closed
    back = await installation.client().connect(client.session, max_size=2**20)
    (item,) = (await back.next())["data"]
    assert (item["taskUUID"], item["warnings"]) == (task["taskUUID"], WARNED)
    await back.close()


async def test_asked_for(beside: Beside) -> None:
    """A result that is asked for with getResponse comes so as well, on this socket and on every later one."""
    gateway = beside(EAGER_ACK="0")
    client, task = Returning(gateway, 2**20), new_task("paints", **LARGE, numberResults=2, deliveryMethod="async")
    assert (await client.answer(task))["data"][0].keys() == {"taskType", "taskUUID"}
    frame = await client.answer(asks(task))
    assert client.hung_up == 1
    assert [(item["status"], item["warnings"]) for item in frame["data"]] == [("success", WARNED)] * 2
    assert len({item["imageURL"] for item in frame["data"]}) == 2
    async with gateway.client() as other:
        assert await other.ask(asks(task)) == [frame]
        (details,) = (await other.ask(new_task("getTaskDetails", taskUUID=task["taskUUID"])))[0]["data"]
        assert [item["warnings"] for item in details["response"]["data"]] == [WARNED] * 2
    posted = await request("POST", f"{gateway.url}/v1", [asks(task)], authorization=f"Bearer {KEY}")
    assert posted.json == frame


async def test_other_names(installation: Installation) -> None:
    """The URL stands under the name that the task's images have."""
    sent = data_uri(Image.effect_noise((200, 200), 100))
    task = new_task("controlNetPreprocess", inputImage=sent, preProcessorType="canny", outputType=["dataURI"])
    client = Returning(installation, 2000)
    (item,) = (await client.answer(task))["data"]
    assert (client.hung_up, item["warnings"]) == (1, WARNED)
    assert "guideImageDataURI" not in item
    assert item["guideImageUUID"] in item["guideImageURL"]
    assert (await request("GET", item["guideImageURL"])).status == 200


async def test_url_as_well(installation: Installation) -> None:
    """Only what is too large is left out, and only of the task that was too large."""
    task, small = new_task("paints", **LARGE | {"outputType": ["URL", "dataURI"]}), new_task("paints", **LARGE, ttl=90)
    small |= {"width": 8}
    client = await installation.client().connect()
    whole, other = (frame["data"][0] for frame in await client.ask(task, small))
    await client.socket.close(1009)
    async with installation.client() as back:
        (item,), (again,) = [frame["data"] for frame in await back.ask(asks(task), asks(small))]
    del whole["imageDataURI"]
    assert item == whole | {"status": "success", "warnings": WARNED}
    assert again == other | {"status": "success"}
    assert base64.b64decode(again["imageBase64Data"])


async def test_given_up(installation: Installation) -> None:
    """After three times the answer is an error of this task that says what to do, to whoever asks."""
    task, small = new_task("paints", **LARGE), Returning(installation, 256)
    with pytest.raises(HungUp):
        await small.answer(task, times=3)
    async with installation.client() as client:
        (error,), (asked,) = [frame["errors"] for frame in [*await client.ask(task), *await client.ask(asks(task))]]
        assert asked == error | {"status": "error"}
        assert (error["code"], error["parameter"], error["taskUUID"]) == (
            "valueTooLarge", "outputType", task["taskUUID"],
        )  # fmt: skip
        assert "outputType URL" in error["message"]
        assert (await client.run("paints", **LARGE))["imageBase64Data"]


async def test_closed_by_the_server(beside: Beside) -> None:
    """A socket that the server closes for a message above its own limit says nothing about an answer."""
    task, client = new_task("paints", outputType="base64Data"), await beside(MAX_MESSAGE="64KiB").client().connect()
    await client.ask(task)
    await client.send("x" * 100_000)
    assert (await client.closed())[0] == 1009
    async with beside(MAX_MESSAGE="64KiB").client() as back:
        assert (await back.ask(asks(task)))[0]["data"][0]["imageBase64Data"]


async def test_what_has_arrived(installation: Installation) -> None:
    """What a client has had for some seconds is not what it hangs up on; what is unknown is not made known by that."""
    task, client = new_task("paints", outputType="base64Data"), await installation.client().connect()
    await client.ask(task)
    await asyncio.sleep(5.2)
    unknown = new_task("ping", ping=True)
    await client.ask(unknown)
    await client.socket.close(1009)
    async with installation.client() as back:
        assert (await back.ask(asks(task)))[0]["data"][0]["imageBase64Data"]
        assert (await back.ask(asks(unknown)))[0]["errors"][0]["code"] == "taskNotFound"
