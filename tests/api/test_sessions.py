"""Sessions: who comes back with its connectionSessionUUID gets what it missed, wherever it comes in."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.api.conftest import Arrive, Beside
from tests.client import Client, new_task
from tests.harness import OTHER_KEY, Installation

SHORT = {"SESSION_TTL": "2s"}


@pytest.fixture(params=["same gateway", "another gateway"])
def elsewhere(request: pytest.FixtureRequest, installation: Installation, beside: Beside) -> Installation:
    """Where a client comes back."""
    return installation if request.param == "same gateway" else beside()


def about(task: dict[str, Any]) -> dict[str, Any]:
    return {"taskType": task["taskType"], "taskUUID": task["taskUUID"]}


async def ended(installation: Installation, *tasks: dict[str, Any]) -> None:
    """Wait until tasks have ended, asking on a socket of its own."""
    async with installation.client() as watcher:
        for task in tasks:
            asked = new_task("getResponse", taskUUID=task["taskUUID"])
            async with asyncio.timeout(20):
                while "processing" in str((await watcher.ask(asked))[0]):
                    await asyncio.sleep(0.05)


async def dropped(client: Client, *tasks: dict[str, Any]) -> None:
    """Send tasks, see that they were taken, and lose the connection."""
    await client.send(list(tasks))
    await client.ping()
    await client.drop()


async def test_missed(client: Client, arrive: Arrive, elsewhere: Installation, installation: Installation) -> None:
    """What ended while its client was away follows the answer to its authentication, as it would have been sent."""
    # Both workers are busy for as long as the server needs to see that the client is gone.
    good, bad = [new_task("sleeps", seconds=0.5) for _ in range(2)], new_task("exits", how="raise")
    await dropped(client, *good, bad)
    await ended(installation, *good, bad)
    back = await (await arrive(elsewhere)).authenticate(client.session)
    assert back.session == client.session
    frames = [await back.next() for _ in range(3)]
    assert all({"data": [about(task) | {"text": "slept 0.5"}]} in frames for task in good)
    (error,) = [frame["errors"][0] for frame in frames if "errors" in frame]
    assert error.items() >= about(bad).items()
    await back.ping()


async def test_still_running(client: Client, arrive: Arrive, elsewhere: Installation) -> None:
    """What still runs when its client is back is answered on the new socket when it ends."""
    task = new_task("sleeps", seconds=1)
    await dropped(client, task)
    back = await (await arrive(elsewhere)).authenticate(client.session)
    await back.ping()
    assert await back.next() == {"data": [about(task) | {"text": "slept 1.0"}]}


async def test_ack_again(client: Client, arrive: Arrive, elsewhere: Installation, installation: Installation) -> None:
    """An async task that runs, or ended unseen, is acknowledged again; a sync one that runs is not."""
    quick = new_task("sleeps", seconds=0.3, deliveryMethod="async")
    await dropped(client, quick)
    await ended(installation, quick)
    again = await (await arrive(elsewhere)).authenticate(client.session)
    assert await again.next() == {"data": [about(quick)]}
    slow = new_task("sleeps", seconds=1.5, deliveryMethod="async")
    await dropped(again, slow, new_task("sleeps", seconds=1.5))
    back = await (await arrive(elsewhere)).authenticate(client.session)
    assert [await back.next(), await back.next()] in (
        [{"data": [about(slow)]}, {"data": [about(quick)]}],
        [{"data": [about(quick)]}, {"data": [about(slow)]}],
    )
    await back.ping()


@pytest.mark.parametrize("asked", [str(uuid4()), "", "x", "*", "a:b", 7, None, ["x"], {}, "x" * 3000])
async def test_unknown(arrive: Arrive, asked: object) -> None:
    """A session that is not known is no failure: the client gets a fresh one."""
    client = await arrive()
    await client.send([{"taskType": "authentication", "apiKey": client.key, "connectionSessionUUID": asked}])
    (item,) = (await client.next())["data"]
    assert item["connectionSessionUUID"] not in (asked, "")
    await client.send([new_task("nothing")])
    assert "data" in await client.next()


async def test_foreign(client: Client, installation: Installation, other: Client) -> None:
    """A session of another key is not known, and not disturbed."""
    task = new_task("sleeps", seconds=0.5)
    await client.send([task])
    stranger = await installation.client(key=OTHER_KEY).connect(client.session)
    assert stranger.session != client.session
    await stranger.quiet(1)
    await stranger.close()
    assert (await client.answers(task))[0]["data"][0]["text"] == "slept 0.5"


async def test_any_case(client: Client, arrive: Arrive) -> None:
    """A session is known in any case."""
    await client.close()
    back = await (await arrive()).authenticate(client.session.upper())
    assert back.session == client.session


async def test_expired(beside: Beside, arrive: Arrive) -> None:
    """A session ends when its client stays away; its results are still there to ask for."""
    gateway = beside(**SHORT)
    client = await (await arrive(gateway)).authenticate()
    task = new_task("sleeps", seconds=0.2)
    await dropped(client, task)
    await asyncio.sleep(3.2)
    back = await (await arrive(gateway)).authenticate(client.session)
    assert back.session != client.session
    await back.quiet()
    assert (await back.run("getResponse", taskUUID=task["taskUUID"]))["text"] == "slept 0.2"


async def test_kept_alive(beside: Beside, arrive: Arrive) -> None:
    """While its socket is open a session does not end, however long nothing happens."""
    gateway = beside(**SHORT)
    client = await (await arrive(gateway)).authenticate()
    await asyncio.sleep(4)
    task = new_task("sleeps", seconds=0.2)
    await dropped(client, task)
    back = await (await arrive(gateway)).authenticate(client.session)
    assert back.session == client.session
    assert await back.next() == {"data": [about(task) | {"text": "slept 0.2"}]}


async def test_taken_over(client: Client, arrive: Arrive, elsewhere: Installation) -> None:
    """Whoever comes with a live session takes it over: the old socket is closed with 4409, and answers come here."""
    task = new_task("sleeps", seconds=0.7)
    await client.send([task])
    await client.ping()
    heir = await (await arrive(elsewhere)).authenticate(client.session)
    assert heir.session == client.session
    assert (await client.closed())[0] == 4409
    assert client.frames == []
    assert await heir.next() == {"data": [about(task) | {"text": "slept 0.7"}]}
    await heir.ping()
    again = await (await arrive()).authenticate(client.session)
    assert (await heir.closed())[0] == 4409
    assert (await again.next())["data"][0]["taskUUID"] == task["taskUUID"]


async def test_told_errors_are_not_repeated(client: Client, arrive: Arrive) -> None:
    """An error that was sent is not sent again after a resumption: its task is none that the client still knows."""
    good, bad = new_task("nothing"), new_task("exits", how="raise")
    await client.ask(good, bad)
    await client.close()
    back = await (await arrive()).authenticate(client.session)
    frames = list[dict[str, Any]]()
    while "pong" not in str(frames):
        await back.send([{"taskType": "ping"}])
        frames.append(await back.next())
    assert not any("errors" in frame for frame in frames)


async def test_confirmed_is_not_repeated(client: Client, arrive: Arrive) -> None:
    """What was sent some seconds before its client was heard again has arrived, and is not sent again."""
    await client.run("nothing")
    await asyncio.sleep(5.2)
    await client.ping()
    await client.close()
    back = await (await arrive()).authenticate(client.session)
    assert back.session == client.session
    await back.quiet()


async def test_fresh(client: Client, installation: Installation) -> None:
    """Who does not ask for its session starts afresh, with nothing of what it missed."""
    task = new_task("sleeps", seconds=0.3)
    await dropped(client, task)
    async with installation.client() as back:
        assert back.session != client.session
        await back.quiet(1)
        assert (await back.run("getResponse", taskUUID=task["taskUUID"]))["text"] == "slept 0.3"
