"""The Redis connection, the names of its keys, and the atomic steps of `scripts.lua`.

Commands that are given in one turn of the event loop travel in one pipeline: that, not the server, is what
limits the rate of small commands. Every key of a tenant carries the hash tag of its shard, so the steps run
on a Redis Cluster unchanged.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from hashlib import sha1
from pathlib import Path
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.backoff import ExponentialBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from server.config import Config
from server.errors import ServiceUnavailable

_REPLY_SECONDS = 5
_RECONNECT_SECONDS = 0.3


def _scripts() -> dict[str, str]:
    """The steps by name, each with the common part in front."""
    parts = re.split(r"^--- (\w+)$", (Path(__file__).parent / "scripts.lua").read_text(), flags=re.M)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    common = found.pop("common")
    return {name: common + body for name, body in found.items()}


class Store:
    """One process's way to Redis."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.redis = self._connect(_REPLY_SECONDS)
        self.blocking = self._connect(None)
        """For reads that wait: redis-py would break them off after its default five seconds."""
        self._sources = _scripts()
        self._sums = {name: sha1(body.encode()).hexdigest() for name, body in self._sources.items()}
        self._waiting: list[tuple[tuple[Any, ...], asyncio.Future[Any]]] = []
        self._flushing: asyncio.Task[None] | None = None

    def _connect(self, timeout: float | None) -> Any:
        url, cluster = self.config.redis_url, self.config.redis_cluster
        retry = Retry(ExponentialBackoff(cap=0.5, base=0.02), 3)
        kind: Any = RedisCluster if cluster else Redis
        return kind.from_url(url, socket_timeout=timeout, socket_connect_timeout=2, retry=retry, protocol=2)

    def shard_of(self, tenant: str) -> int:
        """The shard that holds everything of a tenant."""
        return zlib.crc32(tenant.encode()) % self.config.shards

    def base(self, shard: int) -> str:
        """The first word of every key in a shard."""
        return f"{self.config.prefix}:{{s{shard}}}"

    def home(self, tenant: str) -> str:
        """The first word of every key of a tenant."""
        return self.base(self.shard_of(tenant))

    @property
    def bases(self) -> list[str]:
        """The first words of all shards."""
        return [self.base(shard) for shard in range(self.config.shards)]

    def call(self, *command: Any) -> asyncio.Future[Any]:
        """Give Redis a command; it leaves with all others of this turn of the loop."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, answer))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        return answer

    async def guarded(self, *command: Any) -> Any:
        """The same, with ServiceUnavailable for a Redis that does not answer."""
        try:
            return await self.call(*command)
        except RedisError as failure:
            raise ServiceUnavailable from failure

    async def run(self, script: str, base: str, *arguments: Any) -> Any:
        """Take one atomic step on the shard whose keys begin with `base`. Raises ServiceUnavailable."""
        command = ("EVALSHA", self._sums[script], 1, base, *arguments)
        try:
            try:
                return await self.call(*command)
            except NoScriptError:
                return await self.call("EVAL", self._sources[script], 1, base, *arguments)
        except RedisError as failure:
            raise ServiceUnavailable from failure

    async def listen(self, *channels: str) -> AsyncIterator[bytes | None]:
        """Messages on channels, for as long as it is read. None says that some may have been missed."""
        while True:
            client = self._any_node()
            try:
                async with client, client.pubsub() as pubsub:
                    await pubsub.subscribe(*channels)
                    yield None
                    async for message in pubsub.listen():
                        if message["type"] == "message":
                            yield message["data"]
            except (RedisError, OSError):
                await asyncio.sleep(_RECONNECT_SECONDS)

    def _any_node(self) -> Any:
        """A connection of its own for pub/sub, which every node of a Cluster passes on."""
        if not self.config.redis_cluster:
            return Redis.from_url(self.config.redis_url, socket_timeout=None, protocol=2)
        node = self.redis.get_random_node()
        return Redis(host=node.host, port=node.port, socket_timeout=None, protocol=2)

    async def _flush(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:256], self._waiting[256:]
                await self._send(batch)
        finally:
            self._flushing = None

    async def _send(self, batch: list[tuple[tuple[Any, ...], asyncio.Future[Any]]]) -> None:
        results: list[Any]
        try:
            if len(batch) == 1:
                results = [await self.redis.execute_command(*batch[0][0])]
            else:
                pipeline = self.redis.pipeline(transaction=False)
                for command, _ in batch:
                    pipeline.execute_command(*command)
                results = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as failure:
            error = failure if isinstance(failure, RedisError) else RedisError(str(failure))
            results = [error] * len(batch)
        for (_, answer), result in zip(batch, results, strict=True):
            if answer.done():
                continue
            if isinstance(result, Exception):
                answer.set_exception(result)
            else:
                answer.set_result(result)

    async def close(self) -> None:
        """Let go of every connection."""
        for client in (self.redis, self.blocking):
            with suppress(RedisError, OSError):
                await client.aclose()
