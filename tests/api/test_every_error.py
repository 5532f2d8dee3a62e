"""Every failure at every face: in the words of its dialect, and never more than a client may know."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from redis import Redis

from server.api.v2_errors import translated
from server.api.v3_answers import refused
from server.api.v3_prediction import sentence
from server.errors import CODES, ApiError, InvalidParameter, MissingParameter, TaskExpired
from server.tenants import hashed
from tests.api.conftest import Arrive
from tests.api.predictions import checked, data, told
from tests.api.removal import post
from tests.api.removal import refused as refused_removal
from tests.client import Client, new_task, request
from tests.harness import KEY, Installation
from tests.misbehaving.refuses import SECRET, SENTENCE

KINDS = {kind.__name__: kind for kind in CODES.values()}
BUGS = ["RuntimeError", "KeyError", "OSError", "RecursionError", "MemoryError", "NotImplementedError", "StopIteration"]
INCIDENT = re.compile(r"\bincident ((?:req_)?[0-9a-f]{12,32})\b")
_INSIDE = re.compile(
    r"Traceback|File \"|\.py\b|\.lua\b|hunter2|/srv|/tmp|/home|0x[0-9a-f]{6}|\w(Error|Exception)\(|"
    r"redis|blob|lease|shard|pydantic|starlette|asyncio|staged",
    re.IGNORECASE,
)
"""What no answer has a word of."""

TOLD = {
    "InvalidParameter": (400, "invalid_image", 1401),
    "MissingParameter": (500, "internal_error", 1400),
    "UnknownParameter": (500, "internal_error", 1401),
    "InvalidRequest": (500, "internal_error", 1401),
    "InvalidApiKey": (401, "invalid_api_key", 1401),
    "ScopeMissing": (401, "invalid_api_key", 1405),
    "NotFound": (500, "internal_error", 1405),
    "MethodNotAllowed": (500, "internal_error", 1405),
    "OriginNotAllowed": (500, "internal_error", 1405),
    "UnsupportedTaskType": (500, "internal_error", 1405),
    "ConflictTaskUUID": (500, "internal_error", 1405),
    "TaskNotFound": (500, "internal_error", 1405),
    "TaskExpired": (503, "service_unavailable", 1402),
    "InvalidTaskReference": (500, "internal_error", 1401),
    "DependencyFailed": (500, "internal_error", 1402),
    "TaskCancelled": (503, "service_unavailable", 1405),
    "DeadlineExceeded": (503, "service_unavailable", 5004),
    "MediaNotFound": (400, "image_url_fetch_failed", 1402),
    "ModelNotFound": (500, "internal_error", 1405),
    "UnsupportedImageFormat": (400, "invalid_image", 1402),
    "ValueTooLarge": (413, "image_too_large", 1401),
    "MaxRequestSizeExceeded": (500, "internal_error", 1405),
    "InvalidImageURL": (400, "image_url_fetch_failed", 1402),
    "DownloadFailed": (400, "image_url_fetch_failed", 1402),
    "RateLimitExceeded": (429, "rate_limited", 1405),
    "ProcessingFailed": (500, "internal_error", 1403),
    "TaskTimeout": (503, "service_unavailable", 5004),
    "ResponseTimeout": (500, "internal_error", 1405),
    "ServiceUnavailable": (503, "service_unavailable", 5003),
    "UploadFailed": (503, "service_unavailable", 5003),
    "InternalServerError": (500, "internal_error", 5000),
}
"""Every class of failure: its status and code at /v2, and its code as that of a failed prediction. What cannot happen
at /v2 is the server's fault there."""


@pytest.fixture(scope="module")
async def line(installation: Installation) -> AsyncIterator[Client]:
    """One socket for all: no failure of a task may cost it."""
    async with installation.client() as found:
        yield found


def made(kind: type[ApiError], **details: Any) -> dict[str, Any]:
    """A failure of a class, as it is kept."""
    parameter = {"parameter": "inputImage"} if issubclass(kind, InvalidParameter | MissingParameter) else {}
    return kind(SENTENCE, **parameter, **details).as_dict()


def code_of(name: str) -> str:
    """The code of a failure that the task `refuses` raises."""
    return KINDS[name].code.replace("*", "Failure")


