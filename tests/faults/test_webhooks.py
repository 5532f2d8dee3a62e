"""Deliveries while processes die: what is owed arrives, under the same id. What was given up, by the command line."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client import Client, new_task
from tests.faults.ledger import logged
from tests.harness import Installation
from tests.outside import answer
from tests.receiver import WELL, Receiver, hang

ROOT = Path(__file__).parents[2]
quick = pytest.mark.settings(LEASE="1s", WEBHOOK_PAUSE="100ms")


async def ask(client: Client, *urls: str) -> set[str]:
    """Tasks with these webhooks; their taskUUIDs."""
    tasks = [new_task("nothing", webhookURL=url) for url in urls]
    await client.ask(*tasks)
    return {task["taskUUID"] for task in tasks}


async def taskarray(server: Installation, *words: str) -> tuple[int, str]:
    """What an operator's command says about this installation."""
    command = (sys.executable, "-m", "server", "webhooks", *words)
    merged = asyncio.subprocess.STDOUT
    process = await asyncio.create_subprocess_exec(
        *command, env=server.environment, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=merged
    )
    printed, _ = await process.communicate()
    assert b"Traceback" not in printed
    return process.returncode or 0, printed.decode()


async def until(holds: Callable[[], bool], seconds: float = 15) -> None:
    """Wait while receivers go on."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.05)


def told(receiver: Receiver) -> set[str]:
    """The tasks of which a receiver has heard."""
    return {json.loads(arrival.body)["data"][0]["taskUUID"] for arrival in receiver.arrivals}


@quick
async def test_sweeper_gone(server: Installation):
    """A sweeper that is killed or stopped while it sends is followed by another, which sends the same again."""
    server.start_all(workers=1, sweepers=0)
    first = server.start("sweep")
    async with Receiver(hang, WELL, hang, WELL) as receiver, server.client() as client:
        uuids = await ask(client, receiver.url())
        await receiver.got(1)
        server.kill(first)
        second = server.start("sweep")
        await receiver.got(2)
        await until(lambda: len(logged(server, "delivered")) == 1)
        uuids |= await ask(client, receiver.url())
        await receiver.got(3)
        server.kill(second, signal.SIGSTOP)
        server.start("sweep")
        await receiver.got(4)
        await until(lambda: len(logged(server, "delivered")) == 2)
        server.kill(second, signal.SIGCONT)
        one, one_again, two, two_again = await receiver.quiet(4)
    assert (one.id, one.body) == (one_again.id, one_again.body)
    assert (two.id, two.body) == (two_again.id, two_again.body)
    assert told(receiver) == uuids


@quick
async def test_all_killed_after_the_end(server: Installation):
    """What was finished is delivered, though worker and gateway died right after, and no sweeper was there."""
    server.start_all(workers=1, sweepers=0)
    async with Receiver() as receiver, server.client() as client:
        uuids = await ask(client, *[receiver.url()] * 20)
        await until(lambda: len(logged(server, "task_finished")) == 20)
        for process in server.processes:
            server.kill(process)
        assert not receiver.arrivals
        server.start("sweep")
        await receiver.quiet(20)
    assert told(receiver) == uuids


@quick
async def test_redis_away(server: Installation, redis, admin):
    """What could not be noted while Redis was away is noted when it is back, and nothing is lost."""
    server.start_all(workers=1)

    async def slowly(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1)
        writer.write(answer())
        await writer.drain()

    async with Receiver(slowly) as receiver, server.client() as client:
        uuids = await ask(client, receiver.url())
        await receiver.got(1)
        redis.stop()
        await asyncio.sleep(1.5)
        redis.start()
        uuids |= await ask(client, receiver.url())
        await until(lambda: len(logged(server, "delivered")) >= 2)
        await until(lambda: not list(admin.scan_iter("*:delivery:*")))
    assert told(receiver) == uuids


@pytest.mark.settings(WEBHOOK_PAUSE="10ms", WEBHOOK_ATTEMPTS="2")
async def test_command_line(server: Installation):
    """The command line shows what is due and what was given up, with the reason, and has the latter sent again."""
    server.start_all(workers=1)
    busy, broken = Receiver(answer(status=503, retry_after=600)), Receiver(answer(status=502))
    async with busy, broken, server.client() as client:
        uuids = await ask(client, *[broken.url("/hook?token=secret")] * 3)
        await ask(client, busy.url())
        await busy.got(1)
        failed = {arrival.id for arrival in await broken.quiet(6)}
        code, printed = await taskarray(server, "list")
        due, *dead = sorted(printed.splitlines(), key=lambda row: "dead" in row)
        assert code == 0
        assert "  due in 59" in due
        assert "answered 503" in due
        assert len(dead) == 3
        assert all("2 tries" in row and row.endswith("/hook  answered 502") for row in dead)
        assert all(any(uuid in row for row in dead) for uuid in uuids)
        broken.answers = (WELL,)
        broken.arrivals.clear()
        chosen = dead[0].split()[0]
        assert await taskarray(server, "replay", chosen) == (0, "1 due again.\n")
        assert [arrival.id for arrival in await broken.quiet(1)] == [chosen]
        assert await taskarray(server, "replay", "--all") == (0, "2 due again.\n")
        assert {arrival.id for arrival in await broken.quiet(3)} == failed
        for wrong in ((due.split()[0],), (chosen, "--all")):
            code, said = await taskarray(server, "replay", *wrong)
            assert code == 1
            assert "taskarray webhooks list" in said
    assert "secret" not in printed + server.log()
