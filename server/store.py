"""The Redis connection, the names of its keys, and the atomic steps in `scripts/`.

Commands that are given in one turn of the event loop travel in one pipeline: that, not the server, is what
limits the rate of small commands. Every key of a tenant carries the hash tag of its shard, so the steps run
on a Redis Cluster unchanged.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha1
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as Gone
from redis.exceptions import MovedError, NoScriptError

from server.config import Config
from server.errors import ServiceUnavailable
from server.nodes import FAILURES, Command, Nodes
from server.steps import scripts
from server.tally import tally

_RECONNECT_SECONDS = 0.3
_QUIET_SECONDS = 10
_BATCH, _BULK = 256, 64


class Store:
    """One process's way to Redis."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.nodes = Nodes(config.redis_url, cluster=config.redis_cluster)
        self._sources = scripts(config)
        self._sums = {name: sha1(body.encode()).hexdigest() for name, body in self._sources.items()}
        self._texts = {self._sums[name]: body for name, body in self._sources.items()}
        self._lanes: defaultdict[str, list[tuple[Command, asyncio.Future[Any]]]] = defaultdict(list)
        self._bulk: defaultdict[str, list[tuple[Command, asyncio.Future[Any]]]] = defaultdict(list)
        """New tasks: thousands at once do not stand before the results of the first of them."""
        self._flushing: dict[str, asyncio.Task[None]] = {}
        self._hints = set[asyncio.Task[Any]]()

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
        """Give Redis a command; it leaves with all others of this turn of the loop. The reply comes raw: a hash as
        a flat list, a status as bytes."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        lane = self._lane(command)
        lanes = self._bulk if command[1:2] == (self._sums["submit"],) else self._lanes
        lanes[lane].append((command, answer))
        if lane not in self._flushing:
            self._flushing[lane] = asyncio.create_task(self._flush(lane))
        return answer

    def _lane(self, command: Command) -> str:
        """Commands of one lane share pipelines. On a Cluster each shard has its own: a node that is away holds up
        nobody else's."""
        if not self.config.redis_cluster:
            return ""
        name = str(command[3 if command[0].startswith("EVAL") else 1])
        return name[: name.find("}") + 1] or name

    async def wait(self, key: str, *command: Any) -> Any:
        """A command that waits in Redis, on a connection of its own."""
        try:
            link = await self.nodes.link(key, "waiting")
            (reply,) = await link.exchange([command])
        except FAILURES:
            self._failed(command[0])
            raise
        if isinstance(reply, Exception):
            self._failed(command[0])
            raise reply
        return reply

    @asynccontextmanager
    async def node(self, key: str) -> AsyncGenerator[Redis]:
        """The server that holds a key, for commands that do not travel with others: those that wait."""
        try:
            yield await self.nodes.holding(key)
        except FAILURES:
            self._failed("other")
            raise

    async def guarded(self, *command: Any) -> Any:
        """The same, with ServiceUnavailable for a Redis that does not answer."""
        try:
            return await self.call(*command)
        except FAILURES as failure:
            tally.add("redis_errors", command[0].lower())
            raise ServiceUnavailable from failure

    async def hash(self, key: str) -> dict[bytes, bytes]:
        """A whole hash."""
        flat = await self.guarded("HGETALL", key)
        return dict(zip(flat[::2], flat[1::2], strict=True))

    async def run(self, script: str, base: str, *arguments: Any) -> Any:
        """Take one atomic step on the shard whose keys begin with `base`. Raises ServiceUnavailable."""
        command = ("EVALSHA", self._sums[script], 1, base, *arguments)
        try:
            return await self.call(*command)
        except FAILURES as failure:
            tally.add("redis_errors", script)
            raise ServiceUnavailable from failure

    def hint(self, script: str, base: str, *arguments: Any) -> None:
        """Take a step that nobody waits for; what comes of it is not known."""
        step = asyncio.create_task(self.run(script, base, *arguments))
        self._hints.add(step)

        def taken(ended: asyncio.Task[Any]) -> None:
            self._hints.discard(ended)
            if not ended.cancelled():
                ended.exception()

        step.add_done_callback(taken)

    async def listen(self, *channels: str) -> AsyncIterator[bytes | None]:
        """Messages on channels, for as long as it is read. None says that some may have been missed."""
        while True:
            try:
                redis = await self.nodes.any()
                async with redis.pubsub() as pubsub:
                    await pubsub.subscribe(*channels)
                    async for message in _messages(pubsub):
                        if message["type"] == "message":
                            yield message["data"]
                        elif message["channel"] == channels[-1].encode():
                            yield None  # subscribed to all, for the first time or again
            except FAILURES:
                self._failed("subscribe")
                await asyncio.sleep(_RECONNECT_SECONDS)

    def _failed(self, what: str) -> None:
        tally.add("redis_errors", what.lower())
        self.nodes.doubt()

    async def _flush(self, lane: str) -> None:
        waiting, bulk = self._lanes[lane], self._bulk[lane]
        try:
            while waiting or bulk:
                batch = waiting[:_BATCH] + bulk[:_BULK]
                del waiting[:_BATCH], bulk[:_BULK]
                results = await self._replies(lane, [command for command, _ in batch])
                for (_, answer), result in zip(batch, results, strict=True):
                    if answer.done():
                        continue
                    if isinstance(result, Exception):
                        answer.set_exception(result)
                    else:
                        answer.set_result(result)
        finally:
            del self._flushing[lane]

    async def _replies(self, lane: str, commands: list[Command]) -> list[Any]:
        """The reply to each command, or what it failed with. One whose slot has moved is said again there, and a step
        that a server does not know with its text: even if whoever asked for it has gone by then."""
        results = await self._exchange(lane, commands)
        if any(isinstance(result, FAILURES) for result in results):
            self.nodes.doubt()
        for _ in range(2):  # where a slot has moved to, the step may not be known
            again = {place: self._anew(commands[place], result) for place, result in enumerate(results)}
            again = {place: command for place, command in again.items() if command}
            if again:
                said = await self._exchange(lane, list(again.values()))
                for place, result in zip(again, said, strict=True):
                    results[place] = result
        return results

    def _anew(self, command: Command, result: Any) -> Command | None:
        """How a command is said again, where that helps."""
        if isinstance(result, NoScriptError):
            return ("EVAL", self._texts[command[1]], *command[2:])
        return command if isinstance(result, MovedError) else None

    async def _exchange(self, lane: str, commands: list[Command]) -> list[Any]:
        try:
            link = await self.nodes.link(lane, "lane")
            return await link.exchange(commands)
        except Exception as failure:  # whatever it is, everybody who waits is told
            return [failure] * len(commands)

    async def close(self) -> None:
        """Let go of every connection."""
        await asyncio.gather(*self._hints, return_exceptions=True)
        await self.nodes.close()


async def _messages(pubsub: PubSub) -> AsyncIterator[dict[str, Any]]:
    """What comes in over a subscription. A connection that does not even answer a ping is given up."""
    silent = False
    while True:
        message = await pubsub.get_message(timeout=_QUIET_SECONDS)
        if message is None and silent:
            raise Gone("the subscription is silent")
        silent = message is None
        if message is None:
            await pubsub.ping()
        elif message["type"] != "pong":
            yield message
