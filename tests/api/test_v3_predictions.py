"""The predictions API: a model is submitted, asked after, waited for; the same task is seen by every face."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from PIL import Image

from tests.api.conftest import Beside
from tests.api.predictions import ask, checked, data, ended, refusal, run, submit, told
from tests.client import Client, new_task, request
from tests.harness import KEY, OTHER_KEY, Installation
from tests.tasks.desk import data_uri

RED = data_uri(Image.new("RGB", (16, 8), "red"))
NO_BASE64 = {"error": "webhook callback does not support base64 output, please use the normal API to use base64 output"}


@pytest.mark.parametrize("prefix", ["/api/v3", "/api/v2"])
async def test_life(installation: Installation, prefix: str) -> None:
    """A submission is answered 200 and `created`, is `processing` while it runs, and ends `completed`."""
    first = await data(installation, "POST", f"{prefix}/taskarray/sleeps", {"seconds": 0.6})
    checked(first)
    assert (first["status"], first["outputs"], first["error"], first["code"]) == ("created", [], "", 0)
    await asyncio.sleep(0.3)
    seen = await data(installation, "GET", f"{prefix}/predictions/{first['id']}/result")
    assert checked(seen)["status"] == "processing"
    last = await ended(installation, first["id"])
    assert (last["status"], last["outputs"]) == ("completed", ["slept 0.6"])
    assert last["executionTime"] >= 600
    assert last["created_at"] == first["created_at"]
    assert last["input"] == {"seconds": 0.6}


async def test_both_paths(installation: Installation) -> None:
    """Both addresses of a prediction, and `urls.get`, give the same bytes, whichever way its id is written."""
    shown = await run(installation, "taskarray/paints", width=8, numberResults=2)
    assert len(shown["outputs"]) == 2
    dashed = str(UUID(shown["id"]))
    bodies = {
        (await ask(installation, "GET", f"/predictions/{name}{end}")).body
        for name in (shown["id"], dashed, dashed.upper())
        for end in ("", "/result")
    }
    bodies.add((await request("GET", shown["urls"]["get"], authorization=f"Bearer {KEY}")).body)
    (body,) = bodies
    assert json.loads(body)["data"] == shown


async def test_unknown(installation: Installation) -> None:
    """What was never submitted with this key is 404, also another key's prediction."""
    mine = await run(installation, "taskarray/nothing")
    for name in (uuid4().hex, "nonsense", "é", "0" * 33):
        found = await refusal(installation, "GET", f"/predictions/{name.replace('é', '%C3%A9')}/result")
        assert found == (404, 404, "prediction not found")
    assert (await refusal(installation, "GET", f"/predictions/{mine['id']}", key=OTHER_KEY))[0] == 404


async def test_sync(installation: Installation) -> None:
    """In sync mode the answer is the end, and a failure is answered 200 too."""
    shown = await run(installation, "taskarray/paints", width=8)
    assert (shown["status"], shown["code"]) == ("completed", 0)
    assert (await request("GET", shown["outputs"][0])).status == 200
    shown = await run(installation, "taskarray/regrets", image=RED, how="refuse")
    assert (shown["status"], shown["code"], shown["outputs"]) == ("failed", 1401, [])
    assert shown["error"] == "After all, no."


async def test_sync_timeout(beside: Beside) -> None:
    """A wait in sync mode ends in `processing`, 5004 and the words that clients look for; the task goes on."""
    gateway = beside(SYNC_WAIT="300ms")
    shown = await run(gateway, "taskarray/sleeps", seconds=1)
    assert (shown["status"], shown["code"], shown["outputs"]) == ("processing", 5004, [])
    assert shown["error"].startswith("Sync mode timed out after 0.3 seconds.")
    last = await ended(gateway, shown["id"])
    assert (last["status"], last["code"], last["error"]) == ("completed", 0, "")


