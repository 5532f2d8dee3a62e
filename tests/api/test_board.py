"""The live board: who may look, what is seen of real work, and what operators do with tasks of others."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator

import pytest
from PIL import Image
from redis import Redis

from server.tenants import hashed, new_key, tenant_named
from tests.api.conftest import Arrive
from tests.client import Client, new_task, request
from tests.harness import DASH_KEY, KEY, OTHER_KEY, Installation
from tests.pictures.files import encoded
from tests.watching import Feed, ask, code, of

TESTER = tenant_named("tester").id
ABSENT = "5b0c1e1e-0000-4000-8000-000000000000"
ADDRESSES = [
    ("GET", "feed"), ("GET", f"tasks/{ABSENT}"), ("POST", f"tasks/{TESTER}/{ABSENT}/cancel"),
    ("POST", f"tasks/{TESTER}/{ABSENT}/rerun"),
]  # fmt: skip
PICTURE = base64.b64encode(encoded(Image.effect_noise((64, 64), 50), "PNG")).decode()


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
async def test_scope(installation: Installation, method: str, path: str) -> None:
    """Only a key with the scope `dash` may look or act; one without it is told what to do, any other that it is
    wrong."""
    for key, status, refusal in ((None, 401, "invalidApiKey"), ("x", 401, "invalidApiKey"), (KEY, 403, "scopeMissing")):
        answer = await ask(installation.url, path, method, key)
        assert (answer.status, code(answer)) == (status, refusal)
    assert "--scope dash" in answer.json["error"]["message"]


async def test_looking_only(installation: Installation, arrive: Arrive) -> None:
    """A key that has only this scope runs no tasks: refused over HTTP by its own code, in every dialect and on sockets
    as a key that is not good there."""
    url, bearer = installation.url, {"authorization": f"Bearer {DASH_KEY}"}
    refused = await request("POST", f"{url}/v1", [new_task("nothing")], **bearer)
    assert (refused.status, code(refused)) == (403, "scopeMissing")
    assert (await request("POST", f"{url}/api/v3/taskarray/nothing", {}, **bearer)).status == 403
    assert (await request("GET", f"{url}/v2/account", x_api_key=DASH_KEY)).status == 401
    socket = await arrive()
    await socket.send([{"taskType": "authentication", "apiKey": DASH_KEY}])
    assert (await socket.next())["errors"][0]["code"] == "invalidApiKey"


async def test_work(installation: Installation, client: Client) -> None:
    """A running task is seen with its key, worker and progress, and then with where its time went, up to the way of
    its answer; keys, sockets, minutes and memory are told as well."""
    task = new_task("sleeps", seconds=3)
    async with Feed(installation.url) as feed:
        before = await feed.state()
        await client.send([task])
        await feed.until(lambda state: state["figures"]["sockets"])
        state = await feed.until(lambda state: of(state["running"], task["taskUUID"]))
        (running,) = of(state["running"], task["taskUUID"])
        assert (running["tenant"], running["taskType"]) == ({"id": TESTER, "name": "tester"}, "sleeps")
        assert task["taskUUID"] in {worker["name"]: worker["tasks"] for worker in state["workers"]}[running["worker"]]
        assert all(worker["memory"] > 2**20 < worker["taskMemory"] for worker in state["workers"])
        assert state["figures"]["running"] >= 1 <= state["figures"]["sockets"]
        (mine,) = [row for row in state["keys"]["rows"] if row["tenant"]["id"] == TESTER]
        assert mine["sockets"] >= 1 <= mine["tasks"]
        ended = await feed.ended(task["taskUUID"])
        assert (ended["state"], ended["worker"], ended["cached"]) == ("succeeded", running["worker"], False)
        assert 3000 <= ended["spans"]["run"] < ended["ended"] - ended["created"] < 15_000
        state = await feed.until(lambda state: "send" in of(state["ended"], task["taskUUID"])[0]["spans"])
    progress = [event["progress"] for event in of(feed.events, task["taskUUID"]) if "progress" in event]
    assert progress == sorted(progress) != []
    assert progress[-1] <= 100
    assert sum(state["minutes"]["succeeded"]) > sum(before["minutes"]["succeeded"])
    assert state["minutes"]["last"]["succeeded"] >= 1
    assert len(state["minutes"]["succeeded"]) == 61


async def test_queue(installation: Installation, client: Client, other: Client) -> None:
    """What waits is counted by key and by type, and what waits for other tasks by itself."""
    first = new_task("sleeps", seconds=1)
    tasks = [first, *(new_task("sleeps", seconds=0.7) for _ in range(3))]
    tasks.append(new_task("nothing", dependsOn=[first["taskUUID"]]))
    async with Feed(installation.url) as feed:
        await feed.state()
        others = [new_task("sleeps", seconds=0.7) for _ in range(2)]
        await client.send(tasks)
        await other.send(others)
        state = await feed.until(lambda state: state["figures"]["held"] and state["figures"]["waiting"])
        rows = {row["tenant"]["name"]: row for row in state["keys"]["rows"]}
        assert 1 <= rows["other"]["tasks"] <= 2
        assert rows["tester"]["tasks"] >= rows["tester"]["waiting"]
        types = {row["taskType"]: row for row in state["types"]}
        assert types["nothing"]["held"] == 1
        assert state["sample"]["looked"] == state["sample"]["of"]
        assert state["figures"]["oldestMs"] < 20_000
        await client.answers(*tasks)
        await other.answers(*others)


async def test_nothing_told(installation: Installation, client: Client) -> None:
    """No key, no picture, no prompt and no answer is ever in the feed or in what is found."""
    uploaded = await client.run("imageUpload", image=PICTURE)
    told = new_task("audioInference", duration=0.3, positivePrompt="a canary in a mine")
    failed = new_task("exits", how="raise")
    async with Feed(installation.url) as feed:
        await feed.state()
        await client.ask(told, failed)
        assert (await feed.ended(failed["taskUUID"]))["code"] == "internalServerError"
        await feed.ended(told["taskUUID"])
    found = b"".join(
        [(await ask(installation.url, f"tasks/{task['taskUUID']}")).body for task in (told, failed, uploaded)]
    )
    for secret in (KEY, DASH_KEY, "canary", "duration", PICTURE[:40], uploaded["imageUUID"], "/im/", "incident"):
        assert secret.encode() not in feed.raw + found


async def test_cancel(installation: Installation, client: Client) -> None:
    """A task of anybody's is ended from here: its client is told, and it stands among the cancelled ones."""
    task = new_task("audioInference", duration=7)
    async with Feed(installation.url) as feed:
        await client.send([task])
        await feed.until(lambda state: any(one["started"] for one in of(state["running"], task["taskUUID"])))
        path = f"tasks/{TESTER}/{task['taskUUID'].upper()}/cancel"
        answer = await ask(installation.url, path, "POST")
        assert (answer.status, answer.json["data"][0]["status"]) == (200, "cancelled")
        assert (await client.answer(task["taskUUID"]))["errors"][0]["code"] == "taskCancelled"
        ended = await feed.ended(task["taskUUID"])
        assert (ended["code"], set(ended["spans"]) - {"send"}) == ("taskCancelled", {"queued", "run"})
        state = await feed.state()
        assert state["minutes"]["last"]["cancelled"] >= 1
        assert not of(state["running"], task["taskUUID"])
    assert (await ask(installation.url, path, "POST")).json["data"][0]["status"] == "alreadyFinished"
    absent = await ask(installation.url, f"tasks/{TESTER}/{ABSENT}/cancel", "POST")
    assert (absent.status, code(absent)) == (404, "taskNotFound")


