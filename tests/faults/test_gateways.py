"""Gateways that die or must stop: sessions go on elsewhere, and no accepted task is lost or run twice."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
import urllib.error
import urllib.request

import pytest

from tests.client import new_task
from tests.faults.ledger import Ledger, logged, runs, started
from tests.harness import KEY, wait_for


async def test_killed(server, ledger, tmp_path):
    """A client whose gateway is killed resumes its session on another one and gets the result there."""
    server.start_all(gateways=2, workers=1, sweepers=0)
    client = await server.client(0).connect()
    await client.send(ledger.new(1, "lingers", seconds=1, marker=str(tmp_path / "marker")))
    await started(tmp_path / "marker")
    server.kill(_gateways(server)[0])
    assert await client.closed() == (1006, "")
    other = await server.client().connect(client.session)
    assert other.session == client.session
    await ledger.follow(other)
    await ledger.check(other)
    await other.close()
    assert runs(server).total() == 1


async def test_killed_after_the_end(server, ledger):
    """Results that a killed gateway could not deliver any more are delivered by the next, in their order."""
    server.start_all(gateways=1, workers=1, sweepers=0)
    client = await server.client().connect()
    tasks = ledger.new(5)
    await client.send(ledger.new(1, "sleeps", seconds=1))
    await client.send(tasks)
    wait_for(lambda: "taskarray_queue_depth 6.0" in server.get("/metrics"), 5)
    server.kill(_gateways(server)[0])
    await client.closed()
    wait_for(lambda: len(runs(server)) == 6, 10)
    server.start("gateway")
    other = await server.client().connect(client.session)
    await ledger.follow(other, 5)
    assert list(ledger.answers)[1:] == [task["taskUUID"] for task in tasks]
    await ledger.check(other)
    await other.close()


async def test_killed_again_and_again(server, ledger):
    """Whenever gateways are killed, a client that comes back and asks again loses nothing and nothing runs twice."""
    server.start_all(gateways=2, workers=2, sweepers=0)
    ledger.new(200)
    following = asyncio.create_task(ledger.persist(server))
    chance = random.Random(1)
    for round_ in range(1, 5):
        goal = round_ * 40
        while len(ledger.answers) < goal + chance.randrange(20) and not following.done():
            await asyncio.sleep(0.001)
        server.kill(_gateways(server)[-1])
        await asyncio.to_thread(server.start, "gateway")
    await following
    async with server.client() as client:
        await ledger.check(client)
    assert set(runs(server)) == set(ledger.tasks)
    assert set(runs(server).values()) == {1}


@pytest.mark.settings(DRAIN_TIMEOUT="10s")
async def test_terminated(server, ledger):
    """A gateway that is told to stop takes no new task, answers what it accepted, closes with 1012 and exits with 0."""
    server.start_all(gateways=1, workers=1, sweepers=0)
    (gateway,) = _gateways(server)
    client = await server.client().connect()
    await client.send(ledger.new(1, "sleeps", seconds=1))
    await client.send(ledger.new(20))
    wait_for(lambda: "taskarray_queue_depth 21.0" in server.get("/metrics"), 5)
    began = time.monotonic()
    server.kill(gateway, signal.SIGTERM)
    wait_for(lambda: logged(server, "draining"), 5)
    late = new_task("nothing")
    await client.send([late])
    error = (await client.answer(late["taskUUID"]))["errors"][0]
    assert error["code"] == "serviceUnavailable"
    code, reason = await client.closed()
    assert (code, bool(reason)) == (1012, True)
    assert gateway.wait(10) == 0
    assert time.monotonic() - began < 6
    for frame in client.frames:
        ledger.take(frame)
    assert not ledger.open, "accepted work was not answered before the close"
    server.start("gateway")
    async with server.client() as other:
        await ledger.check(other)
        assert (await other.ask(late))[0]["data"]


@pytest.mark.settings(DRAIN_TIMEOUT="500ms")
async def test_terminated_too_soon(server, ledger):
    """What a stopping gateway cannot answer in TASKARRAY_DRAIN_TIMEOUT is found afterwards; it exits with 0 in time."""
    server.start_all(gateways=1, workers=1, sweepers=0)
    (gateway,) = _gateways(server)
    client = await server.client().connect()
    await client.send(ledger.new(1, "sleeps", seconds=3))
    await client.send(ledger.new(5))
    wait_for(lambda: "taskarray_queue_depth 6.0" in server.get("/metrics"), 5)
    began = time.monotonic()
    server.kill(gateway, signal.SIGTERM)
    assert (await client.closed())[0] == 1012
    assert gateway.wait(10) == 0
    assert time.monotonic() - began < 4
    server.start("gateway")
    other = await server.client().connect(client.session)
    await ledger.follow(other)
    await ledger.check(other)
    await other.close()


async def test_terminated_under_load(server):
    """Gateways that are replaced one after the other under load lose nothing, and many clients come back at once."""
    server.start_all(gateways=2, workers=2, sweepers=0)
    books = [Ledger() for _ in range(20)]
    for book in books:
        book.new(20)
    following = asyncio.gather(*(book.persist(server) for book in books))
    for _ in range(2):
        await asyncio.sleep(0.2)
        gateway = _gateways(server)[0]
        await asyncio.to_thread(server.start, "gateway")
        server.kill(gateway, signal.SIGTERM)
        assert await asyncio.to_thread(gateway.wait, 20) == 0
    await following
    async with server.client() as client:
        for book in books:
            await book.check(client)
    assert set(runs(server).values()) == {1}


@pytest.mark.settings(DRAIN_TIMEOUT="500ms")
async def test_request_cut_short(server):
    """A request that is open when its gateway must go is told that its task goes on; the answer is found afterwards."""
    server.start_all(gateways=1, workers=1, sweepers=0)
    (gateway,) = _gateways(server)
    task = new_task("sleeps", seconds=2)
    posting = asyncio.create_task(asyncio.to_thread(post, server, task))
    while "taskarray_queue_depth 1.0" not in await asyncio.to_thread(server.get, "/metrics"):
        await asyncio.sleep(0.05)
    server.kill(gateway, signal.SIGTERM)
    status, body = await posting
    assert (status, body["errors"][0]["code"]) == (504, "responseTimeout")
    assert await asyncio.to_thread(gateway.wait, 5) == 0
    server.start("gateway")
    wait_for(lambda: runs(server)[task["taskUUID"]], 10)
    assert post(server, {"taskType": "getResponse", "taskUUID": task["taskUUID"]})[1]["data"][0]["text"] == "slept 2.0"


def post(server, task: dict) -> tuple[int, dict]:
    """One task over POST /v1: status and body."""
    request = urllib.request.Request(
        f"{server.url}/v1", json.dumps([task]).encode(), {"authorization": f"Bearer {KEY}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.loads(refused.read())


async def test_second_signal(server):
    """A second signal ends a draining gateway at once."""
    server.start_all(gateways=1, workers=1, sweepers=0)
    (gateway,) = _gateways(server)
    client = await server.client().connect()
    await client.send([new_task("sleeps", seconds=7)])
    wait_for(lambda: "taskarray_queue_depth 1.0" in server.get("/metrics"), 5)
    server.kill(gateway, signal.SIGTERM)
    wait_for(lambda: logged(server, "draining"), 5)
    server.kill(gateway, signal.SIGTERM)
    began = time.monotonic()
    gateway.wait(10)
    assert time.monotonic() - began < 3
    await client.closed()


async def test_draining_shows(server):
    """While it drains a gateway is alive but not ready, and turns new sockets away with 503."""
    server.start_all(gateways=1, workers=1, sweepers=0)
    (gateway,) = _gateways(server)
    client = await server.client().connect()
    await client.send([new_task("sleeps", seconds=2)])
    wait_for(lambda: "taskarray_queue_depth 1.0" in server.get("/metrics"), 5)
    server.kill(gateway, signal.SIGTERM)
    wait_for(lambda: logged(server, "draining"), 5)
    assert json.loads(server.get("/livez"))["status"] == "live"
    assert server.get("/readyz") == ""
    with pytest.raises(Exception, match="503"):
        await server.client().connect()
    assert (await client.closed())[0] == 1012
    assert client.frames[0]["data"][0]["text"] == "slept 2.0"
    assert gateway.wait(10) == 0


async def test_other_gateway_takes_over(server, ledger, tmp_path):
    """A session that is resumed elsewhere while its gateway lives closes the old socket and goes on in the new one."""
    server.start_all(gateways=2, workers=1, sweepers=0)
    client = await server.client(0).connect()
    await client.send(ledger.new(1, "lingers", seconds=1, marker=str(tmp_path / "marker")))
    await started(tmp_path / "marker")
    other = await server.client(1).connect(client.session)
    assert (await client.closed())[0] == 4409
    await ledger.follow(other)
    await ledger.check(other)
    await other.close()


def _gateways(server):
    """The gateways that run, oldest first."""
    return [process for process, port in server.processes.items() if port and process.poll() is None]