@pytest.mark.parametrize("sync", [False, True])
async def test_base64(installation: Installation, sync: bool) -> None:
    """With enable_base64_output each output is one whole file in naked base64, in every answer but lists."""
    inputs = {"width": 8, "numberResults": 2, "outputFormat": "PNG", "enable_base64_output": True}
    shown = await submit(installation, "taskarray/paints", enable_sync_mode=sync, **inputs)
    if sync:
        assert shown == await ended(installation, shown["id"])
    for output in (last := await ended(installation, shown["id"]))["outputs"]:
        with Image.open(io.BytesIO(base64.b64decode(output, validate=True))) as picture:
            assert (picture.format, picture.size) == ("PNG", (8, 8))
    assert len(last["outputs"]) == 2
    listed = await data(installation, "POST", "/predictions", {"page_size": 1})
    assert all(output.startswith("http") for output in listed["items"][0]["outputs"])


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("where", ["query", "body"])
async def test_webhook_and_base64(installation: Installation, where: str, sync: bool) -> None:
    """Base64 with a webhook is refused with exactly the documented body, and there is no task."""
    hook = "https://hook.example/x?a=1&b=2"
    body = {"width": 8, "enable_base64_output": True, "enable_sync_mode": sync}
    before = (await data(installation, "GET", "/predictions"))["total"]
    query = f"?webhook={hook}" if where == "query" else ""
    body |= {"webhook_url": hook} if where == "body" else {}
    reply = await ask(installation, "POST", f"/taskarray/paints{query}", body)
    assert (reply.status, reply.json) == (400, NO_BASE64)
    assert reply.headers["content-type"] == "application/json"
    assert (await data(installation, "GET", "/predictions"))["total"] == before


async def test_refusals(installation: Installation) -> None:
    """What is wrong with a submission is said at once, with its HTTP status, in three members."""
    cut, scale = "/wavespeed-ai/image-background-remover", "/wavespeed-ai/real-esrgan"
    assert await refusal(installation, "POST", cut, {}) == (400, 1400, "image is required.")
    assert (await refusal(installation, "POST", cut, {"image": "%%%"}))[:2] == (400, 1401)
    assert (await refusal(installation, "POST", scale, {"image": RED, "scale": "two"}))[:2] == (400, 1401)
    assert (await refusal(installation, "POST", cut, {"image": RED, "enable_sync_mode": 1}))[:2] == (400, 1401)
    assert (await refusal(installation, "POST", "/nobody/no/model", {}))[:2] == (404, 404)
    for body in (b"{", b"[]", b'"x"', b"\xff"):
        assert (await refusal(installation, "POST", cut, body))[:2] == (400, 400)
    assert (await refusal(installation, "GET", cut))[:2] == (405, 405)
    assert (await refusal(installation, "PUT", "/predictions", {}))[:2] == (405, 405)


async def test_keys(installation: Installation) -> None:
    """Without a good key nothing is read; a key may come as X-API-Key."""
    for path in ("/taskarray/nothing", "/nobody/nothing", "/predictions", "/media/uploads"):
        assert await refusal(installation, "POST", path, b"{", key="wrong") == (401, 401, "invalid authentication")
    url = f"{installation.url}/api/v3/balance"
    assert (await request("GET", url, x_api_key=KEY)).json["data"] == {"balance": 0, "currency": "USD"}
    assert told(await request("GET", url))[0] == 401


async def test_too_large(beside: Beside) -> None:
    """A body over the limit is 413, and a rate that is passed is 429 with the documented words."""
    gateway = beside(MAX_MESSAGE="64KiB", RATE_LIMIT="1/min")
    assert (await refusal(gateway, "POST", "/taskarray/nothing", {"note": "x" * 2**16}))[:2] == (413, 413)
    found = [await ask(gateway, "POST", "/taskarray/nothing", {}, OTHER_KEY) for _ in range(3)]
    assert told(found[-1]) == (429, 429, "Too Many Requests")
    assert int(found[-1].headers["retry-after"]) >= 1


