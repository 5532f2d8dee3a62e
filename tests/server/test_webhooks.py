"""Deliveries: booked with the outcome, lent, signed, sent once or more, judged, given up, replayed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from email.utils import formatdate
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from server.addresses import RECEIVER_PORTS, Guard, Refused, read_url
from server.config import Config
from server.courier import Courier
from server.delivery import signed
from server.jobs import Outcome
from server.queue import Queue
from server.store import Store
from server.tenants import Tenant, Tenants
from server.units import Networks
from server.webhooks import Standing, Webhooks, record
from tests.outside import answer, redirect
from tests.receiver import Receiver, hang
from tests.server.jobs import TENANT, claim, new_job, submit

LOCAL = {"FETCH_ALLOW": "127.0.0.0/8", "WEBHOOK_PAUSE": "50ms", "LEASE": "1s"}
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
BODY = (
    b'{"id":"0123456789abcdef0123456789abcdef","status":"completed",'
    b'"outputs":["https://imgs.example.test/o/1.png"],"error":""}'
)
local = pytest.mark.settings(**LOCAL)


def owed(url: str, tenant: str, task: str, kind: str = "item", **about: Any) -> dict[str, Any]:
    return record(url, kind=kind, tenant=tenant, task=task, base_url="http://here", **about)


async def book(queue: Queue, *urls: str, kind: str = "item", items: int = 1) -> str:
    """A finished task with its deliveries; its UUID."""
    job = new_job()
    await submit(queue, job)
    deliveries = [owed(url, job.tenant, job.uuid, kind) for url in urls]
    outcome = Outcome(items=[{"text": f"result {place}"} for place in range(items)], deliveries=deliveries)
    assert await queue.finish(await claim(queue), outcome, 0.1)
    return job.uuid


async def listed(store: Store) -> list[Standing]:
    return [standing async for standing in Webhooks(store).listed()]


async def dead(store: Store) -> Standing:
    """The one delivery there is, once it is given up."""
    async with asyncio.timeout(10):
        while not (found := await listed(store)) or not found[0].dead:
            await asyncio.sleep(0.01)
    assert len(found) == 1
    return found[0]


async def tried(store: Store) -> Standing:
    """The one delivery there is, once an attempt has failed."""
    async with asyncio.timeout(10):
        while not (found := await listed(store)) or not found[0].reason:
            await asyncio.sleep(0.01)
    return found[0]


@pytest.fixture
async def courier(config: Config) -> AsyncIterator[Callable[[], Courier]]:
    """`courier()` delivers from now on; told to stop at the end."""
    stop, running = asyncio.Event(), list[asyncio.Task[None]]()
    async with AsyncExitStack() as stack:

        def start() -> Courier:
            store = Store(config)
            stack.push_async_callback(store.close)
            found = Courier(config, store)
            running.append(asyncio.create_task(found.run(stop)))
            return found

        yield start
        stop.set()
        for task in running:
            async with asyncio.timeout(10):
                await task


# The books.


async def test_newer_worker(queue: Queue, store: Store):
    """A delivery that a newer worker has booked may say more than this version knows."""
    job = new_job()
    await submit(queue, job)
    newer = owed("http://a.example/hook", job.tenant, job.uuid) | {"colour": "blue"}
    assert await queue.finish(await claim(queue), Outcome(items=[{}], deliveries=[newer]), 0.1)
    (found,) = await Webhooks(store).collect(store.bases[0], 8, 8, {})
    assert (found.id, found.attempt) == (newer["id"], 1)


async def test_booked_with_the_outcome(queue: Queue, store: Store):
    """A task's deliveries are booked by the step that finishes it, and a late worker's are not."""
    job = new_job()
    await submit(queue, job)
    claimed = await claim(queue)
    async with store.node(claimed.base) as redis:
        await redis.xclaim(f"{claimed.base}:jobs", "workers", "other", 0, [claimed.message])
    outcome = Outcome(items=[{}], deliveries=[owed("http://a.example/hook?token=1", job.tenant, job.uuid, index=3)])
    assert not await queue.finish(claimed, outcome, 0.1)
    assert await listed(store) == []
    await book(queue, "http://a.example/hook?token=1")
    (standing,) = await listed(store)
    assert (standing.delivery.tenant, standing.delivery.host, standing.dead) == (TENANT, "a.example", False)
    assert standing.delivery.url == "http://a.example/hook?token=1"


@pytest.mark.settings(LEASE="300ms")
async def test_lease(queue: Queue, store: Store):
    """What a sender has nobody else gets, until its lease is over: then it goes to another under the same id."""
    await book(queue, "http://a.example")
    one, other, base = Webhooks(store), Webhooks(store), store.bases[0]
    (first,) = await one.collect(base, 10, 4, {})
    assert await other.collect(base, 10, 4, {}) == []
    await asyncio.sleep(0.2)
    await one.keep([first])
    await asyncio.sleep(0.2)
    assert await other.collect(base, 10, 4, {}) == []
    await asyncio.sleep(0.15)
    (second,) = await other.collect(base, 10, 4, {})
    assert (second.id, first.attempt, second.attempt) == (first.id, 1, 2)
    await one.undelivered(first, "too late", None)
    await one.keep([first])
    assert not any(standing.dead or standing.reason for standing in await listed(store))
    await one.delivered(first)
    assert await listed(store) == []


async def test_share(queue: Queue, store: Store):
    """However many are due for one host, the others get theirs."""
    await book(queue, *["http://busy.example"] * 500)
    await book(queue, "http://a.example", "http://a.example:8080", "http://b.example")
    webhooks, base = Webhooks(store), store.bases[0]
    first = Counter(delivery.host for delivery in await webhooks.collect(base, 64, 4, {"b.example": 4}))
    assert first == {"busy.example": 4, "a.example": 1, "a.example:8080": 1}
    second = Counter(delivery.host for delivery in await webhooks.collect(base, 64, 4, first))
    assert second == {"b.example": 1}
    assert len(await webhooks.collect(base, 3, 4, {})) == 3


async def test_replay(queue: Queue, store: Store, redis):
    """What was given up can be sent again with all its attempts, and its task is kept for as long."""
    uuid = await book(queue, "http://a.example")
    webhooks, base = Webhooks(store), store.bases[0]
    (delivery,) = await webhooks.collect(base, 1, 4, {})
    assert not await webhooks.replay(delivery.id), "it is not given up"
    await webhooks.undelivered(delivery, "for a test", None)
    assert await redis.ttl(f"{base}:task:{TENANT}:{uuid}") > 86400
    assert await webhooks.collect(base, 1, 4, {}) == []
    assert [(standing.dead, standing.reason) for standing in await listed(store)] == [(True, "for a test")]
    assert await webhooks.replay(delivery.id)
    assert not await webhooks.replay(delivery.id)
    (again,) = await webhooks.collect(base, 1, 4, {})
    assert (again.id, again.attempt) == (delivery.id, 1)


@pytest.mark.settings(WEBHOOK_TTL="1s")
async def test_the_dead_go(queue: Queue, store: Store, redis):
    """What was given up is forgotten after TASKARRAY_WEBHOOK_TTL."""
    webhooks, base = Webhooks(store), store.bases[0]
    for pause in (0, 1.2):
        await asyncio.sleep(pause)
        await book(queue, "http://a.example")
        (delivery,) = await webhooks.collect(base, 1, 4, {})
        await webhooks.undelivered(delivery, "for a test", None)
    assert [standing.delivery.id for standing in await listed(store)] == [delivery.id]
    assert await redis.zcard(f"{base}:dead") == 1


# Signatures.


def test_signature_of_predictions():
    """A prediction is signed with the secret as it is written, in hexadecimal, under `v3`."""
    headers = signed("v3", SECRET, "msg-0001", 1760000000, BODY)
    assert len(BODY) == 121
    assert headers == {
        "webhook-id": "msg-0001",
        "webhook-timestamp": "1760000000",
        "webhook-signature": "v3,ffc08897abf16495f2a992d4d1294ae854564a30cbf7232c1c148cf6a30c4ac4",
    }


def test_signature_of_the_task_array():
    """Other webhooks are signed after Standard Webhooks: its own library verifies them, and not a changed one."""
    headers = signed("v1", SECRET, "msg-0001", int(time.time()), BODY)
    assert Webhook(SECRET).verify(BODY, headers)["status"] == "completed"
    for changed in (headers | {"webhook-id": "msg-0002"}, headers | {"webhook-timestamp": str(int(time.time()) - 9)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(BODY, changed)


async def test_secret(store: Store, config: Config):
    """A tenant's secret is 32 random bytes, the same whoever asks and whenever."""
    tenants = Tenants(store, config)
    found = await asyncio.gather(*(tenants.webhook_secret(Tenant(id_, "")) for id_ in ("t1", "t1", "t2")))
    assert found[0] == found[1] != found[2]
    assert len(base64.b64decode(found[0].removeprefix("whsec_"), validate=True)) == 32
    elsewhere = Store(config)
    assert await Tenants(elsewhere, config).webhook_secret(Tenant("t1", "")) == found[0]
    await elsewhere.close()


