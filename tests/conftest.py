"""What tests stand on: a real Redis on a Unix socket, and an installation of real processes over it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Installation
from tests.redis import start_redis

# Hundreds of server processes are started: where this is set, each would compile all of the server anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def pytest_make_parametrize_id(val: object) -> str | None:
    """A random UUID is no name for a test: all processes that share the tests must know them by the same names."""
    return _UUID.sub("uuid", val) if isinstance(val, str) and _UUID.search(val) else None


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of the whole run; every installation has its own prefix in it."""
    redis = start_redis(tmp_path_factory.mktemp("redis"))
    yield redis.url
    redis.stop()


@pytest.fixture(scope="session")
def installation(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One gateway, two workers, a sweeper: for tests that break nothing."""
    found = Installation(tmp_path_factory.mktemp("shared"), redis_url, TASKARRAY_PREFIX="shared")
    try:
        found.start_all()
        yield found
    finally:
        found.stop()


@pytest.fixture
def own_installation(redis_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Installation]:
    """An installation of this test alone, nothing started yet. Settings: `@pytest.mark.settings(LEASE="1s")`."""
    mark = request.node.get_closest_marker("settings")
    settings = {f"TASKARRAY_{name}": value for name, value in (mark.kwargs if mark else {}).items()}
    found = Installation(tmp_path / "own", redis_url, **({"TASKARRAY_PREFIX": tmp_path.name} | settings))
    yield found
    found.stop()