def test_table() -> None:
    """No class of failure is missing here."""
    assert set(TOLD) == set(KINDS)


def hidden(told: str, where: Installation) -> bool:
    """A sentence tells an incident, under which the log has all, and nothing more."""
    incident = INCIDENT.search(told)
    return bool(incident and incident[1] in where.log() and not _INSIDE.search(told))


@pytest.fixture
def redis(installation: Installation) -> Iterator[Redis]:
    """The Redis of the shared installation, in which the key `broken` cannot be read."""
    keys = f"{installation.environment['TASKARRAY_PREFIX']}:keys"
    with Redis.from_url(installation.environment["REDIS_URL"]) as found:
        found.hset(keys, hashed("broken"), SECRET)
        yield found
        found.hdel(keys, hashed("broken"))


@pytest.mark.parametrize("name", KINDS)
async def test_frame(line: Client, name: str) -> None:
    """On a socket a failure is one frame with one error, which says what, why and about which task, and no more."""
    sent = new_task("refuses", failure=name)
    (frame,) = await line.ask(sent)
    expected = {"code": code_of(name), "message": SENTENCE} | sent
    del expected["failure"]
    named = {"parameter": "failure"} if code_of(name).endswith("Failure") else {}
    assert frame == {"errors": [expected | named]}


@pytest.mark.parametrize("name", KINDS)
async def test_http(installation: Installation, name: str) -> None:
    """Over HTTP it is the same error, also as `error`, under the status of its class."""
    sent = new_task("refuses", failure=name)
    answer = await request("POST", f"{installation.url}/v1", [sent], authorization=f"Bearer {KEY}")
    assert answer.status == KINDS[name].status
    assert set(answer.json) == {"errors", "error"}
    assert answer.json["errors"] == [answer.json["error"]]
    error = answer.json["error"]
    assert (error["code"], error["message"], error["taskUUID"]) == (code_of(name), SENTENCE, sent["taskUUID"])
    assert {"status", "retryable"}.isdisjoint(error)
    assert answer.headers.get("retry-after") == ("1" if answer.status == 503 else None)


@pytest.mark.parametrize("name", KINDS)
async def test_prediction(installation: Installation, name: str) -> None:
    """A failed prediction is a success of the request: its reason stands in `error`, its code is a number."""
    shown = checked(await data(installation, "POST", "/taskarray/refuses", {"failure": name, "enable_sync_mode": True}))
    assert (shown["status"], shown["error"], shown["code"]) == ("failed", SENTENCE, TOLD[name][2])
    assert shown["outputs"] == []


@pytest.mark.parametrize("name", KINDS)
def test_refused_prediction(name: str) -> None:
    """What is not even taken is told by its status, with code, message and error, and nothing else."""
    response = refused([made(KINDS[name], retryAfter=7)])
    body = json.loads(response.body)
    assert response.status_code == KINDS[name].status
    assert set(body) == {"code", "message", "error"}
    assert body["message"] == body["error"]
    assert body["code"] in (response.status_code, 1400, 1401, 1402)
    assert response.headers.get("retry-after") == ("7" if response.status_code in (429, 503) else None)


@pytest.mark.parametrize("name", KINDS)
def test_removal(name: str) -> None:
    """At /v2 a failure has a status, a code and a sentence of that dialect."""
    status, code, _ = TOLD[name]
    response = translated(made(KINDS[name])).response("req_0")
    error = json.loads(response.body)["error"]
    assert (response.status_code, error["status"], error["code"], error["request_id"]) == (
        status,
        status,
        code,
        "req_0",
    )
    assert set(error) == {"code", "message", "status", "request_id"}
    assert error["message"]
    assert response.headers.get("retry-after") == ("1" if status in (429, 503) else None)


def test_foreign_words() -> None:
    """No dialect speaks of what only the task array has, where a task comes to nothing there."""
    failure = TaskExpired().as_dict()
    answers = [json.loads(answer.body) for answer in (translated(failure).response(""), refused([failure]))]
    assert not re.search("taskUUID|getResponse|inputImage", f"{answers} {sentence(failure)}")


