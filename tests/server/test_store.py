"""The way to Redis: commands of one turn travel together, failures are told, and a Redis that comes back is used."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from server.config import Config
from server.embedded import Embedded
from server.errors import ServiceUnavailable
from server.store import Store
from tests.redis import start_redis


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Embedded]:
    """A Redis of this test alone, to be broken."""
    found = start_redis(tmp_path / "redis")
    yield found
    found.stop()


@pytest.fixture
async def store(redis: Embedded, tmp_path: Path) -> AsyncIterator[Store]:
    found = Store(Config(redis_url=redis.url, shards=4, data=tmp_path))
    yield found
    await found.close()


@pytest.fixture
def admin(redis: Embedded) -> Iterator[Redis]:
    with Redis.from_url(redis.url) as client:
        yield client


def kill(redis: Embedded) -> None:
    os.kill(redis.pid, signal.SIGKILL)
    while redis.alive:
        time.sleep(0.01)


async def soon(listening: AsyncIterator[bytes | None]) -> bytes | None:
    """The next message, which must not take long."""
    async with asyncio.timeout(10):
        return await anext(listening)


async def heard_again(heard: list[bytes | None], publish, message: bytes) -> None:
    """Publish until it is heard."""
    async with asyncio.timeout(15):
        while message not in heard:
            publish()
            await asyncio.sleep(0.05)


async def test_coalescing(store, admin):
    """Commands that are given in one turn of the loop travel in one pipeline, and are answered in their order."""
    await store.call("PING")
    before = admin.info("stats")["total_reads_processed"]
    answers = await asyncio.gather(*(store.call("INCR", "counter") for _ in range(200)))
    reads = admin.info("stats")["total_reads_processed"] - before
    assert answers == list(range(1, 201))
    assert reads < 20


async def test_many(store):
    """More commands than one pipeline holds are answered all the same."""
    assert await asyncio.gather(*(store.call("INCR", "counter") for _ in range(1000))) == list(range(1, 1001))


async def test_one_bad_command(store):
    """A command that fails fails alone; those that travelled with it are answered."""
    _good, bad, last = await asyncio.gather(
        store.call("SET", "key", "text"),
        store.call("LPUSH", "key", "item"),
        store.call("GET", "key"),
        return_exceptions=True,
    )
    assert isinstance(bad, ResponseError)
    assert last == b"text"
    with pytest.raises(ResponseError):
        await store.call("LPUSH", "key", "item")
    with pytest.raises(ServiceUnavailable):
        await store.guarded("LPUSH", "key", "item")


@pytest.mark.parametrize("value", [object(), "\ud800"], ids=["object", "surrogate"])
async def test_unsendable(store, value):
    """A command that cannot even be sent is told so, alone or among others, and nobody waits for ever."""
    async with asyncio.timeout(5):
        with pytest.raises(Exception, match=r"Invalid input|surrogates"):
            await store.call("SET", "key", value)
        told = await asyncio.gather(store.call("SET", "key", value), store.call("PING"), return_exceptions=True)
        assert isinstance(told[0], Exception)
        assert await store.call("PING")


async def test_given_up(store):
    """A caller that gives up does not disturb those whose commands travelled with its own."""
    calls = [asyncio.ensure_future(store.call("INCR", "counter")) for _ in range(3)]
    calls[1].cancel()
    assert await calls[0] == 1
    assert await calls[2] == 3


async def test_steps_load(store, admin):
    """Every atomic step is a script that Redis takes, under the sum that it is called by."""
    loaded = {name: admin.script_load(source) for name, source in store._sources.items()}
    assert loaded == store._sums
    assert len(loaded) >= 14


async def test_scripts_flushed(store, admin):
    """A step works though Redis has forgotten every script: at its first start, and after SCRIPT FLUSH."""
    home = store.home("t")
    for _ in range(2):
        assert await store.run("spend", home, "t", 1, 5, 5, time.time()) == b"0"
        admin.script_flush()
    assert await asyncio.gather(*(store.run("forget", home, "t", "x") for _ in range(20))) == [0] * 20


async def test_begun(store, admin):
    """A step that was begun is taken though its caller has gone, and though Redis did not know it."""
    admin.script_flush()
    step = asyncio.ensure_future(store.run("open", store.home("t"), "s1", "t", "g1", 60, 0))
    await asyncio.sleep(0)
    step.cancel()
    async with asyncio.timeout(5):
        while not admin.exists(f"{store.home('t')}:session:s1"):
            await asyncio.sleep(0.01)


async def test_restart(store, redis):
    """A Redis that is away is said so at once, and used again as soon as it is back, with what it acknowledged."""
    await store.guarded("SET", "kept", "yes")
    kill(redis)
    began = time.monotonic()
    with pytest.raises(ServiceUnavailable):
        await store.run("forget", store.home("t"), "t", "x")
    together = await asyncio.gather(*(store.guarded("GET", "kept") for _ in range(5)), return_exceptions=True)
    assert all(isinstance(answer, ServiceUnavailable) for answer in together)
    assert time.monotonic() - began < 4
    redis.start()
    assert await store.guarded("GET", "kept") == b"yes"
    assert await store.run("forget", store.home("t"), "t", "x") == 0


async def test_pause(store, admin):
    """A Redis that is slow for a second is waited for."""
    admin.client_pause(1000)
    began = time.monotonic()
    assert await store.run("forget", store.home("t"), "t", "x") == 0
    assert time.monotonic() - began > 0.5


async def test_shards(store):
    """A tenant's keys lie in one shard, always the same, and tenants spread over all shards."""
    homes = [store.home(f"tenant{number}") for number in range(100)]
    assert set(homes) == set(store.bases) == {f"taskarray:{{s{number}}}" for number in range(4)}
    assert homes == [store.home(f"tenant{number}") for number in range(100)]