async def test_from_the_socket(installation: Installation, client: Client) -> None:
    """A task of the socket is a prediction too, with its pixels in base64 where it asked for them."""
    task = new_task("paints", width=8, outputFormat="PNG")
    (frame,) = await client.ask(task)
    shown = await ended(installation, task["taskUUID"])
    assert shown["outputs"] == [frame["data"][0]["imageURL"]]
    assert (shown["id"], shown["model"]) == (UUID(task["taskUUID"]).hex, "taskarray/paints")
    assert shown["input"] == {"width": 8, "outputFormat": "PNG"}
    inline = new_task("paints", width=8, outputType="dataURI", prediction="mine", input=[])
    (frame,) = await client.ask(inline)
    (output,) = (await ended(installation, inline["taskUUID"]))["outputs"]
    assert frame["data"][0]["imageDataURI"].endswith(f"base64,{output}")


async def test_to_the_socket(installation: Installation, client: Client) -> None:
    """A prediction is a task of the key: the socket knows it, and takes its output as an input."""
    shown = await run(installation, "wavespeed-ai/real-esrgan", image=RED, scale=2)
    assert shown["outputs"][0].endswith(".png")
    (frame,) = await client.ask({"taskType": "getResponse", "taskUUID": str(UUID(shown["id"]))})
    assert frame["data"][0]["imageURL"] == shown["outputs"][0]
    assert frame["data"][0]["taskType"] == "upscale"
    again = await client.run("upscale", input_image=shown["outputs"][0])
    assert again["inputImageUUID"] in shown["outputs"][0]


async def test_addresses(installation: Installation) -> None:
    """URLs begin with the address that the client used."""
    url = installation.url.replace("127.0.0.1", "localhost") + "/api/v3/taskarray/paints"
    reply = await request("POST", url, {"width": 8, "enable_sync_mode": True}, authorization=f"Bearer {KEY}")
    shown = reply.json["data"]
    assert all(link.startswith("http://localhost:") for link in (shown["urls"]["get"], *shown["outputs"]))


async def drop(where: Installation, model: str, body: dict[str, Any], after: float) -> None:
    """Submit, and go away without an answer."""
    parts = urlsplit(where.url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    content = json.dumps(body).encode()
    head = f"POST /api/v3/{model} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {KEY}\r\n"
    writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    await writer.drain()
    await asyncio.sleep(after)
    writer.transport.abort()
    await asyncio.sleep(0.2)


async def test_taken_up(installation: Installation, tmp_path: Path) -> None:
    """Who went away before the answer and sends the same again takes the task up, once for each time."""
    marker = tmp_path / "starts"
    body = {"seconds": 3, "marker": str(marker), "enable_sync_mode": True}
    await drop(installation, "taskarray/sleeps", body, 0.3)
    await drop(installation, "taskarray/sleeps", {"enable_sync_mode": True, **dict(reversed(body.items()))}, 0.3)
    shown = await run(installation, "taskarray/sleeps", seconds=3, marker=str(marker))
    assert (shown["status"], marker.read_text()) == ("completed", "started\n")
    later = await submit(installation, "taskarray/sleeps", **body)
    assert later["id"] != shown["id"]
    assert marker.read_text() == "started\nstarted\n"


async def test_not_taken_up(installation: Installation) -> None:
    """Requests that wait at the same time, another key's and other bodies are each a task of its own."""
    body = {"seconds": 0.8, "enable_sync_mode": True}
    await drop(installation, "taskarray/sleeps", body, 0.2)
    async with asyncio.TaskGroup() as group:
        asked = [
            group.create_task(data(installation, "POST", "/taskarray/sleeps", body | more, key))
            for more, key in [({}, OTHER_KEY), ({"marker": ""}, KEY), ({"seconds": 0.7}, KEY), ({}, KEY), ({}, KEY)]
        ]
    assert len({task.result()["id"] for task in asked}) == 5
