"""What the tests of the protocol stand on: the shared installation, clients of it, and gateways with other settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import pytest

from tests.client import Client
from tests.harness import OTHER_KEY, Installation

Arrive = Callable[..., Awaitable[Client]]
Beside = Callable[..., Installation]


@pytest.fixture(scope="module")
def beside(installation: Installation) -> Iterator[Beside]:
    """`beside(AUTH_TIMEOUT="1s")` is one more gateway of the shared installation, with settings of its own; it lives
    as long as the module, and asking again for the same settings gives the same gateway."""
    found = dict[tuple[tuple[str, str], ...], Installation]()
    shared = {"TASKARRAY_PREFIX": installation.environment["TASKARRAY_PREFIX"]}
    with ExitStack() as stack:

        def gateway(**settings: str) -> Installation:
            key = tuple(sorted(settings.items()))
            if key not in found:
                told = shared | {f"TASKARRAY_{name}": value for name, value in settings.items()}
                found[key] = Installation(installation.folder, installation.environment["REDIS_URL"], **told)
                stack.callback(found[key].stop)
                found[key].start("gateway")
            return found[key]

        yield gateway


@pytest.fixture
async def client(installation: Installation) -> AsyncIterator[Client]:
    """An authenticated client of the shared installation."""
    async with installation.client() as found:
        yield found


@pytest.fixture
async def other(installation: Installation) -> AsyncIterator[Client]:
    """The same with another key."""
    async with installation.client(key=OTHER_KEY) as found:
        yield found


@pytest.fixture
async def arrive(installation: Installation) -> AsyncIterator[Arrive]:
    """`await arrive()` is a socket that has not authenticated, of the shared installation or the one that is named;
    closed at the end. Further options are the WebSocket library's."""
    async with AsyncExitStack() as stack:

        async def arrived(where: Installation = installation, query: str = "", **options: Any) -> Client:
            client = await where.client(query=query).open(**options)
            stack.push_async_callback(client.drop)
            return client

        yield arrived
