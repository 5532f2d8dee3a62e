"""POST /v1: the same array in one request, the answers in one body."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from tests.api.conftest import Beside
from tests.client import Reply, new_task, request
from tests.harness import KEY, OTHER_KEY, Installation
from tests.pictures.files import encoded
from tests.tasks.context import data_uri

DOT = data_uri(encoded(Image.new("L", (1, 1)), "PNG"))
HURRIED = {"SYNC_WAIT": "1s", "MAX_MESSAGE": "64KiB", "MAX_TASKS_PER_ARRAY": "2"}


async def post(where: Installation, body: Any, key: str = KEY, **headers: str) -> Reply:
    """The answer to a body, with a good key."""
    return await request("POST", f"{where.url}/v1", body, authorization=f"Bearer {key}", **headers)


def done(task: dict[str, Any]) -> dict[str, Any]:
    return {"taskType": task["taskType"], "taskUUID": task["taskUUID"], "text": "done"}


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1?sdk=js&version=1.3.2"])
@pytest.mark.parametrize("form", ["Bearer", "bearer", "payload", "both"])
async def test_keys(installation: Installation, form: str, path: str) -> None:
    """A key comes in the header or in the first element, which gets no item of its own; `errors` is absent."""
    task, headers = new_task("nothing"), {}
    if form != "payload":
        headers["authorization"] = f"{form.replace('both', 'Bearer')} {KEY}"
    key = [{"taskType": "authentication", "apiKey": KEY}] if form in ("payload", "both") else []
    answer = await request("POST", installation.url + path, [*key, task], **headers)
    assert (answer.status, answer.json) == (200, {"data": [done(task)]})
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (None, None), ("Bearer wrong", None), ("Bearer", None), (f"Basic {KEY}", None), (KEY, None), (None, "wrong"),
        (None, ""), (None, 7), (None, [KEY]), ("Bearer wrong", KEY),
    ],
)  # fmt: skip
async def test_wrong_keys(installation: Installation, header: str | None, key: object) -> None:
    """Without a good key nothing is done, and the answer is 401 with the failure in both forms."""
    task = new_task("nothing")
    tasks = [task] if key is None else [{"taskType": "authentication", "apiKey": key}, task]
    headers = {"authorization": header} if header else {}
    answer = await request("POST", f"{installation.url}/v1", tasks, **headers)
    assert answer.status == 401
    (error,) = answer.json["errors"]
    assert answer.json == {"errors": [error], "error": error}
    assert (error["code"], error["parameter"]) == ("invalidApiKey", "apiKey")
    assert (await post(installation, new_task("getResponse", taskUUID=task["taskUUID"]))).status == 404


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b'"x"', b"null", b"[[", b"\xff", b'[{"taskType":"ping"},]'])
async def test_malformed(installation: Installation, body: bytes) -> None:
    """A body that is no array of task objects is 400."""
    answer = await post(installation, body)
    (error,) = answer.json["errors"]
    assert (answer.status, error["code"], answer.json["error"]) == (400, "invalidRequest", error)


async def test_only_a_key(installation: Installation) -> None:
    """A request that only authenticates has nothing to do, and is told so."""
    answer = await request("POST", f"{installation.url}/v1", [{"taskType": "authentication", "apiKey": KEY}])
    assert (answer.status, answer.json["error"]["code"]) == (400, "invalidRequest")


async def test_single_object(installation: Installation) -> None:
    """A single object is taken as an array of one."""
    task = new_task("nothing")
    assert (await post(installation, task)).json == {"data": [done(task)]}


async def test_length(beside: Beside) -> None:
    """A body over the limit is 413, whether its length is declared or it comes in chunks; one of the limit passes."""
    gateway, task = beside(**HURRIED), new_task("nothing", note="")
    body = json.dumps([task | {"note": "x" * (2**16 - len(json.dumps([task])))}]).encode()
    assert len(body) == 2**16

    def chunks(body: bytes) -> Iterator[bytes]:
        return (body[at : at + 5000] for at in range(0, len(body), 5000))

    assert (await post(gateway, body)).json == {"data": [done(task)]}
    assert (await post(gateway, chunks(body))).json == {"data": [done(task)]}
    for large in (body + b" ", chunks(body + b" "), b" " * 2**22, chunks(b" " * 2**22)):
        answer = await post(gateway, large)
        (error,) = answer.json["errors"]
        assert (answer.status, answer.json["error"]) == (413, error)
        assert (error["code"], error["max"]) == ("maxRequestSizeExceeded", 2**16)


async def test_length_of_an_array(beside: Beside) -> None:
    """Of an array that is too long the first tasks are done and the rest refused."""
    tasks = [new_task("nothing") for _ in range(3)]
    answer = await post(beside(**HURRIED), tasks)
    assert (answer.status, answer.json["data"]) == (200, [done(task) for task in tasks[:2]])
    (error,) = answer.json["errors"]
    assert (error["code"], error["taskUUID"]) == ("maxRequestSizeExceeded", tasks[2]["taskUUID"])


async def test_rate(beside: Beside) -> None:
    """What comes too fast is 429, with the time to wait in the header too, and passes after that time."""
    gateway = beside(RATE_LIMIT="1/s")
    for _ in range(50):  # on a slow machine the first ones do not come too fast
        answer = await post(gateway, [new_task("nothing")], OTHER_KEY)
        if answer.status != 200:
            break
    error = answer.json["error"]
    assert (answer.status, error["code"], error["retryAfter"] > 0) == (429, "rateLimitExceeded", True)
    wait = int(answer.headers["retry-after"])
    assert wait >= error["retryAfter"]
    await asyncio.sleep(wait)
    assert (await post(gateway, [new_task("nothing")], OTHER_KEY)).status == 200


async def test_preflight(installation: Installation) -> None:
    """A page of this machine may send what clients send; any other page may not."""
    asked = {"access_control_request_method": "POST", "access_control_request_headers": "authorization, x-sdk-name"}
    answer = await request("OPTIONS", f"{installation.url}/v1", origin="http://localhost:3000", **asked)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "x-sdk-name" in answer.headers["access-control-allow-headers"].lower()
    answer = await request("OPTIONS", f"{installation.url}/v1", origin="https://evil.example", **asked)
    assert "access-control-allow-origin" not in answer.headers


async def test_nowhere(installation: Installation) -> None:
    """An unknown path is a JSON 404, a wrong method a JSON 405 that names the right one."""
    for path in ("/", "/v1", "/v1/"):
        answer = await request("DELETE", installation.url + path)
        assert (answer.status, answer.json["error"]["message"] != "") == (405, True)
        assert ("POST" in answer.headers["allow"]) == (path != "/")
    for path in ("/v2x", "/v1/x", "/v1//", "/%2e%2e/etc/passwd", "/favicon.ico"):
        for method in ("GET", "POST"):
            answer = await request(method, installation.url + path, [] if method == "POST" else None)
            assert (answer.status, answer.json["error"]["code"]) == (404, "notFound")


async def test_address_of_images(installation: Installation) -> None:
    """An image's URL begins with the address that the client used."""
    port = installation.ports[0]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        (item,) = (await request(
            "POST", f"http://{host}/v1", [new_task("imageUpload", image=DOT)], authorization=f"Bearer {KEY}"
        )).json["data"]  # fmt: skip
        assert item["imageURL"].startswith(f"http://{host}/im/")
        assert (await request("GET", item["imageURL"])).status == 200
