"""A client that does not read what it asked for costs this server nothing, and loses nothing."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from typing import Any

import psutil
import websockets

from tests.api.conftest import Arrive, Beside
from tests.client import Client, new_task
from tests.harness import KEY, Installation, wait_for

NOTES = {f"note {place}": "many words " * 800 for place in range(20)}
SLOW = {"SLOW_READER_TIMEOUT": "1s", "OUTBOX_BYTES": "1MiB"}


def connections(gateway: Installation) -> int:
    """How many sockets the gateway holds."""
    return int(float(re.search(r"taskarray_ws_connections ([\d.]+)", gateway.get("/metrics"))[1]))


async def until_alone(gateway: Installation) -> None:
    """Wait until the gateway holds no socket any more."""
    async with asyncio.timeout(15):
        while await asyncio.to_thread(connections, gateway):
            await asyncio.sleep(0.1)


def resident(gateway: Installation) -> int:
    """The memory of the gateway process."""
    return psutil.Process(next(iter(gateway.processes)).pid).memory_info().rss


async def deaf(arrive: Arrive, gateway: Installation) -> Client:
    """A client that takes in next to nothing unless it is asked for the next frame."""
    return await (await arrive(gateway, max_queue=1)).authenticate()


async def flood(client: Client, message: Any, count: int) -> None:
    """Send a message many times, or until the socket takes no more."""
    text = json.dumps(message)
    try:
        async with asyncio.timeout(2):
            for _ in range(count):
                await client.socket.send(text)
    except (TimeoutError, websockets.ConnectionClosed):
        pass


async def test_replies(arrive: Arrive, beside: Beside) -> None:
    """Who asks for much and reads none of it is closed; all the while only a bounded part of it is in memory."""
    gateway = beside(**SLOW)
    async with gateway.client() as client:
        task = new_task("nothing", **NOTES)
        await client.ask(task)
    asked = [new_task("getTaskDetails", taskUUID=task["taskUUID"]) for _ in range(100)]
    memory, watching = [resident(gateway)], True

    async def watch() -> None:
        while watching:
            memory.append(resident(gateway))
            await asyncio.sleep(0.02)

    watched = asyncio.create_task(watch())
    readers = [await deaf(arrive, gateway) for _ in range(2)]
    await asyncio.gather(*(flood(reader, message, 500) for reader in readers for message in (asked, asked[:1])))
    await until_alone(gateway)
    watching = False
    await watched
    assert max(memory) - memory[0] < 150 * 2**20
    noted = [json.loads(line) for line in gateway.log().splitlines() if "slow_reader_closed" in line]
    assert {line["session"] for line in noted} >= {reader.session for reader in readers}
    async with gateway.client() as client:
        await client.ping()


async def test_results_stay(arrive: Arrive, beside: Beside) -> None:
    """What a closed reader missed is there when it resumes its session, and for getResponse."""
    gateway = beside(**SLOW)
    async with gateway.client() as client:
        known = new_task("nothing", **NOTES)
        await client.ask(known)
        asked = [new_task("getTaskDetails", taskUUID=known["taskUUID"]) for _ in range(100)]
    reader = await deaf(arrive, gateway)
    tasks = [new_task("sleeps", seconds=0.2) for _ in range(10)]
    await reader.send(tasks)
    await flood(reader, asked, 5)
    await until_alone(gateway)
    code = (await reader.closed())[0]
    assert code in (1013, 1006)
    got = {frame["data"][0]["taskUUID"] for frame in reader.frames if frame["data"][0]["taskType"] == "sleeps"}
    assert len(got) < len(tasks)
    back = await (await arrive(gateway)).authenticate(reader.session)
    assert back.session == reader.session
    for task in tasks:
        if task["taskUUID"] not in got:
            assert (await back.answer(task["taskUUID"]))["data"][0]["text"] == "slept 0.2"
    for task in tasks:
        assert (await back.run("getResponse", taskUUID=task["taskUUID"]))["text"] == "slept 0.2"


async def test_gone_with_a_full_inbox(arrive: Arrive, beside: Beside) -> None:
    """A client that dies while its messages wait leaves no connection behind."""
    gateway = beside(SLOW_READER_TIMEOUT="60s", OUTBOX_BYTES="1MiB")
    async with gateway.client() as client:
        task = new_task("nothing", **NOTES)
        await client.ask(task)
    reader = await deaf(arrive, gateway)
    await flood(reader, [new_task("getTaskDetails", taskUUID=task["taskUUID"])], 1000)
    assert connections(gateway) == 1
    await reader.drop()
    await until_alone(gateway)


async def test_slow_is_not_gone(arrive: Arrive, beside: Beside) -> None:
    """A reader that takes a little at a time gets everything."""
    gateway = beside(**SLOW)
    reader = await deaf(arrive, gateway)
    task = new_task("nothing", **NOTES)
    await reader.ask(task)
    asked = [new_task("getTaskDetails", taskUUID=task["taskUUID"]) for _ in range(100)]
    await reader.send(asked)
    for _ in asked:
        await asyncio.sleep(0.03)
        assert (await reader.next())["data"][0]["request"] == [task]
    await reader.ping()


async def test_http(beside: Beside) -> None:
    """Who asks for much over HTTP and reads none of it is let go as well, even where it still acknowledges that."""
    gateway = beside(**SLOW)
    async with gateway.client() as client:
        task = new_task("nothing", **NOTES)
        await client.ask(task)
    body = json.dumps([new_task("getTaskDetails", taskUUID=task["taskUUID"]) for _ in range(100)]).encode()
    head = f"POST /v1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", gateway.ports[0]))
        deaf.sendall(head.encode() + body)
        assert deaf.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 200"
        held = next(iter(gateway.processes))
        wait_for(lambda: not connected(held.pid, deaf.getsockname()), 20, "the connection to be dropped")


def connected(pid: int, client: tuple[str, int]) -> bool:
    """Whether a process still holds a connection with this peer."""
    return any(one.raddr == client for one in psutil.Process(pid).net_connections("tcp"))
