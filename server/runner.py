"""A worker's hold on its task process: start it, give it one task at a time, end it when it must end.

A handler that keeps the interpreter lock, crashes or eats its memory costs its own task, never the worker's
leases. The process is started fresh after every crash, time-out and cancel, and when it has grown too large.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import orjson

from server.config import Config
from server.log import log
from server.task import Limits

_HEAD = struct.Struct(">I")
_START_SECONDS = 60
Progress = Callable[[float, str], None]


class Crashed(Exception):
    """The task process ended before it answered."""


class TimedOut(Exception):
    """The task did not answer within its time, and its process was ended."""


class Runner:
    """One task process."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    @property
    def busy(self) -> bool:
        """Whether a task is running or waiting to run."""
        return self._lock.locked()

    @property
    def pid(self) -> int | None:
        """The process that runs the tasks now."""
        return self._process.pid if self._process else None

    async def run(self, order: dict[str, Any], seconds: float, progress: Progress) -> dict[str, Any]:
        """Have one task done, after those that came before. Raises Crashed or TimedOut."""
        async with self._lock:
            try:
                if self._process is None or self._process.returncode is not None or self._reader.at_eof():
                    await self.end()
                    await self._start()
                async with asyncio.timeout(seconds):
                    answer = await self._ask(order, progress)
            except TimeoutError as late:
                await self.end()
                raise TimedOut from late
            except (OSError, asyncio.IncompleteReadError) as gone:
                await self.end()
                raise Crashed from gone
            except BaseException:
                await self.end()
                raise
            if answer.pop("resident") > self.config.worker_memory:
                log.info("task_process_replaced", reason="memory")
                await self.end()
            return answer

    async def warm(self) -> None:
        """Start the process before its first task. Raises Crashed when it cannot start."""
        async with self._lock:
            try:
                await self._start()
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as gone:
                await self.end()
                raise Crashed("The task process cannot start; what it printed says why.") from gone

    async def end(self) -> None:
        """End the process at once."""
        process, self._process = self._process, None
        if process is None:
            return
        self._writer.close()
        if process.returncode is None:
            process.kill()
        await process.wait()

    async def _ask(self, order: dict[str, Any], progress: Progress) -> dict[str, Any]:
        self._send(order)
        while "progress" in (message := await self._receive()):
            progress(message["progress"], message["stage"])
        return message

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "server.child", str(theirs.fileno()), str(os.getpid()),
                pass_fds=(theirs.fileno(),), stdin=asyncio.subprocess.DEVNULL, env=_environment(),
            )  # fmt: skip
        self._reader, self._writer = await asyncio.open_connection(sock=ours)
        config = self.config
        limits = Limits(config.max_side, config.max_pixels, config.max_decoded)
        self._send({"tasks": config.tasks, "limits": asdict(limits)})
        async with asyncio.timeout(_START_SECONDS):
            await self._receive()

    def _send(self, message: dict[str, Any]) -> None:
        body = orjson.dumps(message)
        self._writer.write(_HEAD.pack(len(body)) + body)

    async def _receive(self) -> dict[str, Any]:
        head = await self._reader.readexactly(_HEAD.size)
        return orjson.loads(await self._reader.readexactly(_HEAD.unpack(head)[0]))


def _environment() -> dict[str, str]:
    """One thread a library: the workers already take a core each, and more would only fight."""
    threads = ("VIPS_CONCURRENCY", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return dict.fromkeys(threads, "1") | {"MALLOC_ARENA_MAX": "2"} | os.environ