# Where to.


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://10.0.0.1/hook", "not, or not only, a public address"),
        ("http://169.254.169.254/latest", "not, or not only, a public address"),
        ("http://[::1]:8080/", "not, or not only, a public address"),
        ("http://[::ffff:10.0.0.1]/", "not, or not only, a public address"),
        ("http://localhost/hook", "not, or not only, a public address"),
        ("http://hooks.localhost./hook", "not, or not only, a public address"),
        ("https://1.1.1.1:6379/", "the ports 80 and 443 and 8080 and 8443 only"),
        ("https://a.example:25/", "the ports 80 and 443 and 8080 and 8443 only"),
        ("ftp://a.example/", "only http and https"),
        ("https://user:word@a.example/", "a user name or a password"),
        ("https://a.example/" + "x" * 9000, "longer than"),
        ("/hook", "not a well-formed URL"),
        ("", "not a well-formed URL"),
    ],
)
def test_refused_at_once(url: str, sentence: str):
    """What a URL says of itself is checked without a look-up."""
    with pytest.raises(Refused, match=sentence):
        Guard((), RECEIVER_PORTS).check(read_url(url))


@pytest.mark.parametrize(
    ("url", "allow"),
    [
        ("https://a.example/hook?token=1", ""),
        ("http://a.example:8080", ""),
        ("https://1.1.1.1:8443/", ""),
        ("http://10.0.0.1:5678/hook", "10.0.0.0/8"),
        ("http://localhost:5678/hook", "127.0.0.0/8"),
        ("http://n8n:5678/hook", "10.0.0.0/8"),
    ],
)
def test_taken(url: str, allow: str):
    """Public servers are reached on the ports of the web, networks that the operator allows on every port."""
    networks: Networks = Config.read({"TASKARRAY_FETCH_ALLOW": allow}).fetch_allow
    Guard(networks, RECEIVER_PORTS).check(read_url(url))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0x7f000001", "[::ffff:127.0.0.1]"])
