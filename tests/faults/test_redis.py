"""A Redis that dies, stalls, forgets or is full: sockets stay, what was acknowledged is kept, all goes on by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest
from starlette.requests import Request

from server.api.exchange import exchange
from server.config import Config
from server.gateway import Gateway
from server.tenants import Tenant
from tests.client import Client, new_task
from tests.faults.ledger import Ledger, logged, runs
from tests.harness import wait_for

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


async def press(ledger: Ledger, client: Client, stop: asyncio.Event, task_type: str, **members: object) -> None:
    """Send one task after the other on one socket, again what was refused, until told to stop and all is answered."""
    while not stop.is_set() or ledger.open:
        tasks = ledger.open or ledger.new(5, task_type, **members)
        await client.send(tasks)
        asked = {task["taskUUID"] for task in tasks}
        while asked:
            frame = await client.next()
            ledger.take(frame)
            asked -= {item["taskUUID"] for item in frame.get("data") or frame["errors"]}
        if ledger.open:
            await asyncio.sleep(0.1)


async def test_killed(server, redis, ledger):
    """When Redis is killed under load and comes back, nothing acknowledged is lost, and sockets stay open meanwhile."""
    server.start_all(workers=2)
    async with server.client() as client:
        stop = asyncio.Event()
        pressing = asyncio.create_task(press(ledger, client, stop, "imageUpload", image=PNG))
        for answered in (20, 60):
            while len(ledger.answers) < answered:
                await asyncio.sleep(0.005)
            os.kill(redis.pid, signal.SIGKILL)
            while redis.alive:
                await asyncio.sleep(0.005)
            redis.start()
        while len(ledger.answers) < 100:
            await asyncio.sleep(0.01)
        stop.set()
        await pressing
        await ledger.check(client)


async def test_away_at_the_end(redis, tmp_path):
    """An HTTP request that has its results is answered with them, though Redis goes away in that moment."""
    gateway = Gateway(Config.read({"REDIS_URL": redis.url, "TASKARRAY_DATA": str(tmp_path)}))
    scope = {"type": "http", "scheme": "http", "server": ("here", 80), "path": "/v1", "headers": []}
    async with exchange(gateway, Request(scope), Tenant("t1", "tester")):
        redis.stop()
    await gateway.stop()


async def test_away(server, redis, ledger):
    """While Redis is away new tasks are refused at once, liveness stays, readiness goes, and sockets stay open."""
    server.start_all(workers=1)
    async with server.client() as client:
        await client.send(ledger.new(1, "sleeps", seconds=1))
        wait_for(lambda: "taskarray_queue_depth 1.0" in server.get("/metrics"), 5)
        redis.stop()
        began = time.monotonic()
        for task_type in ("nothing", "imageUpload"):
            error = await client.fail(task_type, **({"image": PNG} if task_type == "imageUpload" else {}))
            assert error["code"] == "serviceUnavailable"
        assert time.monotonic() - began < 3
        (pong,) = await client.ask({"taskType": "ping", "ping": True, "taskUUID": new_task("ping")["taskUUID"]})
        assert pong["data"][0]["pong"]
        assert server.get("/livez")
        assert not server.get("/readyz")
        assert "taskarray_redis_up 0.0" in server.get("/metrics")
        await asyncio.sleep(1)
        redis.start()
        await ledger.follow(client, 10)
        await client.send(ledger.new(5))
        await ledger.follow(client, 5)
        await ledger.check(client)
        assert server.get("/readyz")


@pytest.mark.settings(LEASE="1s")
async def test_paused(server, admin, ledger):
    """When Redis does not answer for three seconds, everything waits, and then goes on."""
    server.start_all(workers=2)
    async with server.client() as client:
        await client.send(ledger.new(1, "sleeps", seconds=1))
        await client.send(ledger.new(5))
        admin.client_pause(3000)
        await client.send(ledger.new(5))
        began = time.monotonic()
        await ledger.follow(client, 15)
        assert time.monotonic() - began < 8
        await ledger.check(client)


async def test_forgets(server, admin):
    """When Redis has forgotten everything, tasks that were accepted are said to be lost, and new ones are done."""
    server.start_all(workers=2)
    async with server.client() as client:
        assert (await client.run("nothing"))["text"] == "done"
        lost = new_task("sleeps", seconds=2)
        await client.send([lost])
        wait_for(lambda: "taskarray_queue_depth 1.0" in server.get("/metrics"), 5)
        admin.flushall()
        assert (await client.answer(lost["taskUUID"], 10))["errors"][0]["code"] == "taskNotFound"
        for _ in range(3):
            assert (await client.run("nothing", within=10))["text"] == "done"
    async with server.client() as client:
        assert (await client.run("nothing", within=10))["text"] == "done"


@pytest.mark.settings(SESSION_TTL="2s")
async def test_away_beyond_the_session(server, redis, ledger):
    """Sockets that outlast their session, because Redis was away for longer, get their results all the same."""
    server.start_all(workers=1)
    async with server.client() as client:
        await client.send(ledger.new(1, "sleeps", seconds=1))
        wait_for(lambda: "taskarray_queue_depth 1.0" in server.get("/metrics"), 5)
        redis.stop()
        await asyncio.sleep(3)
        redis.start()
        await ledger.follow(client, 10)
        await client.send(ledger.new(5))
        await ledger.follow(client, 5)
        await ledger.check(client)


async def test_lost_wakeups(server, admin, ledger):
    """Results whose wake-up was lost are delivered all the same, a few seconds later."""
    server.start_all(workers=1)
    async with server.client() as client:
        for _ in range(3):
            await client.send(ledger.new(5, "sleeps", seconds=0.05))
            admin.client_kill_filter(_type="pubsub")
            await ledger.follow(client, 8)
        await ledger.check(client)


async def test_no_wakeups(server, admin, ledger):
    """With no wake-ups at all results still come, by looking."""
    server.start_all(workers=1)
    async with server.client() as client:
        assert (await client.run("nothing"))["text"] == "done"
        admin.acl_setuser("default", enabled=True, commands=["-subscribe"])
        admin.client_kill_filter(_type="pubsub")
        await client.send(ledger.new(3))
        await ledger.follow(client, 8)
        admin.acl_setuser("default", enabled=True, commands=["+subscribe"])
        await ledger.check(client)


async def test_full(server, admin, ledger):
    """When Redis is out of memory new tasks are refused; what was accepted ends once there is room."""
    server.start_all(workers=1)
    async with server.client() as client:
        await client.send(ledger.new(1, "sleeps", seconds=1))
        wait_for(lambda: "taskarray_queue_depth 1.0" in server.get("/metrics"), 5)
        admin.config_set("maxmemory", 1)
        assert (await client.fail("nothing"))["code"] == "serviceUnavailable"
        await asyncio.sleep(1.5)
        assert ledger.open
        admin.config_set("maxmemory", 0)
        await ledger.follow(client, 10)
        await client.send(ledger.new(5))
        await ledger.follow(client, 5)
        await ledger.check(client)


async def test_starts_later(server, redis, ledger):
    """Parts that start before Redis wait for it, stop when they are told to, and begin when it is there."""
    redis.stop()
    impatient = server.start("worker")
    server.start("worker")
    server.start("gateway")
    assert not server.get("/readyz")
    wait_for(lambda: logged(server, "redis_unreachable") or impatient.poll() is None, 5)
    await asyncio.sleep(0.5)
    server.kill(impatient, signal.SIGTERM)
    assert impatient.wait(10) == 0
    redis.start()
    wait_for(lambda: server.get("/readyz"), 15)
    async with server.client() as client:
        await client.send(ledger.new(5))
        await ledger.follow(client, 10)
        await ledger.check(client)
    assert runs(server).total() == 5