async def test_listening(store, admin):
    """Messages of all channels are heard; first of all it is said that some may have been missed."""
    listening = store.listen("one", "two")
    assert await soon(listening) is None
    for channel in ("one", "two", "other", "one"):
        admin.publish(channel, channel)
    assert [await soon(listening) for _ in range(3)] == [b"one", b"two", b"one"]
    await listening.aclose()


@pytest.mark.parametrize("fault", ["cut", "restart"])
async def test_listening_again(store, redis, admin, fault):
    """When the subscription was cut, it is made again, and it is said that messages may have been missed."""
    heard = list[bytes | None]()

    async def hear() -> None:
        async for message in store.listen("one", "two"):
            heard.append(message)

    listening = asyncio.create_task(hear())
    await heard_again(heard, lambda: admin.publish("one", "before"), b"before")
    heard.clear()
    if fault == "cut":
        assert admin.client_kill_filter(_type="pubsub") == 1
    else:
        kill(redis)
        await asyncio.sleep(0.5)
        redis.start()
    await heard_again(heard, lambda: admin.publish("two", "after"), b"after")
    assert heard[0] is None
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_silent_subscription(store, redis, admin, monkeypatch):
    """A subscription over a line that is dead without a word is given up and made again."""
    monkeypatch.setattr("server.store._QUIET_SECONDS", 0.2)
    listening = store.listen("one")
    assert await soon(listening) is None
    os.kill(redis.pid, signal.SIGSTOP)
    waiting = asyncio.create_task(soon(listening))
    await asyncio.sleep(1)
    os.kill(redis.pid, signal.SIGCONT)
    async with asyncio.timeout(10):
        assert await waiting is None
    waiting = asyncio.create_task(soon(listening))
    await asyncio.sleep(1)
    assert not waiting.done(), "a quiet line that answers its pings was given up"
    admin.publish("one", "heard")
    assert await waiting == b"heard"
    await listening.aclose()