async def test_nothing_connects(queue: Queue, store: Store, courier, host: str):
    """A name or a spelling of an address that is not allowed is refused where the connection would be made."""
    async with Receiver() as receiver:
        await book(queue, receiver.url(host=host))
        courier()
        standing = await dead(store)
        assert receiver.connects == 0
    assert standing.delivery.attempt == 1
    assert "not sent: " in standing.reason
    assert "TASKARRAY_FETCH_ALLOW" in standing.reason


# Sending.


@pytest.mark.settings(**LOCAL | {"WEBHOOK_PAUSE": "1300ms"})
async def test_again(queue: Queue, store: Store, config: Config, courier):
    """After a failure it is sent again: the same id and body under a new time and signature, which verify."""
    async with Receiver(answer(status=500), answer(status=204, content_length=None)) as receiver:
        uuid = await book(queue, receiver.url("/hook?token=1"))
        courier()
        first, second = await receiver.quiet(2)
    secret = await Tenants(store, config).webhook_secret(Tenant(TENANT, ""))
    assert (first.method, first.path, first.headers["content-type"]) == ("POST", "/hook?token=1", "application/json")
    assert first.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert first.id == second.id
    assert first.body == second.body
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    for arrival in (first, second):
        found = Webhook(secret).verify(arrival.body, arrival.headers)
        assert found == {"data": [{"taskType": "nothing", "taskUUID": uuid, "text": "result 0"}]}
    assert second.at - first.at > 1
    assert await listed(store) == []


@local
async def test_prediction(queue: Queue, store: Store, config: Config, courier):
    """A prediction is sent bare, and verifies as its clients do it."""
    async with Receiver() as receiver:
        uuid = await book(queue, receiver.url(), kind="prediction")
        courier()
        (arrival,) = await receiver.got(1)
    secret = await Tenants(store, config).webhook_secret(Tenant(TENANT, ""))
    message = f"{arrival.id}.{arrival.headers['webhook-timestamp']}.".encode() + arrival.body
    version, signature = arrival.headers["webhook-signature"].split(",")
    expected = hmac.new(secret.removeprefix("whsec_").encode(), message, hashlib.sha256).hexdigest()
    assert (version, signature) == ("v3", expected)
    assert (arrival.json["id"], arrival.json["status"]) == (uuid.replace("-", ""), "completed")
    assert arrival.json["urls"]["get"] == f"http://here/api/v3/predictions/{arrival.json['id']}/result"


@pytest.mark.settings(**LOCAL | {"WEBHOOK_ATTEMPTS": "3", "WEBHOOK_PAUSE": "300ms"})
async def test_given_up(queue: Queue, store: Store, courier):
    """After TASKARRAY_WEBHOOK_ATTEMPTS it is given up, with the last reason, each pause longer than the one before."""
    async with Receiver(answer(status=404)) as receiver:
        await book(queue, receiver.url())
        courier()
        one, two, three = await receiver.quiet(3)
        standing = await dead(store)
    assert (standing.reason, standing.delivery.attempt) == ("answered 404", 3)
    assert two.at - one.at >= 0.24
    assert three.at - two.at >= 0.96


