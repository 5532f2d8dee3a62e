"""The official clients: installed on first use, each in a program of its own that lives for the whole run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.clients.install import JAVASCRIPT, LEGACY_PYTHON, NEW_PYTHON, Package, installed
from tests.clients.program import Client, Program
from tests.clients.proof import BEHAVIOURS, finished, proofs
from tests.harness import KEY, Installation

HERE = Path(__file__).parent
Connect = Callable[..., Awaitable[Client]]


class Programs:
    """The client programs by name, each started when it is first asked for, and again after it has died."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.packages = {"legacy": LEGACY_PYTHON, "new": NEW_PYTHON, "js": JAVASCRIPT}
        self._running = dict[str, Program]()
        self._failures = dict[str, AssertionError]()

    async def get(self, name: str) -> Program:
        if name in self._failures:
            raise self._failures[name]
        if name not in self._running or not self._running[name].runs:
            try:
                command = await asyncio.to_thread(_command, name, self.packages[name])
            except AssertionError as failure:
                self._failures[name] = failure  # one attempt, however many tests need it
                raise
            program = Program(name, command, self.logs / name)
            await program.start()
            self._running[name] = program
        return self._running[name]

    async def stop(self) -> None:
        for program in self._running.values():
            await program.stop()


def _command(name: str, package: Package) -> list[str]:
    folder = installed(package)
    if name == "js":
        return [*package.command(folder), str(HERE / "sdk_js.mjs"), str(folder)]
    return [*package.command(folder), "-m", f"tests.clients.{name}_python"]


@pytest.fixture(scope="session")
async def programs(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Programs]:
    """The client programs of the whole run."""
    found = Programs(tmp_path_factory.mktemp("programs"))
    yield found
    await found.stop()


@pytest.fixture
async def connect(programs: Programs, installation: Installation) -> AsyncIterator[Connect]:
    """`await connect("legacy")` is an open client of the shared installation, or of another `url`; closed at the end.
    Further options are the client's own."""
    async with AsyncExitStack() as stack:

        async def opened(name: str, url: str = "", key: str = KEY, **options: Any) -> Client:
            program = await programs.get(name)
            return await stack.enter_async_context(program.client(url or installation.ws_url, key, **options))

        yield opened


@pytest.fixture(autouse=True)
def proven(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test says that it proves has been done while it ran, by the installation's own count."""
    tasks = {proof.what for proof in proofs(request.node)} - BEHAVIOURS.keys()
    if not tasks:
        yield
        return
    installation: Installation = request.getfixturevalue("installation")
    before = finished(installation.get("/metrics"))
    yield
    after = finished(installation.get("/metrics"))
    assert not [task for task in tasks if after.get(task, 0) <= before.get(task, 0)]