async def test_search(installation: Installation, client: Client, other: Client) -> None:
    """A task of any key is found by its UUID, however it is written, or by its beginning while it is new; else it is
    said that there is none, or that more is needed."""
    uuid = new_task("nothing")["taskUUID"]
    for asker in (client, other):
        await asker.ask({"taskType": "nothing", "taskUUID": uuid})
    found = (await ask(installation.url, f"tasks/{uuid.upper()}")).json
    assert {task["tenant"]["name"] for task in found["data"]} == {"tester", "other"}
    assert {(task["taskUUID"], task["taskType"], task["state"]) for task in found["data"]} == {
        (uuid, "nothing", "succeeded")
    }
    assert found["partly"] is False
    assert (await ask(installation.url, f"tasks/{uuid.replace('-', '')}")).json == found
    for beginning in (uuid[:13], uuid[:13].replace("-", "").upper()):
        part = (await ask(installation.url, f"tasks/{beginning}")).json
        assert [task["taskUUID"] for task in part["data"]] == [uuid, uuid]
        assert part["partly"] is True
    absent = await ask(installation.url, f"tasks/{ABSENT}")
    assert (absent.status, code(absent)) == (404, "taskNotFound")
    for text in (uuid[:3], "-----", uuid + "0"):
        short = await ask(installation.url, f"tasks/{text}")
        assert (short.status, code(short)) == (400, "invalidTaskUUID")