@local
async def test_redirect(queue: Queue, store: Store, courier):
    """A redirect is not followed: the attempt has failed, and the reason says so."""
    async with Receiver() as elsewhere, Receiver(redirect(elsewhere.url(), 307)) as receiver:
        await book(queue, receiver.url())
        courier()
        standing = await tried(store)
        assert elsewhere.connects == 0
    assert standing.reason == "answered 307; redirects are not followed"


@local
async def test_gone(queue: Queue, store: Store, courier):
    """A receiver that answers 410 gets nothing any more."""
    async with Receiver(answer(status=410)) as receiver:
        await book(queue, receiver.url())
        courier()
        standing = await dead(store)
        await receiver.quiet(1)
    assert (standing.delivery.attempt, standing.reason[:12]) == (1, "answered 410")


@local
@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("20", 20), ("date", 30), ("1e9", 0), ("9999999999", 900), ("-5", 0),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", 0),
    ],
)  # fmt: skip
async def test_retry_after(queue: Queue, store: Store, courier, asked: str, seconds: float):
    """A receiver that asks to be left alone for a while is, within a quarter of an hour."""
    asked = formatdate(time.time() + 30, usegmt=True) if asked == "date" else asked
    async with Receiver(answer(status=503, retry_after=asked)) as receiver:
        await book(queue, receiver.url())
        courier()
        (arrival,) = await receiver.got(1)
        standing = await tried(store)
    assert standing.reason == "answered 503"
    assert seconds - 2 < standing.at - arrival.at < seconds + 3


@pytest.mark.settings(**LOCAL | {"WEBHOOK_TIMEOUT": "300ms"})
async def test_silent(queue: Queue, store: Store, courier):
    """A receiver that does not answer in time has not got it."""
    async with Receiver(hang, answer()) as receiver:
        await book(queue, receiver.url())
        courier()
        first, second = await receiver.quiet(2)
    assert first.id == second.id
    assert second.at - first.at >= 0.3
    assert await listed(store) == []


@local
async def test_endless_answer(queue: Queue, store: Store, courier):
    """A 2xx is enough: no more than a little of what follows is read."""
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with Receiver(endless) as receiver:
        await book(queue, receiver.url())
        courier()
        await receiver.quiet(1)
        assert await listed(store) == []
        assert sent < 64 * 2**20


@local
async def test_nobody_there(queue: Queue, store: Store, courier):
    """A receiver that is away for a moment gets it when it is back."""
    async with Receiver() as receiver:
        port = receiver.port
    await book(queue, f"http://127.0.0.1:{port}/hook", "http://does-not-exist.invalid/hook")
    courier()
    async with asyncio.timeout(10):
        while len(found := [standing for standing in await listed(store) if standing.reason]) < 2:
            await asyncio.sleep(0.01)
    assert not any(standing.dead for standing in found)
    reasons = {standing.delivery.host: standing.reason for standing in found}
    assert reasons[f"127.0.0.1:{port}"] == "the connection failed or ended before the answer"
    assert reasons["does-not-exist.invalid"] == "does-not-exist.invalid could not be looked up"


@local
async def test_slow_receiver(queue: Queue, store: Store, courier):
    """A receiver that hangs holds up nobody else, and is tried a few at a time."""
    async with Receiver(hang) as slow, Receiver() as quick:
        await book(queue, *[slow.url()] * 100)
        courier()
        await slow.got(4)
        began = time.monotonic()
        await book(queue, *[quick.url()] * 40)
        await quick.got(40)
        assert time.monotonic() - began < 10
        assert quick.most <= 4
        assert slow.most == 4
        slow.answers = (answer(),)


@local
async def test_two_couriers(queue: Queue, store: Store, courier):
    """Several couriers share the work and send nothing twice."""
    async with Receiver() as one, Receiver() as other:
        for _ in range(30):
            await book(queue, one.url(), other.url())
        courier()
        courier()
        arrivals = [*await one.quiet(30), *await other.quiet(30)]
    assert len({arrival.id for arrival in arrivals}) == 60


@local
async def test_outcome_is_gone(queue: Queue, store: Store, redis, courier):
    """What is made of an outcome that is no longer kept is given up, and says why."""
    uuid = await book(queue, "http://127.0.0.1:1/hook")
    await redis.delete(f"{store.bases[0]}:task:{TENANT}:{uuid}")
    courier()
    assert (await dead(store)).reason == "the task's outcome is no longer kept"


@local
async def test_stops_in_order(queue: Queue, store: Store, config: Config):
    """A courier that is told to stop lets what is under way come to its end."""

    async def slowly(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)
        writer.write(answer())
        await writer.drain()

    async with Receiver(slowly) as receiver:
        await book(queue, receiver.url())
        stop = asyncio.Event()
        running = asyncio.create_task(Courier(config, store).run(stop))
        await receiver.got(1)
        stop.set()
        await running
        await receiver.quiet(1, 0)
    assert await listed(store) == []
