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
from server.presence import resident
from server.tally import tally
from server.task import Limits

_HEAD = struct.Struct(">I")
_START_SECONDS = 60
_WATCH_SECONDS = 0.25
_LOADED = 3
"""What weights take in memory, as a multiple of their file: they come on top of the limits."""
Progress = Callable[[float, str], None]


class Crashed(Exception):
    """The task process ended before it answered."""


class Overgrown(Exception):
    """The task took more memory than it may, and its process was ended."""


class TimedOut(Exception):
    """The task did not answer within its time, and its process was ended."""


class Stopped(Exception):
    """The task was cancelled while it ran. It stopped by itself, or its process was ended."""


class Runner:
    """One task process."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self._overgrown = False
        self._allowance = 0
        self._running = ""
        self._stopped = False

    @property
    def busy(self) -> bool:
        """Whether a task is running or waiting to run."""
        return self._lock.locked()

    @property
    def pid(self) -> int | None:
        """The process that runs the tasks now."""
        return self._process.pid if self._process else None

    async def run(self, order: dict[str, Any], seconds: float, progress: Progress) -> dict[str, Any]:
        """Have one task done, after those that came before. Raises Crashed, Overgrown, TimedOut or Stopped."""
        async with self._lock:
            self._stopped = False
            try:
                if self._process is None or self._process.returncode is not None or self._reader.at_eof():
                    await self.end()
                    await self._start()
                self._overgrown, self._running = False, order.get("claim", "")
                async with asyncio.timeout(seconds):
                    answer = await self._watched(order, progress)
            except TimeoutError as late:
                await self._recycle("timeout")
                raise TimedOut from late
            except (OSError, asyncio.IncompleteReadError) as gone:
                await self._recycle("cancelled" if self._stopped else "memory" if self._overgrown else "crashed")
                raise (Stopped if self._stopped else Overgrown if self._overgrown else Crashed) from gone
            except BaseException:
                await self.end()
                raise
            finally:
                self._running = ""
            if self._stopped:
                raise Stopped
            full = self.config.worker_memory + self._allowance
            if self._process and (self._overgrown or resident(self._process.pid) > full):
                log.info("task_process_replaced", reason="memory")
                await self._recycle("grown")
            tally.merge(answer["counted"])
            return answer

    def stop(self, claim: str) -> bool:
        """Tell the task of a claim to stop, and end its process if it does not. False when it does not run here."""
        process = self._process
        if not claim or self._running != claim or process is None:
            return False

        def insist() -> None:
            if self._running == claim and self._process is process:
                process.kill()

        self._stopped = True
        self._send({"cancel": True})
        asyncio.get_running_loop().call_later(self.config.cancel_grace, insist)
        return True

    async def warm(self) -> None:
        """Start the process before its first task. Raises Crashed when it cannot start."""
        async with self._lock:
            try:
                await self._start()
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as gone:
                await self.end()
                raise Crashed("The task process cannot start; what it printed says why.") from gone

    async def _recycle(self, reason: str) -> None:
        tally.add("worker_recycles", reason)
        await self.end()

    async def end(self) -> None:
        """End the process at once."""
        process, self._process = self._process, None
        self._allowance = 0
        if process is None:
            return
        self._writer.close()
        if process.returncode is None:
            process.kill()
        await process.wait()

    async def _watched(self, order: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Ask, and end the process when it grows past its bound: before it takes its neighbours with it."""
        watching = asyncio.create_task(self._watch())
        try:
            return await self._ask(order, progress)
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        while self.config.task_memory and self._process:
            await asyncio.sleep(_WATCH_SECONDS)
            if resident(self._process.pid) > self.config.task_memory + self._allowance:
                self._overgrown = True
                log.warning("task_process_ended", reason="memory")
                self._process.kill()

    async def _ask(self, order: dict[str, Any], progress: Progress) -> dict[str, Any]:
        self._send(order)
        while not ("items" in (message := await self._receive()) or "failure" in message):
            if "weights" in message:
                self._allowance = _LOADED * message["weights"]
            else:
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
        limits = Limits(config.max_side, config.max_pixels, config.max_decoded, config.max_working_side)
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
    threads = (
        "VIPS_CONCURRENCY", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
        "RAYON_NUM_THREADS",
    )  # fmt: skip
    return dict.fromkeys(threads, "1") | {"MALLOC_ARENA_MAX": "2"} | os.environ