async def test_revoked(installation: Installation) -> None:
    """Whose key is revoked sees no more, however long the board has been open."""
    key, keys = new_key(), f"{installation.environment['TASKARRAY_PREFIX']}:keys"
    about = {"name": "gone", "hint": key[-4:], "created": 1.0, "scopes": ["dash"]}
    with Redis.from_url(installation.environment["REDIS_URL"]) as redis:
        redis.hset(keys, hashed(key), json.dumps(about))
        async with Feed(installation.url, key) as feed:
            await feed.state()
            redis.hset(keys, hashed(key), json.dumps(about | {"revoked": 2.0}))
            with pytest.raises(AssertionError, match="has ended"):
                await feed.until(lambda _: False, 10)
        redis.hdel(keys, hashed(key))


@pytest.fixture
def second(installation: Installation) -> Iterator[Installation]:
    """Another gateway of the shared installation, which may be stopped."""
    shared = {"TASKARRAY_PREFIX": installation.environment["TASKARRAY_PREFIX"], "TASKARRAY_DRAIN_TIMEOUT": "4s"}
    found = Installation(installation.folder, installation.environment["REDIS_URL"], **shared)
    found.start("gateway")
    yield found
    found.stop()


async def test_two_gateways(installation: Installation, client: Client, second: Installation) -> None:
    """A board of one gateway shows what is done through all of them, and each with its own sockets. Its feed ends when
    its gateway stops, which takes nobody in any more."""
    async with second.client(key=OTHER_KEY) as other, Feed(second.url) as feed, Feed(installation.url) as first:
        state = await feed.until(lambda state: sum(bool(one["sockets"]) for one in state["gateways"]) >= 2)
        assert state["figures"]["sockets"] == sum(one["sockets"] for one in state["gateways"])
        assert all(one["memory"] > 2**20 for one in state["gateways"])
        done = await client.run("nothing")
        seen = [await one.ended(done["taskUUID"]) for one in (feed, first)]
        assert seen[0] | {"spans": 0} == seen[1] | {"spans": 0}
        await other.send([new_task("sleeps", seconds=2)])
        await feed.until(lambda state: state["running"])
        next(iter(second.processes)).terminate()
        with pytest.raises(AssertionError, match="has ended"):
            await feed.until(lambda _: False)
        refused = await ask(second.url, "feed")
        assert (refused.status, code(refused)) == (503, "serviceUnavailable")


async def test_only_while_watched(installation: Installation) -> None:
    """While nobody looks nothing is read, and nothing is published for boards."""
    prefix = installation.environment["TASKARRAY_PREFIX"]
    with Redis.from_url(installation.environment["REDIS_URL"]) as redis:
        async with Feed(installation.url) as feed:
            await feed.state()
            assert redis.ttl(f"{prefix}:{{s0}}:watched") >= 4
            assert redis.pubsub_numsub(f"{prefix}:{{s0}}:board")[0][1] >= 1
        await asyncio.sleep(2.5)
        assert redis.ttl(f"{prefix}:{{s0}}:watched") < 4
        assert redis.pubsub_numsub(f"{prefix}:{{s0}}:board")[0][1] == 0