@pytest.mark.parametrize("name", BUGS)
async def test_bugs(installation: Installation, line: Client, name: str) -> None:
    """Any other exception is an internal error under an incident id in every dialect; only the log tells what it
    was."""
    (frame,) = await line.ask(new_task("refuses", failure=name))
    sent = [new_task("refuses", failure=name)]
    answer = await request("POST", f"{installation.url}/v1", sent, authorization=f"Bearer {KEY}")
    inputs = {"failure": name, "enable_sync_mode": True}
    shown = checked(await data(installation, "POST", "/taskarray/refuses", inputs))
    assert frame["errors"][0]["code"] == "internalServerError"
    assert (answer.status, answer.json["error"]["code"]) == (500, "internalServerError")
    assert (shown["status"], shown["code"]) == ("failed", 5000)
    for message in (frame["errors"][0]["message"], answer.json["error"]["message"], shown["error"]):
        assert name not in message
        assert hidden(message, installation)
    assert SECRET in installation.log()


@pytest.mark.usefixtures("redis")
async def test_bugs_of_gateways(installation: Installation) -> None:
    """Over HTTP, so is one of a gateway itself."""
    url, bearer = installation.url, {"authorization": "Bearer broken"}
    answer = await request("POST", f"{url}/v1", [new_task("nothing")], **bearer)
    error = answer.json["error"]
    assert (answer.status, error["code"], set(error)) == (500, "internalServerError", {"code", "message"})
    assert hidden(error["message"], installation)
    error = refused_removal(await post(installation, {"image_base64": "x"}, key="broken"), 500, "internal_error")
    assert error["request_id"] in error["message"]
    assert hidden(error["message"], installation)
    for method, path in (("POST", "/api/v3/taskarray/nothing"), ("GET", "/api/v3/balance"), ("GET", "/api/v2/models")):
        status, code, message = told(await request(method, url + path, **bearer))
        assert (status, code, hidden(message, installation)) == (500, 500, True)


@pytest.mark.usefixtures("redis")
async def test_bug_of_entrance(installation: Installation, arrive: Arrive) -> None:
    """So is one while a socket authenticates."""
    socket = await arrive()
    await socket.send([{"taskType": "authentication", "apiKey": "broken"}])
    frame = await socket.next()
    assert frame["errors"][0]["code"] == "internalServerError"
    assert hidden(frame["errors"][0]["message"], installation)


@pytest.mark.parametrize("asked", ["getResponse", "getTaskDetails"])
async def test_bug_of_answers(installation: Installation, client: Client, redis: Redis, asked: str) -> None:
    """So is one while a socket is answered."""
    task = new_task("nothing")
    await client.ask(task)
    (kept,) = redis.scan_iter(f"*:task:*:{task['taskUUID']}")
    redis.hset(kept, "request", SECRET)
    await client.send([{"taskType": asked, "taskUUID": task["taskUUID"]}])
    try:
        frame = await client.next(1)
    finally:
        redis.delete(kept)
    assert (frame["errors"][0]["code"], frame["errors"][0]["taskType"]) == ("internalServerError", asked)
    assert hidden(frame["errors"][0]["message"], installation)


async def test_bug_of_delivery(installation: Installation, client: Client, arrive: Arrive, redis: Redis) -> None:
    """So is one while a finished task is sent; those after it are sent."""
    bad, good = [new_task("sleeps", seconds=0.3) for _ in range(2)]
    await client.send([bad, good])
    await client.ping()
    await client.drop()
    async with installation.client() as other:
        await other.ask(bad, good)
    (kept,) = redis.scan_iter(f"*:task:*:{bad['taskUUID']}")
    redis.hset(kept, "outcome", '{"items": [7]}')
    try:
        back = await (await arrive()).authenticate(client.session)
        frames = [await back.answer(task["taskUUID"]) for task in (bad, good)]
    finally:
        redis.delete(kept)
    assert (frames[0]["errors"][0]["code"], frames[0]["errors"][0]["taskType"]) == ("internalServerError", "sleeps")
    assert hidden(frames[0]["errors"][0]["message"], installation)
    assert frames[1]["data"][0]["text"] == "slept 0.3"
