"""The first message of a socket: who may come in, and what the others are told."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from websockets.exceptions import InvalidStatus

from tests.api.conftest import Arrive, Beside
from tests.client import Client, new_task
from tests.harness import KEY, Installation


def authentication(key: object = KEY, **members: Any) -> dict[str, Any]:
    return {"taskType": "authentication", "apiKey": key} | members


async def entered(client: Client, *tasks: dict[str, Any]) -> None:
    """Authenticate in one message with further tasks."""
    await client.send([authentication(), *tasks])
    assert (await client.next())["data"][0]["taskType"] == "authentication"


@pytest.mark.parametrize("query", ["", "/", "?sdk=js&version=1.3.2", "/?sdk=js&version=1.3.2&dryRun=1"])
async def test_accepted(arrive: Arrive, query: str) -> None:
    """A good key gets its session as the only item of the first frame, without a taskUUID, at /v1 in any spelling."""
    client = await arrive(query=query)
    await client.send([authentication()])
    frame = await client.next()
    session = frame["data"][0]["connectionSessionUUID"]
    assert frame == {"data": [{"taskType": "authentication", "connectionSessionUUID": session}]}
    assert UUID(session).version == 4
    assert str(UUID(session)) == session
    await client.ping()


async def test_again(client: Client) -> None:
    """Who authenticates twice is told its session again."""
    await client.send([authentication()])
    session = {"taskType": "authentication", "connectionSessionUUID": client.session}
    assert await client.next() == {"data": [session]}
    await client.ping()


@pytest.mark.parametrize("sent", ["wrong", "", 7, None, ["test-key"], {"key": KEY}, KEY.upper(), KEY + "\0", "ключ"])
async def test_refused(arrive: Arrive, sent: object) -> None:
    """Any key that is not accepted gets the one error in both forms, about a second to read it, and close 4401."""
    client = await arrive()
    await client.send([authentication(sent)])
    frame = await client.next()
    told = time.monotonic()
    (error,) = frame["errors"]
    assert frame == {"errors": [error], "error": error}
    assert error.keys() >= {"code", "message", "parameter", "taskType"}
    assert (error["code"], error["taskType"], error["parameter"]) == ("invalidApiKey", "authentication", "apiKey")
    assert "taskUUID" not in error
    assert (await client.closed())[0] == 4401
    assert 0.5 < time.monotonic() - told < 5
    assert client.frames == []


async def test_without_key(arrive: Arrive) -> None:
    """An authentication without a key says which member it lacks."""
    client = await arrive()
    await client.send([{"taskType": "authentication"}])
    assert "apiKey" in (await client.next())["error"]["message"]


async def test_tasks_before(arrive: Arrive) -> None:
    """Tasks before the authentication are refused one by one under their taskUUID; the socket may still come in."""
    client, tasks = await arrive(), [new_task("nothing"), new_task("ping"), new_task("getResponse")]
    await client.send(tasks)
    for task in tasks:
        (error,) = (await client.next())["errors"]
        assert (error["code"], error["taskUUID"], error["taskType"]) == (
            "invalidApiKey", task["taskUUID"], task["taskType"],
        )  # fmt: skip
    await client.send("nonsense")
    assert (await client.next())["errors"][0]["code"] == "invalidRequest"
    done = new_task("nothing")
    await entered(client, done)
    assert (await client.answer(done["taskUUID"]))["data"][0]["text"] == "done"
    for task in tasks:
        assert (await client.ask(new_task("getResponse", taskUUID=task["taskUUID"])))[0]["errors"]


async def test_tasks_with_it(arrive: Arrive) -> None:
    """Tasks may follow the authentication in the same array; its answer still comes first."""
    client, tasks = await arrive(), [new_task("nothing"), new_task("sleeps"), new_task("ping")]
    await entered(client, *tasks)
    answers = [await client.answer(task["taskUUID"]) for task in tasks]
    assert [next(iter(answer)) for answer in answers] == ["data", "errors", "data"]


async def test_too_late(arrive: Arrive, beside: Beside) -> None:
    """A socket that does not authenticate in time is told so, and closed with 4408."""
    client = await arrive(beside(AUTH_TIMEOUT="2s"))
    await client.send([new_task("nothing")])
    await client.next()
    frame = await client.next()
    assert frame["errors"] == [frame["error"]]
    assert (frame["error"]["code"], frame["error"]["taskType"]) == ("invalidApiKey", "authentication")
    assert (await client.closed())[0] == 4408


async def test_sockets_of_a_key(arrive: Arrive, beside: Beside) -> None:
    """A key holds no more sockets than the setting says, and gets the place of one that closes."""
    gateway = beside(MAX_SOCKETS_PER_KEY="2")
    first, second = [await gateway.client().connect() for _ in range(2)]
    third = await arrive(gateway)
    await third.send([authentication()])
    error = (await third.next())["error"]
    assert error["code"] == "invalidApiKey"
    assert "TASKARRAY_MAX_SOCKETS_PER_KEY" in error["message"]
    assert (await third.closed())[0] == 4401
    async with gateway.client(key="other-key") as another:
        await another.ping()
    await first.close()
    async with gateway.client() as fourth:
        await asyncio.gather(second.ping(), fourth.ping())
    await second.close()


async def test_strangers(arrive: Arrive, beside: Beside) -> None:
    """One address holds so many sockets that have not authenticated; the handshake of the next is refused with 429."""
    gateway = beside(MAX_UNAUTHENTICATED_PER_IP="2")
    first = await arrive(gateway)
    await arrive(gateway)
    with pytest.raises(InvalidStatus) as refused:
        await arrive(gateway)
    assert refused.value.response.status_code == 429
    await entered(first)
    await arrive(gateway)


async def test_never_logged(installation: Installation, arrive: Arrive) -> None:
    """No API key, good or bad, is in any log."""
    canary = f"canary-{uuid4().hex}"
    client = await arrive(query=f"?apiKey={canary}", additional_headers={"Authorization": f"Bearer {canary}"})
    await client.send([authentication(canary, connectionSessionUUID=canary), new_task("nothing", apiKey=canary)])
    await client.closed()
    async with installation.client() as known:
        await known.ask(new_task(canary), new_task("nothing", apiKey=canary))
    log = installation.log()
    assert known.session in log
    assert canary not in log
    assert KEY not in log
