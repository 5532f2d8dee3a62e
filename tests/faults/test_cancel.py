"""Cancel of tasks that a real worker has: heeded, by force, while inputs come, and when nobody is there to hear."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest
from redis import Redis

from tests.client import Client, new_task
from tests.faults.ledger import files, logged, runs, started, worker_of
from tests.harness import Installation, wait_for
from tests.outside import Website
from tests.programs import ends

PREFIX = "cancel"


async def cancel(client: Client, *targets: dict[str, Any]) -> list[str]:
    """Cancel tasks; the word about each. It comes at once."""
    asked = new_task("taskCancel", targets=[target["taskUUID"] for target in targets])
    (frame,) = await client.ask(asked, within=4)
    results = frame["data"][0]["results"]
    assert [result["taskUUID"] for result in results] == asked["targets"]
    return [result["status"] for result in results]


async def cancelled(client: Client, *tasks: dict[str, Any]) -> None:
    """Each task ends with taskCancelled, at once."""
    for frame in await client.answers(*tasks, within=4):
        assert [error["code"] for error in frame["errors"]] == ["taskCancelled"]


@pytest.fixture(scope="module")
def server(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One gateway and one worker: what a cancelled task keeps shows at once."""
    settings = {"TASKARRAY_PREFIX": PREFIX, "TASKARRAY_LEASE": "20s", "TASKARRAY_CANCEL_GRACE": "1s"}
    found = Installation(tmp_path_factory.mktemp(PREFIX), redis_url, **settings)
    try:
        found.start_all(workers=1)
        yield found
    finally:
        found.stop()


@pytest.fixture
async def client(server: Installation) -> AsyncIterator[Client]:
    async with server.client() as found:
        yield found


async def test_cooperative(server, client, tmp_path):
    """A running task that tells its progress stops by itself at once, and its process does the next one."""
    await client.run("nothing")
    task = new_task("sleeps", seconds=8, marker=str(tmp_path / "marker"))
    await client.send([task])
    await asyncio.to_thread(wait_for, (tmp_path / "marker").exists)
    (before,) = processes(server)
    assert await cancel(client, task) == ["cancelled"]
    await cancelled(client, task)
    assert (await client.run("nothing", within=4))["text"] == "done"
    assert processes(server) == [before]
    assert await cancel(client, task) == ["alreadyFinished"]
    await client.quiet(0.2)


def processes(server) -> list[int]:
    """The task processes."""
    parts = [child for process in server.processes for child in server.children(process)]
    return [child.pid for child in parts if "server.child" in child.cmdline()]


async def test_by_force(server, client, tmp_path):
    """A running task that heeds nothing is told cancelled at once; its process is ended after the grace, and the next
    task has a new one."""
    task, marker = new_task("lingers", seconds=25, marker=str(tmp_path / "marker")), tmp_path / "marker"
    await client.send([task])
    (first,) = await started(marker)
    worker, began = worker_of(server, first), time.monotonic()
    assert await cancel(client, task) == ["cancelled"]
    await cancelled(client, task)
    assert psutil.pid_exists(first)
    assert ends(first)
    assert time.monotonic() - began > 1
    assert (await client.run("nothing", within=10))["text"] == "done"
    assert worker.poll() is None
    assert len(await started(marker)) == 1
    await asyncio.to_thread(wait_for, lambda: files(server.folder / "images") == [], 5)


async def test_while_inputs_come(server, client):
    """A task whose image is still on its way is given up with the download, and its slot is free."""
    left = list[None]()

    async def slowly(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 Fine\r\ncontent-type: image/png\r\ncontent-length: 1000000\r\n\r\n\x89PNG")
        with suppress(ConnectionError):
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        left.append(None)

    async with Website({"/slow.png": slowly}) as website:
        tasks = [new_task("paints", inputImage=website.url("/slow.png")) for _ in range(8)]  # as many as a worker takes
        await client.send(tasks)
        while website.connects < 8:
            await asyncio.sleep(0.02)
        assert await cancel(client, *tasks) == ["cancelled"] * 8
        await cancelled(client, *tasks)
        async with asyncio.timeout(3):
            while len(left) < 8:
                await asyncio.sleep(0.02)
        assert (await client.run("nothing", within=4))["text"] == "done"
    await asyncio.to_thread(wait_for, lambda: files(server.folder / "images") == [], 5)


async def test_hanging_worker(server, client, tmp_path):
    """The client is answered at once though the worker hears nothing; when it does, it drops the task and goes on."""
    task, queued = new_task("sleeps", seconds=5, marker=str(tmp_path / "marker")), new_task("nothing")
    await client.send([task])
    await asyncio.to_thread(wait_for, (tmp_path / "marker").exists)
    worker = worker_of(server, processes(server)[0])
    server.kill(worker, signal.SIGSTOP)
    await client.send([queued])
    assert await cancel(client, task, queued) == ["cancelled", "cancelled"]
    await cancelled(client, task, queued)
    server.kill(worker, signal.SIGCONT)
    assert (await client.run("nothing", within=4))["text"] == "done"
    assert queued["taskUUID"] not in runs(server)


async def test_race(server, client):
    """When a cancel meets the end of its task, the task has one end and the word about it agrees."""
    chance, words = random.Random(7), list[str]()
    for _ in range(100):
        task = new_task("nothing")
        await client.send([task])
        await asyncio.sleep(chance.uniform(0, 0.006))
        (word,) = await cancel(client, task)
        words.append(word)
        frame = await client.answer(task["taskUUID"], 3)
        assert ("data" in frame) == (word == "alreadyFinished")
    assert set(words) == {"cancelled", "alreadyFinished"}
    await client.ping()
    assert client.frames == []
    assert (await client.run("nothing", within=4))["text"] == "done"


async def test_no_leak(server, client, redis_url):
    """After fifty cancels in every state nothing of them is left, and a task runs at once."""
    first = new_task("sleeps", seconds=20)
    tasks = [first, *[new_task("sleeps", seconds=20, dependsOn=[first["taskUUID"]]) for _ in range(20)]]
    tasks += [new_task("nothing") for _ in range(29)]
    await client.send(tasks)
    await asyncio.sleep(0.2)
    assert await cancel(client, *reversed(tasks)) == ["cancelled"] * 50
    await cancelled(client, *tasks)
    assert (await client.run("nothing", within=4))["text"] == "done"
    names = ("waiting:", "turns", "children:", "deadlines", "unfinished", "shares", "waiters:")
    with Redis.from_url(redis_url) as redis:
        assert [key for name in names for key in redis.keys(f"{PREFIX}:*:{name}*")] == []
    assert "taskarray_queue_depth 0.0" in await asyncio.to_thread(server.get, "/metrics")
    assert logged(server, "job_handling_failed") == []


async def test_deadlines(server, client):
    """Tasks that are not started, or not ended, in the time that they gave themselves end with deadlineExceeded: the
    queued one never runs, the running one is stopped."""
    running = new_task("sleeps", seconds=6, deadlineMs=600)
    late, last = new_task("nothing", startWithinMs=300), new_task("nothing")
    began = time.monotonic()
    frames = await client.ask(running, late, last, within=5)
    assert time.monotonic() - began < 4
    told = [frame["errors"][0] for frame in frames[:2]]
    assert {error["code"] for error in told} == {"deadlineExceeded"}
    assert [error["parameter"] for error in told] == ["deadlineMs", "startWithinMs"]
    assert frames[2]["data"][0]["text"] == "done"
    assert late["taskUUID"] not in runs(server)
