"""A client program: the other process in which an official client runs, told over its standard input what to do."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
_LONGEST = 2**27
_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("RUNWARE_", "PYTHON"))}
"""The client's own defaults, and no proxy on the way to this machine."""


class Refused(Exception):
    """The client raised: the name of its exception, its message, and what it tells beside that."""

    def __init__(self, failure: dict[str, Any], seconds: float) -> None:
        super().__init__(f"{failure['kind']}: {failure['message']} {failure['about']}")
        self.kind: str = failure["kind"]
        self.message: str = failure["message"]
        self.about: dict[str, Any] = failure["about"]
        self.seconds = seconds


class Program:
    """A running client program. Any number of its clients may be open at once."""

    def __init__(self, name: str, command: list[str], log: Path) -> None:
        self.name = name
        self.command = command
        self.log_path = log
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def start(self) -> None:
        """Run it, until it has loaded its client and says so with an answer that nobody asked for."""
        with self.log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
                cwd=ROOT, limit=_LONGEST, env=_ENVIRONMENT | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
            )  # fmt: skip
        self._answers[0] = ready = asyncio.get_running_loop().create_future()
        self._listening = asyncio.create_task(self._listen())
        async with asyncio.timeout(60):
            answer = await ready
        assert "failure" not in answer, answer["failure"]["message"]

    @property
    def runs(self) -> bool:
        return self._process.returncode is None

    async def stop(self) -> None:
        """Let it close its clients, for a moment; then end it."""
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 5)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._listening

    def client(self, url: str, key: str, **options: Any) -> Client:
        """A client of this program that is not open yet."""
        return Client(self, next(self._numbers), {"url": url, "key": key, **options})

    async def call(self, within: float, **message: Any) -> Any:
        """Have one thing done. Raises Refused when the client raised."""
        number, started = next(self._numbers), time.monotonic()
        self._answers[number] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps(message | {"number": number}).encode() + b"\n")
        await self._process.stdin.drain()
        try:
            answer = await asyncio.wait_for(self._answers[number], within)
        except TimeoutError:
            raise AssertionError(f"{self.name}: {message['verb']} took more than {within} s\n{self._told()}") from None
        if failure := answer.get("failure"):
            raise Refused(failure, time.monotonic() - started)
        return answer["value"]

    async def _listen(self) -> None:
        while line := await self._process.stdout.readline():
            answer = json.loads(line)
            waiting = self._answers.pop(answer["number"])
            if not waiting.done():
                waiting.set_result(answer)
        for waiting in self._answers.values():
            if not waiting.done():
                failure = {"kind": "Died", "message": f"The program of {self.name} ended.\n{self._told()}", "about": {}}
                waiting.set_result({"failure": failure})

    def _told(self) -> str:
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-20:])


class Client:
    """One client object in its program: `async with` opens and closes it, `do` calls one of its methods."""

    def __init__(self, program: Program, handle: int, options: dict[str, Any]) -> None:
        self.program = program
        self.handle = handle
        self.options = options

    async def do(self, verb: str, within: float = 60, **arguments: Any) -> Any:
        return await self.program.call(within, client=self.handle, verb=verb, **arguments)

    async def open(self) -> dict[str, Any]:
        return await self.do("open", **self.options)

    async def close(self) -> None:
        await self.do("close")

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(Refused):  # the old Python client sometimes trips over its own tasks here
            await self.close()
