"""The logs of a whole installation at their most talkative: what stands in them, and what never does."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis

from server.embedded import Embedded
from tests.client import new_task, request
from tests.faults.test_redis import PNG
from tests.harness import KEY, Installation, wait_for
from tests.receiver import Receiver

CANARY = f"canary{uuid4().hex}"
PIXELS = base64.b64encode(b"\x89PNG\r\n\x1a\n" + CANARY.encode() * 200).decode()
SETTINGS = {
    "TASKARRAY_LOG_LEVEL": "debug", "TASKARRAY_LEASE": "1s", "TASKARRAY_WEBHOOK_ATTEMPTS": "1",
    "TASKARRAY_API_KEYS": f"tester:{KEY},other:{CANARY}-good",
}  # fmt: skip


@pytest.fixture
def guarded(redis: Embedded, tmp_path: Path) -> Iterator[Installation]:
    """A whole installation over a Redis that asks for a password."""
    with Redis.from_url(redis.url) as admin:
        admin.config_set("requirepass", f"{CANARY}-password")
    url = f"unix://:{CANARY}-password@{redis.url.removeprefix('unix://')}"
    found = Installation(tmp_path / "own", url, **SETTINGS)
    found.start_all(workers=2)
    yield found
    found.stop()


def lines(where: Installation, event: str = "") -> list[dict[str, Any]]:
    """Every line of every part; fails on one that is not JSON."""
    found = [json.loads(line) for line in where.log().splitlines()]
    return [line for line in found if event in ("", line["event"])]


async def over_sockets(where: Installation) -> None:
    """Good, refused and crashing tasks, and a message that is none."""
    async with where.client(key=f"{CANARY}-good", query=f"?token={CANARY}") as client:
        await client.run("nothing", prompt=CANARY)
        await client.run("imageUpload", image=PNG)
        await client.ask(
            new_task("imageUpload", image=PIXELS),
            new_task("refuses", failure=CANARY),
            new_task("exits", how="raise", prompt=CANARY),
            new_task("exits", how="kill", prompt=CANARY),
            new_task(CANARY),
            new_task("sleeps", seconds=CANARY),
            new_task("nothing", strict=True, **{CANARY: 1}),
            new_task("imageUpload", image=f"http://127.0.0.1:9/x.png?token={CANARY}"),
            new_task("imageUpload", image=f"http://user:{CANARY}@127.0.0.1:9/x.png"),
            new_task("nothing", taskUUID=CANARY),
        )
        await client.send(f'[{{"prompt": "{CANARY}')
        await client.next()
        doomed, late = new_task("sleeps", seconds=30), new_task("sleeps", seconds=30, deadlineMs=300)
        await client.send([doomed, late])
        cancel = {"taskType": "taskCancel", "taskUUID": str(uuid4()), "targets": [doomed["taskUUID"]]}
        await client.send([cancel])
        await client.answers(doomed, late)
    stranger = await where.client(key=f"{CANARY}-bad", query=f"?apiKey={CANARY}").open()
    await stranger.send([{"taskType": "authentication", "apiKey": f"{CANARY}-bad", "connectionSessionUUID": CANARY}])
    await stranger.closed()


async def over_http(where: Installation) -> None:
    """The other faces, with good and bad keys."""
    task = new_task("nothing", prompt=CANARY)
    for key in (f"{CANARY}-good", f"{CANARY}-bad"):
        await request("POST", f"{where.url}/v1?apiKey={CANARY}", [task], authorization=f"Bearer {key}")
        await request(
            "POST",
            f"{where.url}/v2",
            {"image_base64": PIXELS, "size": CANARY},
            x_api_key=key,
            content_type="application/json",
        )
        await request("POST", f"{where.url}/v2", {"image_base64": PNG}, x_api_key=key, content_type="application/json")
        inputs = {"failure": CANARY, "enable_sync_mode": True}
        await request("POST", f"{where.url}/api/v3/taskarray/refuses", inputs, authorization=f"Bearer {key}")
        await request("PUT", f"{where.url}/v1/uploads/{uuid4()}", PIXELS.encode(), authorization=f"Bearer {key}")
    async with Receiver() as receiver:
        hooks = [receiver.url(f"/hook?token={CANARY}"), f"http://127.0.0.1:9/hook?token={CANARY}"]
        tasks = [new_task("nothing", webhookURL=hook) for hook in hooks]
        await request("POST", f"{where.url}/v1", tasks, authorization=f"Bearer {KEY}")
        await receiver.got(1)


def nonsense(where: Installation) -> None:
    """What is not even HTTP."""
    request = urllib.request.Request(f"{where.url}/{CANARY}?token={CANARY}", headers={"cookie": CANARY})
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(request, timeout=5)


async def test_what_stands_in_logs(guarded: Installation, redis: Embedded) -> None:
    """At level debug, over all faces and with tasks that go well, are refused and crash, no line of any part has a key,
    pixels, a parameter, a URL's query or a password in it; each is JSON with its time, level and event."""
    await over_sockets(guarded)
    await over_http(guarded)
    await asyncio.to_thread(nonsense, guarded)
    wait_for(lambda: lines(guarded, "undelivered") and len(lines(guarded, "socket_closed")) == 1, 10)
    wait_for(
        lambda: {"taskCancelled", "deadlineExceeded"} <= {line["code"] for line in lines(guarded, "task_finished")}
    )
    redis.stop()
    wait_for(lambda: lines(guarded, "redis_unreachable"), 15)
    log = guarded.log()
    for secret in (CANARY, PIXELS[:40], KEY):
        assert secret not in log, next(line for line in log.splitlines() if secret in line)
    for line in lines(guarded):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["ts"])
        assert datetime.fromisoformat(line["ts"])
        assert line["level"] in ("debug", "info", "warning", "error")
        assert re.fullmatch(r"[a-z_]+", line["event"])
        assert line["process"] in ("gateway", "worker", "sweep", "task")
    told(guarded)


def told(where: Installation) -> None:
    """What the lines of an installation tell."""
    assert {line["event"] for line in lines(where)} >= {
        "authentication_refused", "delivered", "message_refused", "socket_closed", "socket_opened", "task_finished",
        "task_process_crashed", "task_raised", "task_refused", "undelivered", "worker_started",
    }  # fmt: skip
    (closed,) = lines(where, "socket_closed")
    assert {"session", "tenant", "client", "duration_s", "code", "bytes_out"} <= closed.keys()
    assert closed["messages_in"] >= 5
    finished = lines(where, "task_finished")
    assert len({line["task_uuid"] for line in finished}) == len(finished)
    good = next(line for line in finished if line["task_type"] == "imageUpload" and not line["code"])
    assert {"tenant", "worker", "attempt", "queued_s", "duration_s", "face"} <= good.keys()
    assert good["bytes_out"] > 0
    assert {line["code"] for line in finished} >= {
        "", "deadlineExceeded", "downloadFailed", "internalServerError", "processingFailed", "taskCancelled",
    }  # fmt: skip
    assert {line["face"] for line in finished if "face" in line} == {"v1", "v2", "v3"}
    refused = lines(where, "task_refused")
    assert {line["code"] for line in refused} >= {"unsupportedTaskType", "invalidSeconds", "unknownParameter"}
    assert {line.get("task_type") for line in refused} == {None, "nothing", "sleeps"}
    assert all({"session", "tenant"} <= line.keys() for line in refused)
