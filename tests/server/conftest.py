"""What tests of single modules stand on: settings of their own over the run's Redis, and a store on them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from server.config import Config
from server.queue import Queue
from server.sessions import Sessions
from server.store import Store


@pytest.fixture
def config(redis_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Config:
    """Settings with a prefix and a folder of this test alone, and what `@pytest.mark.settings(LEASE="1s")` adds."""
    mark = request.node.get_closest_marker("settings")
    own = {"PREFIX": tmp_path.name, "DATA": str(tmp_path), "MIN_FREE_DISK": "0", "TASKS": "tests.misbehaving"}
    settings = own | (mark.kwargs if mark else {})
    return Config.read({"REDIS_URL": redis_url} | {f"TASKARRAY_{name}": value for name, value in settings.items()})


@pytest.fixture
async def store(config: Config) -> AsyncIterator[Store]:
    found = Store(config)
    yield found
    await found.close()


@pytest.fixture
async def redis(config: Config) -> AsyncIterator[Redis]:
    """What really is in Redis."""
    async with Redis.from_url(config.redis_url) as client:
        yield client


@pytest.fixture
async def queue(store: Store) -> Queue:
    found = Queue(store)
    await found.prepare()
    return found


@pytest.fixture
def sessions(store: Store) -> Sessions:
    """The sessions of a gateway `g1`."""
    return Sessions(store, "g1")
