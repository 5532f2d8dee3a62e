"""The Redis servers behind REDIS_URL: one, or the masters of a Cluster by the slots that they hold.

The masters of a Cluster are spoken to directly, and no redirection is followed while a slot is on its way from one
to the other: a step would find some of a tenant's keys and miss the rest. Its commands fail until it has arrived.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.crc import key_slot
from redis.exceptions import ConnectionError as Gone
from redis.exceptions import RedisError, ResponseError

_REPLY_SECONDS = 5
_CONNECT_SECONDS = 2
FAILURES = (RedisError, OSError)
"""What Redis or the way to it may fail with."""
_TRIES = 3
_PAUSE_SECONDS = 0.05
Command = tuple[Any, ...]


class Link:
    """One connection, held: commands go out in one write and their raw replies are read in order.

    A client's own way takes a connection from its pool for each command, which costs twice the time.
    """

    def __init__(self, redis: Redis) -> None:
        self._pool = redis.connection_pool
        self._connection: Any = None

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """The reply to each command, or the error that Redis gave. Raises when the connection fails."""
        for left in reversed(range(_TRIES)):
            try:
                return await self._exchange(commands)
            except Gone:
                if not left:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)
        raise AssertionError

    async def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        connection = self._connection or await self._pool.get_connection()
        # Until all replies are read nobody else may use it: what is broken off leaves replies that are nobody's.
        self._connection = None
        try:
            await connection.send_packed_command([part for one in commands for part in connection.pack_command(*one)])
            replies = [await _reply(connection) for _ in commands]
        except BaseException:
            await connection.disconnect(nowait=True)
            await self._pool.release(connection)
            raise
        if self._connection is None:
            self._connection = connection
        else:
            await self._pool.release(connection)
        return replies

    async def close(self) -> None:
        """Let go of the connection."""
        if self._connection:
            await self._connection.disconnect(nowait=True)
            await self._pool.release(self._connection)
            self._connection = None


async def _reply(connection: Any) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as refusal:
        return refusal


class Nodes:
    """One process's connections to Redis."""

    def __init__(self, url: str, *, cluster: bool) -> None:
        self.cluster = cluster
        self._url = url
        self._clients: dict[str, Redis] = {}
        self._links: dict[tuple[Redis, str], Link] = {}
        self._slots: list[tuple[int, int, str]] = []
        self._asking = asyncio.Lock()

    async def holding(self, key: str) -> Redis:
        """The server that holds a key. Raises RedisError when there is none."""
        if not self.cluster:
            return self._client("")
        slot = key_slot(key.encode())
        for first, last, address in self._slots or await self._ask():
            if first <= slot <= last:
                return self._client(address)
        self.doubt()
        raise RedisError(f"no node of the Cluster holds slot {slot}")

    async def link(self, key: str, purpose: str) -> Link:
        """A held connection to the server that holds a key; those who wait for different things need their own."""
        redis = await self.holding(key)
        return self._links.setdefault((redis, purpose), Link(redis))

    async def any(self) -> Redis:
        """Some server: each of a Cluster passes on what is published at another."""
        slots = (self._slots or await self._ask()) if self.cluster else []
        return self._client(random.choice(slots)[2] if slots else "")

    def doubt(self) -> None:
        """Something failed that may be for a slot that has moved: who holds what is asked anew."""
        self._slots = []

    async def close(self) -> None:
        """Let go of every connection."""
        for link in self._links.values():
            await link.close()
        for client in self._clients.values():
            with suppress(*FAILURES):
                await client.aclose()

    def _client(self, address: str) -> Redis:
        """The client of a node by its `host:port`, or of the URL itself."""
        if address not in self._clients:
            parts = urlsplit(self._url)
            login = "".join(parts.netloc.rpartition("@")[:2])
            url = parts._replace(netloc=login + address).geturl() if address else self._url
            # A command that times out is not said again: Redis may just be slow, and is slower for hearing it thrice.
            retry = Retry(ExponentialBackoff(cap=0.5, base=0.02), 3, supported_errors=(Gone,))
            self._clients[address] = Redis.from_url(
                url, socket_timeout=_REPLY_SECONDS, socket_connect_timeout=_CONNECT_SECONDS, retry=retry, protocol=2
            )
        return self._clients[address]

    async def _ask(self) -> list[tuple[int, int, str]]:
        """Who holds which slots, from the first node that answers."""
        async with self._asking:
            if self._slots:
                return self._slots
            failure: Exception = RedisError("the Cluster has no nodes")
            for address in (*random.sample(list(self._clients), len(self._clients)), ""):
                try:
                    told: Any = await self._client(address).execute_command("CLUSTER SLOTS")
                except FAILURES as away:
                    failure = away
                else:
                    self._slots = [
                        (first, last, _address(master[0], master[1], address)) for first, last, master, *_ in told
                    ]
                    return self._slots
            raise failure


def _address(host: bytes | None, port: int, asked: str) -> str:
    """Where a node is. One whose name is not known is the one that was asked."""
    name = (host or b"").decode()
    if name in ("", "?"):
        return asked
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
