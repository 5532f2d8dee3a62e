"""The same over a Redis Cluster: tenants in several shards on several nodes, and what is lost with one of them."""

from __future__ import annotations

import asyncio
import random
import urllib.request
from collections.abc import AsyncIterator, Iterator

import pytest
from redis import Redis
from redis.crc import key_slot
from redis.exceptions import MovedError

from server.blobs import Blobs
from server.catalog import Catalog
from server.config import Config
from server.dispatch import Dispatch
from server.errors import ServiceUnavailable
from server.images import Images
from server.queue import Queue
from server.store import Store
from server.tenants import Tenants
from tests.client import Client, new_task
from tests.faults.ledger import Ledger, runs, started, worker_of
from tests.faults.test_redis import PNG
from tests.harness import Installation, wait_for
from tests.redis import RedisCluster
from tests.server.jobs import DONE, new_image, new_job, submit
from tests.server.play import Drawn, Play
from tests.server.test_held import check

NAMES = [f"tenant{number}" for number in range(8)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with RedisCluster(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture(scope="module")
def installation(cluster: RedisCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    found = Installation(
        tmp_path_factory.mktemp("own"),
        cluster.url,
        TASKARRAY_REDIS_CLUSTER="true",
        TASKARRAY_SHARDS="4",
        TASKARRAY_API_KEYS=",".join(f"{name}:{name}" for name in NAMES),
    )
    found.start_all(gateways=2, workers=3)
    yield found
    found.stop()


@pytest.fixture
async def store(cluster: RedisCluster, tmp_path) -> AsyncIterator[Store]:
    found = Store(Config(redis_url=cluster.url, redis_cluster=True, shards=4, prefix=tmp_path.name, data=tmp_path))
    yield found
    await found.close()


async def connected(installation: Installation, gateway: int, session: str = "") -> list[Client]:
    """A client of each tenant."""
    return [await installation.client(gateway, key=name).connect(session) for name in NAMES]


async def test_every_tenant(installation):
    """Tasks and images of tenants in all shards go their way, on whichever gateway they are asked for."""
    one, other = await connected(installation, 0), await connected(installation, 1)
    items = await asyncio.gather(*(client.run("imageUpload", image=PNG) for client in one))
    for item in items:
        with urllib.request.urlopen(item["imageURL"], timeout=5) as answer:
            assert answer.status == 200
    again = [client.run("mediaStorage", media=item["imageUUID"]) for client, item in zip(other, items, strict=True)]
    assert all(item["mediaUUID"] for item in await asyncio.gather(*again))
    foreign = [client.fail("mediaStorage", media=items[0]["imageUUID"]) for client in other[1:]]
    assert {error["code"] for error in await asyncio.gather(*foreign)} == {"mediaNotFound"}
    for client in one + other:
        await client.close()


async def test_resume(installation):
    """A session of each shard is resumed on the other gateway and gets its results there."""
    clients, books = await connected(installation, 0), [Ledger() for _ in NAMES]
    for client, book in zip(clients, books, strict=True):
        await client.send(book.new(1, "sleeps", seconds=0.3))
        await client.send(book.new(3))
    for client, book, name in zip(clients, books, NAMES, strict=True):
        await client.ask({"taskType": "getTaskDetails", "taskUUID": list(book.tasks)[-1]})  # all are accepted by then
        await client.drop()
        other = await installation.client(1, key=name).connect(client.session)
        assert other.session == client.session
        await book.follow(other)
        await book.check(other)
        await other.close()


async def test_worker_killed(installation, tmp_path):
    """Tasks of a killed worker are run again by the others, whichever shard they are of."""
    installation.wait_workers(3)
    clients, books = await connected(installation, 0), [Ledger() for _ in NAMES]
    for client, book, name in zip(clients, books, NAMES, strict=True):
        await client.send(book.new(1, "lingers", seconds=0.5, marker=str(tmp_path / name)))
    wait_for(lambda: any((tmp_path / name).exists() for name in NAMES), 20)
    running = [name for name in NAMES if (tmp_path / name).exists()]
    (first,) = await started(tmp_path / running[0])
    installation.kill(worker_of(installation, first))
    for client, book in zip(clients, books, strict=True):
        await book.follow(client)
        await book.check(client)
        await client.close()
    assert set(runs(installation).values()) == {1}
    installation.start("worker")


async def test_many_at_once(installation):
    """Hundreds of tasks of all tenants at once are answered, each once."""
    clients, books = await connected(installation, 0), [Ledger() for _ in NAMES]
    for client, book in zip(clients, books, strict=True):
        await client.send(book.new(50))
    for client, book in zip(clients, books, strict=True):
        await book.follow(client, 60)
        await client.close()
    assert {len(answers) for book in books for answers in book.answers.values()} == {1}


async def test_graphs(installation, tmp_path):
    """In every shard tasks build on each other, are cancelled with all that builds on them, are too late, and the same
    work is done once."""
    clients = await connected(installation, 0)
    await asyncio.gather(*(graphs(client, tmp_path / client.key) for client in clients))
    for client in clients:
        assert (tmp_path / client.key).read_text().count("\n") == 5, "the same work was done twice"
        await client.close()


async def graphs(client: Client, marker) -> None:
    """What one tenant asks for."""
    first = new_task("notes", book=str(marker), name="first")
    second = new_task("notes", book=str(marker), name="second", images=[first["taskUUID"], first["taskUUID"] + "#1"])
    long = new_task("sleeps", seconds=8, priority=-1)
    below, late = new_task("nothing", dependsOn=[long["taskUUID"]]), new_task("sleeps", seconds=8, deadlineMs=500)
    same = [new_task("repeats", inputImage=first["taskUUID"], marker=str(marker), seconds=0.3) for _ in range(2)]
    cancel = new_task("taskCancel", targets=[long["taskUUID"]])
    await client.send([*same, below, late, long, second, first])
    await client.send([cancel])
    assert (await client.answer(second["taskUUID"]))["data"][0]["read"] == 140
    twins = [frame["data"][0]["imageUUID"] for frame in await client.answers(*same)]
    assert len(set(twins)) == 2
    (late_one,) = (await client.answer(late["taskUUID"]))["errors"]
    assert late_one["code"] == "deadlineExceeded"
    (word,) = (await client.answer(cancel["taskUUID"]))["data"][0]["results"]
    assert word["status"] == "cancelled"
    for frame in await client.answers(long, below):
        assert frame["errors"][0]["code"] == "taskCancelled"


async def test_random_graphs(store, cluster):
    """Random graphs of tenants in all shards end as a plain oracle says."""
    queue, chance = Queue(store), random.Random(2)
    await queue.prepare()
    dispatch = Dispatch(
        Catalog.discover(("tests.misbehaving",)), queue, Tenants(store, store.config), Blobs(store.config.blob_url)
    )
    graphs, play = [Drawn.new(chance, number) for number in range(100)], Play(dispatch, chance)
    await play.all(graphs, store.bases, 4)
    for graph in graphs:
        await check(queue, play, graph)


async def test_moved(store, cluster):
    """When a slot has moved to another node, commands follow it: steps at once, reads that wait at the next try."""
    base, queue, images = store.bases[0], Queue(store), Images(store, 60)
    await queue.prepare()
    job = new_job(next(name for name in NAMES if store.home(name) == base))
    await submit(queue, job)
    move(cluster, key_slot(base.encode()))
    with pytest.raises(MovedError):
        await queue.wait(base, "w1", 0.05)
    assert (await queue.take(base, "w1")).job.uuid == job.uuid
    move(cluster, key_slot(base.encode()))
    known = await asyncio.gather(*(queue.known(job.tenant, job.uuid) for _ in range(20)))
    assert {found.uuids[0] for found in known} == {job.uuids[0]}
    move(cluster, key_slot(base.encode()))
    assert await images.use(job.tenant, new_image()["uuid"]) is None


async def test_on_its_way(store, cluster):
    """While a slot is being moved its tasks are refused, and not made again on the other side."""
    base, queue = store.bases[1], Queue(store)
    await queue.prepare()
    job = new_job(next(name for name in NAMES if store.home(name) == base))
    await submit(queue, job)
    slot = key_slot(base.encode())
    source, target = holder(cluster, slot), next(port for port in cluster.ports if port != holder(cluster, slot))
    ids = {port: node(port, "CLUSTER MYID") for port in cluster.ports}
    node(target, f"CLUSTER SETSLOT {slot} IMPORTING {ids[source].decode()}")
    node(source, f"CLUSTER SETSLOT {slot} MIGRATING {ids[target].decode()}")
    with pytest.raises(ServiceUnavailable):
        await submit(queue, job)
    for port in (target, source):
        node(port, f"CLUSTER SETSLOT {slot} STABLE")
    assert await submit(queue, job) == "accepted"
    owned = await queue.take(base, "w1")
    assert await queue.take(base, "w1") is None
    assert await queue.finish(owned, DONE, 0.1)


async def test_node_killed(store, cluster):
    """When a node dies its own shards are refused at once; the shards of the others go on, and its come back."""
    dead = holder(cluster, key_slot(store.bases[0].encode()))
    lives = next(base for base in store.bases if holder(cluster, key_slot(base.encode())) != dead)
    assert await asyncio.gather(*(store.run("forget", base, "t", "x") for base in store.bases)) == [0] * 4
    cluster.kill(dead)
    for _ in range(3):
        there, away = await asyncio.gather(
            store.run("forget", lives, "t", "x"), store.run("forget", store.bases[0], "t", "x"), return_exceptions=True
        )
        assert there == 0
        assert isinstance(away, ServiceUnavailable)
    cluster.restart(dead)
    async with asyncio.timeout(20):
        while True:
            try:
                assert await store.run("forget", store.bases[0], "t", "x") == 0
                break
            except ServiceUnavailable:
                await asyncio.sleep(0.1)


def node(port: int, command: str):
    with Redis(port=port) as client:
        return client.execute_command(*command.split())


def holder(cluster: RedisCluster, slot: int) -> int:
    """The port of the node that has a slot."""
    for first, last, (_, port, *_), *_ in node(cluster.ports[0], "CLUSTER SLOTS"):
        if first <= slot <= last:
            return port
    raise AssertionError(f"nobody has slot {slot}")


def move(cluster: RedisCluster, slot: int) -> None:
    """Move a slot with its keys to the next node."""
    source = holder(cluster, slot)
    target = cluster.ports[(cluster.ports.index(source) + 1) % len(cluster.ports)]
    ids = {port: node(port, "CLUSTER MYID").decode() for port in cluster.ports}
    node(target, f"CLUSTER SETSLOT {slot} IMPORTING {ids[source]}")
    node(source, f"CLUSTER SETSLOT {slot} MIGRATING {ids[target]}")
    with Redis(port=source) as client:
        while keys := client.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100):
            client.execute_command("MIGRATE", "127.0.0.1", target, "", 0, 5000, "KEYS", *keys)
    for port in (target, *(port for port in cluster.ports if port != target)):
        node(port, f"CLUSTER SETSLOT {slot} NODE {ids[target]}")
