"""An errand in Redis, for commands that end at once: over the Redis of the settings, of a running `serve`, or one that
is started for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from redis import Redis
from redis.exceptions import RedisError

from server.config import Config
from server.embedded import Embedded, EmbeddedError
from server.errors import ServiceUnavailable
from server.exits import configured, fail
from server.store import Store

T = TypeVar("T")


def errand(step: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
    """Do something over the Redis that this server has its state in."""
    settings = configured()
    embedded = None
    if not settings.redis_url:
        url = _running(settings)
        if not url:
            embedded = Embedded(settings.data / "redis")
            try:
                url = embedded.start()
            except EmbeddedError as failure:
                fail(str(failure))
        settings = settings.model_copy(update={"redis_url": url})
    try:
        return asyncio.run(_run(settings, step))
    except ServiceUnavailable:
        fail("Redis does not answer. Check REDIS_URL.")
    finally:
        if embedded:
            embedded.stop()


async def _run(settings: Config, step: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
    store = Store(settings)
    try:
        return await step(store)
    finally:
        await store.close()


def _running(settings: Config) -> str:
    """The address of a running `serve`'s Redis; empty when there is none."""
    told = settings.data / "redis" / "url"
    with suppress(RedisError, OSError):
        url = told.read_text()
        with Redis.from_url(url, socket_timeout=2, protocol=2) as client:
            return url if client.ping() else ""
    return ""
