"""The Redis connection, the names of its keys, and the atomic steps of `scripts.lua`.

Commands that are given in one turn of the event loop travel in one pipeline: that, not the server, is what
limits the rate of small commands. Every key of a tenant carries the hash tag of its shard, so the steps run
on a Redis Cluster unchanged.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import suppress
from hashlib import sha1
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisGone
from redis.exceptions import NoScriptError, RedisClusterException, RedisError

from server.config import Config
from server.errors import ServiceUnavailable

FAILURES = (RedisError, RedisClusterException, OSError)
"""What a command may fail with: Redis, its Cluster, or the way to them."""

_REPLY_SECONDS = 5
_RECONNECT_SECONDS = 0.3
_QUIET_SECONDS = 10
_BATCH = 256
Waiting = tuple[tuple[Any, ...], asyncio.Future[Any]]


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
        self.redis = self._connect()
        self._sources = _scripts()
        self._sums = {name: sha1(body.encode()).hexdigest() for name, body in self._sources.items()}
        self._lanes: defaultdict[str, list[Waiting]] = defaultdict(list)
        self._flushing: dict[str, asyncio.Task[None]] = {}

    def _connect(self) -> Any:
        # A command that times out is not said again: Redis may just be slow, and is slower for hearing it thrice.
        retry = Retry(ExponentialBackoff(cap=0.5, base=0.02), 3, supported_errors=(RedisGone,))
        kind: Any = RedisCluster if self.config.redis_cluster else Redis
        return kind.from_url(
            self.config.redis_url, socket_timeout=_REPLY_SECONDS, socket_connect_timeout=2, retry=retry, protocol=2
        )

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
        lane = self._lane(command)
        self._lanes[lane].append((command, answer))
        if lane not in self._flushing:
            self._flushing[lane] = asyncio.create_task(self._flush(lane))
        return answer

    def _lane(self, command: tuple[Any, ...]) -> str:
        """Commands of one lane share pipelines. On a Cluster, a node that is away holds up its own slots only."""
        if not self.config.redis_cluster:
            return ""
        return str(command[3 if command[0].startswith("EVAL") else 1]).partition("}")[0]

    async def guarded(self, *command: Any) -> Any:
        """The same, with ServiceUnavailable for a Redis that does not answer."""
        try:
            return await self.call(*command)
        except FAILURES as failure:
            raise ServiceUnavailable from failure

    async def run(self, script: str, base: str, *arguments: Any) -> Any:
        """Take one atomic step on the shard whose keys begin with `base`. Raises ServiceUnavailable."""
        command = ("EVALSHA", self._sums[script], 1, base, *arguments)
        try:
            try:
                return await self.call(*command)
            except NoScriptError:
                return await self.call("EVAL", self._sources[script], 1, base, *arguments)
        except FAILURES as failure:
            raise ServiceUnavailable from failure

    async def listen(self, *channels: str) -> AsyncIterator[bytes | None]:
        """Messages on channels, for as long as it is read. None says that some may have been missed."""
        while True:
            try:
                await self.redis.initialize()
                async with self._any_node() as client, client.pubsub() as pubsub:
                    await pubsub.subscribe(*channels)
                    async for message in _messages(pubsub):
                        if message["type"] == "message":
                            yield message["data"]
                        elif message["channel"] == channels[-1].encode():
                            yield None  # subscribed to all, for the first time or again
            except FAILURES:
                await asyncio.sleep(_RECONNECT_SECONDS)

    def _any_node(self) -> Redis:
        """A connection of its own for pub/sub, which every node of a Cluster passes on."""
        url = self.config.redis_url
        if self.config.redis_cluster:
            node, parts = self.redis.get_random_node(), urlsplit(url)
            login, at, _ = parts.netloc.rpartition("@")
            host = f"[{node.host}]" if ":" in node.host else node.host
            url = parts._replace(netloc=f"{login}{at}{host}:{node.port}").geturl()
        return Redis.from_url(url, socket_timeout=_REPLY_SECONDS, socket_connect_timeout=2, protocol=2)

    async def _flush(self, lane: str) -> None:
        waiting = self._lanes[lane]
        try:
            while waiting:
                batch = waiting[:_BATCH]
                del waiting[:_BATCH]
                await self._send(batch)
        finally:
            del self._flushing[lane]

    async def _send(self, batch: list[Waiting]) -> None:
        results: list[Any]
        try:
            if len(batch) == 1:
                results = [await self.redis.execute_command(*batch[0][0])]
            else:
                pipeline = self.redis.pipeline(transaction=False)
                for command, _ in batch:
                    pipeline.execute_command(*command)
                results = await pipeline.execute(raise_on_error=False)
        except Exception as failure:  # whatever it is, everybody who waits is told
            results = [failure] * len(batch)
        for (_, answer), result in zip(batch, results, strict=True):
            if answer.done():
                continue
            if isinstance(result, Exception):
                answer.set_exception(result)
            else:
                answer.set_result(result)

    async def close(self) -> None:
        """Let go of every connection."""
        with suppress(*FAILURES):
            await self.redis.aclose()


async def _messages(pubsub: PubSub) -> AsyncIterator[dict[str, Any]]:
    """What comes in over a subscription. A connection that does not even answer a ping is given up."""
    silent = False
    while True:
        message = await pubsub.get_message(timeout=_QUIET_SECONDS)
        if message is None and silent:
            raise RedisGone("the subscription is silent")
        silent = message is None
        if message is None:
            await pubsub.ping()
        elif message["type"] != "pong":
            yield message
