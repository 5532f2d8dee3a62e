"""What faults are done to: an installation over a Redis that is this test's alone and may be broken too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from server.embedded import Embedded
from tests.faults.ledger import Ledger
from tests.harness import Installation
from tests.redis import start_redis


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Embedded]:
    found = start_redis(tmp_path / "redis")
    yield found
    found.stop()


@pytest.fixture
def admin(redis: Embedded) -> Iterator[Redis]:
    """A connection of one's own to that Redis."""
    with Redis.from_url(redis.url) as client:
        yield client


@pytest.fixture
def server(redis: Embedded, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Installation]:
    """An installation with nothing started. Settings: `@pytest.mark.settings(LEASE="1s")`."""
    mark = request.node.get_closest_marker("settings")
    settings = {f"TASKARRAY_{name}": value for name, value in (mark.kwargs if mark else {}).items()}
    found = Installation(tmp_path / "own", redis.url, **settings)
    yield found
    found.stop()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()
