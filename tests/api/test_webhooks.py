"""`webhookURL` and `uploadEndpoint` of a task: the ack, what is posted, what is put, what is refused."""

from __future__ import annotations

import base64
import hmac
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import pytest
from standardwebhooks.webhooks import Webhook

from tests.client import Client, new_task, request
from tests.harness import KEY, Installation
from tests.receiver import Receiver


def ack(task: dict[str, Any]) -> dict[str, Any]:
    return {"data": [{"taskType": task["taskType"], "taskUUID": task["taskUUID"]}]}


def posted(receiver: Receiver) -> list[Any]:
    """What came, in the order of the results."""
    frames = [arrival.json for arrival in receiver.arrivals]
    return sorted(frames, key=lambda frame: frame["data"][0].get("resultIndex", 0))


@pytest.mark.parametrize("delivery", ["sync", "async"])
async def test_results(client: Client, delivery: str):
    """With a webhookURL the ack comes at once, then each result is posted alone; getResponse has them all."""
    async with Receiver() as receiver:
        task = new_task("paints", numberResults=3, width=8, webhookURL=receiver.url("/h?s=1"), deliveryMethod=delivery)
        assert await client.ask(task) == [ack(task)]
        await receiver.quiet(3)
        await client.ping()
    (known,) = await client.ask({"taskType": "getResponse", "taskUUID": task["taskUUID"]})
    results = [{name: value for name, value in item.items() if name != "status"} for item in known["data"]]
    assert posted(receiver) == [{"data": [item]} for item in results]
    assert {arrival.path for arrival in receiver.arrivals} == {"/h?s=1"}
    assert len({arrival.id for arrival in receiver.arrivals}) == 3


async def test_ack_does_not_wait(client: Client):
    """The ack waits for nothing, not even for a task that is quick."""
    async with Receiver() as receiver:
        tasks = [new_task("sleeps", seconds=seconds, webhookURL=receiver.url()) for seconds in (1, 0)]
        assert await client.ask(*tasks, within=0.9) == [ack(task) for task in tasks]
        await receiver.got(2)


async def test_over_http(installation: Installation):
    """Over HTTP the same: the answer is the ack, beside the results of other tasks."""
    async with Receiver() as receiver:
        hooked, plain = new_task("nothing", webhookURL=receiver.url()), new_task("nothing")
        for _ in range(2):
            answer = await request("POST", f"{installation.url}/v1", [hooked, plain], Authorization=f"Bearer {KEY}")
            assert answer.json["data"] == [*ack(hooked)["data"], ack(plain)["data"][0] | {"text": "done"}]
        (arrival,) = await receiver.quiet(1)
    assert arrival.json == {"data": [ack(hooked)["data"][0] | {"text": "done"}]}


async def test_failure(client: Client):
    """A failure is posted once, as the errors that a socket would get."""
    async with Receiver() as receiver:
        task = new_task("exits", how="raise", webhookURL=receiver.url())
        assert await client.ask(task) == [ack(task)]
        (arrival,) = await receiver.quiet(1)
    (error,) = arrival.json["errors"]
    assert arrival.json.keys() == {"errors"}
    assert (error["code"], error["taskUUID"]) == ("internalServerError", task["taskUUID"])
    assert not error.keys() & {"status", "retryable"}


async def test_duplicate(client: Client):
    """The same task twice, as a client may send it, is acknowledged twice and posted once; another one is refused."""
    async with Receiver() as receiver:
        task = new_task("sleeps", seconds=0.5, webhookURL=receiver.url())
        await client.send([task, task])
        assert [await client.next(), await client.next()] == [ack(task)] * 2
        await receiver.got(1)
        assert await client.ask(task) == [ack(task)]
        await receiver.quiet(1)
        (frame,) = await client.ask(task | {"webhookURL": receiver.url("/elsewhere")})
    assert frame["errors"][0]["code"] == "conflictTaskUUID"


async def test_signature(client: Client, other: Client):
    """accountManagement tells the secret with which the library of Standard Webhooks verifies what comes."""
    secret = (await client.run("accountManagement", operation="getDetails"))["webhookSecret"]
    assert (await other.run("accountManagement"))["webhookSecret"] != secret
    async with Receiver() as receiver:
        await client.ask(new_task("nothing", webhookURL=receiver.url()))
        (arrival,) = await receiver.got(1)
    assert Webhook(secret).verify(arrival.body, arrival.headers) == arrival.json


