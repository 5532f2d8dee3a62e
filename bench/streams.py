"""The bare loop that our engine is compared with: tasks over Redis Streams, and nothing besides.

One asyncio producer and one worker process. Commands of one turn of the event loop travel in one pipeline, reads
are batched, answers come back over pub/sub. No schema, no sessions, no kept results, no process for the pixels.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvloop
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from bench.load import Tally
from server.embedded import Embedded

_STREAM, _GROUP, _ANSWERS = "tasks", "workers", "answers"
_BATCH = 200
_SILENT_SECONDS = 30


async def _work(url: str) -> None:
    redis = Redis.from_url(url, protocol=2, socket_timeout=None)
    with suppress(ResponseError):
        await redis.xgroup_create(_STREAM, _GROUP, id="0", mkstream=True)
    while True:
        found = await redis.execute_command(
            "XREADGROUP", "GROUP", _GROUP, "one", "COUNT", _BATCH, "BLOCK", 1000, "STREAMS", _STREAM, ">"
        )
        if not found:
            continue
        streams = list(found.items()) if isinstance(found, dict) else found
        pipeline = redis.pipeline(transaction=False)
        for message, fields in streams[0][1]:
            name = fields[b"n"] if isinstance(fields, dict) else fields[1]
            pipeline.execute_command("PUBLISH", _ANSWERS, name)
            pipeline.execute_command("XACK", _STREAM, _GROUP, message)
            pipeline.execute_command("XDEL", _STREAM, message)
        await pipeline.execute()


def work(url: str) -> None:
    """The worker process: runs until it is ended."""
    uvloop.run(_work(url))


class _Producer:
    """Gives tasks, and wakes whoever waits for their answers."""

    def __init__(self, url: str) -> None:
        self.redis = Redis.from_url(url, protocol=2)
        self.listening = Redis.from_url(url, protocol=2, socket_timeout=None)
        self._waiting = dict[bytes, asyncio.Future[None]]()
        self._given = list[bytes]()
        self._flushing: asyncio.Task[None] | None = None
        self._number = 0

    async def listen(self, ready: asyncio.Event) -> None:
        async with self.listening.pubsub() as answers:
            await answers.subscribe(_ANSWERS)
            ready.set()
            async for message in answers.listen():
                if message["type"] == "message" and (waiting := self._waiting.pop(message["data"], None)):
                    waiting.set_result(None)

    async def call(self) -> None:
        self._number += 1
        name = b"%012d" % self._number
        answer = self._waiting[name] = asyncio.get_running_loop().create_future()
        self._given.append(name)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        await answer

    async def _flush(self) -> None:
        while self._given:
            batch, self._given = self._given, []
            pipeline = self.redis.pipeline(transaction=False)
            for name in batch:
                pipeline.execute_command("XADD", _STREAM, "*", "n", name)
            await pipeline.execute()
        self._flushing = None


@contextmanager
def bare(folder: Path) -> Iterator[str]:
    """A Redis with the options of ours and a worker process on it; its URL."""
    with Embedded(folder) as redis:
        worker = multiprocessing.get_context("spawn").Process(target=work, args=(redis.url,), daemon=True)
        worker.start()
        try:
            yield redis.url
        finally:
            worker.kill()
            worker.join()


async def _produce(url: str, in_flight: int, seconds: float) -> tuple[Tally, list[float]]:
    producer, ready, times = _Producer(url), asyncio.Event(), list[float]()
    listening = asyncio.create_task(producer.listen(ready))
    await ready.wait()
    await asyncio.wait_for(producer.call(), _SILENT_SECONDS)  # the worker has come up
    begin = time.perf_counter()
    end = begin + seconds

    async def one_after_another() -> None:
        while (start := time.perf_counter()) < end:
            await producer.call()
            times.append(time.perf_counter() - start)

    await asyncio.wait_for(asyncio.gather(*(one_after_another() for _ in range(in_flight))), seconds + _SILENT_SECONDS)
    tally = Tally(len(times), time.perf_counter() - begin)
    listening.cancel()
    for client in (producer.redis, producer.listening):
        await client.aclose()
    return tally, times


def produce(url: str, in_flight: int, seconds: float) -> tuple[Tally, list[float]]:
    """Keep so many tasks in flight for a while: the rate, and the seconds of each."""
    return uvloop.run(_produce(url, in_flight, seconds))