async def test_bytes_in_the_message(client: Client):
    """A result that was asked for as base64 is posted with its own bytes."""
    async with Receiver() as receiver:
        members = {"numberResults": 2, "noise": True, "outputType": ["base64Data", "URL"]}
        await client.ask(new_task("paints", webhookURL=receiver.url(), **members))
        await receiver.got(2)
    for frame in posted(receiver):
        (item,) = frame["data"]
        assert base64.b64decode(item["imageBase64Data"]) == (await request("GET", item["imageURL"])).body


async def test_prediction(installation: Installation):
    """A prediction is posted once when it has ended, bare and signed as its clients check it; a bad URL is refused."""
    told = {"Authorization": f"Bearer {KEY}"}
    secret = (await request("GET", f"{installation.url}/api/v3/webhook/secret", **told)).json["data"]["secret"]
    async with Receiver() as receiver:
        for model, body in (("paints", {"width": 8, "numberResults": 2}), ("exits", {"how": "raise"})):
            where = f"{installation.url}/api/v3/taskarray/{model}?webhook="
            answer = await request("POST", where + quote(receiver.url("/hook?a=1&b=2")), body, **told)
            arrival = (await receiver.quiet(len(receiver.arrivals) + 1))[-1]
            shown = (await request("GET", answer.json["data"]["urls"]["get"], **told)).json["data"]
            assert arrival.path == "/hook?a=1&b=2"
            assert arrival.json == shown
            message = f"{arrival.id}.{arrival.headers['webhook-timestamp']}.".encode() + arrival.body
            key = secret.removeprefix("whsec_").encode()
            assert arrival.headers["webhook-signature"] == f"v3,{hmac.new(key, message, sha256).hexdigest()}"
    assert [arrival.json["status"] for arrival in receiver.arrivals] == ["completed", "failed"]
    assert [len(arrival.json["outputs"]) for arrival in receiver.arrivals] == [2, 0]
    assert (await request("POST", f"{where}http://10.0.0.1/", {}, **told)).status == 400


@pytest.mark.parametrize("spelled", ["PNG", "WEBP"])
async def test_upload(client: Client, spelled: str):
    """The bytes of each result are put at the uploadEndpoint, with their type; the answer comes as ever."""
    async with Receiver() as receiver:
        task = new_task(
            "paints", numberResults=2, noise=True, outputFormat=spelled, uploadEndpoint=receiver.url("/p?s")
        )
        (frame,) = await client.ask(task)
        arrivals = await receiver.quiet(2)
    images = [(await request("GET", item["imageURL"])).body for item in frame["data"]]
    assert sorted(arrival.body for arrival in arrivals) == sorted(images)
    for arrival in arrivals:
        assert (arrival.method, arrival.path) == ("PUT", "/p?s")
        assert arrival.headers["content-type"] == f"image/{spelled.lower()}"
        assert not any(name.startswith("webhook-") for name in arrival.headers)


async def test_upload_of_results_only(client: Client):
    """What came with a task is not put anywhere, nor is anything of a task without images or of one that fails."""
    (picture,) = (await client.ask(new_task("paints", outputType="dataURI")))[0]["data"]
    async with Receiver() as receiver:
        task = new_task("paints", inputImage=picture["imageDataURI"], width=8, uploadEndpoint=receiver.url())
        (frame,) = await client.ask(task)
        await client.ask(*(new_task(name, uploadEndpoint=receiver.url()) for name in ("nothing", "exits")))
        (arrival,) = await receiver.quiet(1)
    assert frame["data"][0]["inputImageUUID"]
    assert arrival.body == (await request("GET", frame["data"][0]["imageURL"])).body


@pytest.mark.parametrize(
    ("name", "code"), [("webhookURL", "invalidWebhookURL"), ("uploadEndpoint", "invalidUploadEndpoint")]
)
@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/hook", "http://169.254.169.254/", "http://[fe80::1]/", "ftp://a.example/", "hook", "",
        "http://name:word@a.example/", "https://a.example/" + "x" * 9000, 7, ["http://a.example"],
    ],
    ids=lambda url: str(url)[:30],
)  # fmt: skip
async def test_refused(client: Client, name: str, code: str, url: Any):
    """A URL to which nothing could be sent is refused at once, under its name."""
    error = await client.fail("nothing", **{name: url})
    assert (error["code"], error["parameter"]) == (code, name)


async def test_null_is_absent(client: Client):
    """A null is no URL: the result is the answer."""
    assert (await client.run("nothing", webhookURL=None, uploadEndpoint=None))["text"] == "done"
