"""`taskarray serve`: everything on one machine. It starts the parts as processes, starts again what dies, and ends
them in order: first the gateway drains, then the workers, at last Redis.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

from server.access import check, local_key
from server.client.whereabouts import Sign
from server.config import Config, variable_of
from server.embedded import Embedded, EmbeddedError
from server.listening import listen
from server.log import log
from server.worker import worker_name

_BACKOFF_SECONDS = 5.0
_STEADY_SECONDS = 10.0
_WATCH_SECONDS = 0.5
_READY_SECONDS = 60.0


@dataclass
class Part:
    """One process of the server: how it is started, and what runs now."""

    command: list[str]
    environment: dict[str, str]
    keep: tuple[int, ...] = ()
    worker: bool = False
    name: str = ""
    process: asyncio.subprocess.Process | None = None
    pause: float = 0.0
    stopping: bool = False
    keeper: asyncio.Task[None] | None = field(default=None, repr=False)

    async def keep_running(self) -> None:
        """Start the process and start it again whenever it ends; the longer the pause, the sooner it died."""
        while not self.stopping:
            started = time.monotonic()
            self.process = await self._start()
            code = await self.process.wait()
            if self.stopping:
                return
            log.warning("process_ended", part=self.command[0], code=code, pid=self.process.pid)
            self.pause = (
                0.0 if time.monotonic() - started > _STEADY_SECONDS else min(_BACKOFF_SECONDS, self.pause + 0.5)
            )
            await asyncio.sleep(self.pause)

    async def _start(self) -> asyncio.subprocess.Process:
        extra = list[str]()
        if self.worker:
            # A worker that died leaves its jobs to its successor, who need not wait for the lease.
            dead, self.name = self.name, worker_name()
            extra = ["--name", self.name] + (["--inherit", dead] if dead else [])
        return await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "server", *self.command, *extra, "--parent", str(os.getpid()),
            env=os.environ | self.environment, pass_fds=self.keep, stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip

    async def stop(self, seconds: float) -> None:
        """Ask the process to end, and end it when it takes too long."""
        self.stopping = True
        process = self.process
        if process and process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), seconds)
            except TimeoutError:
                process.kill()
                await process.wait()
        if self.keeper:
            self.keeper.cancel()


class Supervisor:
    """All parts of a server on one machine."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.embedded = None if config.redis_url else Embedded(config.data / "redis")
        self.key = ""
        self._sign = Sign(config.data)
        self._parts: list[Part] = []
        self._hurry = asyncio.Event()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        stop = asyncio.Event()

        def signalled() -> None:
            if stop.is_set():
                self._hurry.set()
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, signalled)
        listening = listen(self.config, self.config.host, self.config.port)
        try:
            environment = self._environment()
            self._parts = self._planned(environment, listening)
            for part in self._parts:
                part.keeper = asyncio.create_task(part.keep_running())
            watching = asyncio.create_task(self._watch_redis())
            greeting = asyncio.create_task(self._greet(listening.getsockname()[1]))
            await stop.wait()
            greeting.cancel()
            watching.cancel()
            await self._stop()
        finally:
            listening.close()
            self._sign.take_down()
            if self.embedded:
                self.embedded.stop()

    def _environment(self) -> dict[str, str]:
        """What the parts are told beyond our own settings: the Redis we started and the key we made."""
        config, found = self.config, {variable_of("data"): str(self.config.data.resolve())}
        if self.embedded:
            found[variable_of("redis_url")] = self.embedded.start()
            (config.data / "redis" / "url").write_text(self.embedded.url)
        check(config.model_copy(update={"redis_url": config.redis_url or found[variable_of("redis_url")]}))
        keys = list(config.api_keys)
        if not keys and config.loopback:
            self.key = local_key(config.data / "local.key")
            keys = [("local", self.key)]
        found[variable_of("api_keys")] = ",".join(f"{name}:{key}" for name, key in keys)
        looking = [*config.dash_keys, *([("local", self.key)] if self.key else [])]
        found[variable_of("dash_keys")] = ",".join(f"{name}:{key}" for name, key in looking)
        return found

    def _planned(self, environment: dict[str, str], listening: socket.socket) -> list[Part]:
        workers = self.config.workers or os.cpu_count() or 1
        gateway = Part(["gateway", "--fd", str(listening.fileno())], environment, (listening.fileno(),))
        working = [Part(["worker"], environment, worker=True) for _ in range(workers)]
        return [gateway, *working, Part(["sweep"], environment)]

    async def _watch_redis(self) -> None:
        while self.embedded:
            await asyncio.sleep(_WATCH_SECONDS)
            if not self.embedded.alive:
                log.warning("process_ended", part="redis")
                try:
                    self.embedded.start()
                except EmbeddedError as failure:
                    log.error("redis_does_not_start", reason=str(failure))

    async def _stop(self) -> None:
        gateway, *others = self._parts
        limit = self.config.drain_timeout + 10
        stopping = asyncio.create_task(self._stop_in_order(gateway, others, limit))
        hurried = asyncio.create_task(self._hurry.wait())
        await asyncio.wait({stopping, hurried}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            stopping.cancel()
            await asyncio.gather(*(part.stop(0.1) for part in self._parts))
        hurried.cancel()

    async def _stop_in_order(self, gateway: Part, others: list[Part], limit: float) -> None:
        await gateway.stop(limit)
        await asyncio.gather(*(part.stop(limit) for part in others))

    async def _greet(self, port: int) -> None:
        host = "127.0.0.1" if self.config.host in ("0.0.0.0", "::", "localhost") else self.config.host
        ready = await _wait_ready(host, port)
        host = f"[{host}]" if ":" in host else host
        if not ready:
            log.warning("not_ready_yet", see=f"http://{host}:{port}/readyz")
        self._sign.put_up(f"http://{host}:{port}")
        key = self.key or "YOUR_API_KEY"
        sys.stdout.write(GREETING.format(host=host, port=port, key=key, pixel=PIXEL, data=self.config.data))
        sys.stdout.flush()


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
GREETING = """
taskarray is ready at http://{host}:{port}   (data in {data}, Ctrl-C stops it)
API key: {key}

  In a browser: http://{host}:{port}/#key={key}

  curl http://{host}:{port}/v1 -H 'Authorization: Bearer {key}' \\
    -d '[{{"taskType": "imageUpload", "taskUUID": "'$(cat /proc/sys/kernel/random/uuid 2>/dev/null || uuidgen)'", \
"image": "{pixel}"}}]'

  Python       Runware(api_key="{key}", url="ws://{host}:{port}/v1")            # pip install runware
  Python       Runware(api_key="{key}", ws_base_url="ws://{host}:{port}/v1")    # pip install runware-sdk
  JavaScript   await Runware.initialize({{apiKey: "{key}", url: "ws://{host}:{port}/v1"}})   // npm i @runware/sdk-js
  Python       wavespeed.Client("{key}", base_url="http://{host}:{port}")       # pip install wavespeed
  curl         http://{host}:{port}/v2 -H 'x-api-key: {key}' -F image_file=@photo.jpg -o cutout.png

"""


async def _wait_ready(host: str, port: int) -> bool:
    """Wait until every part is there. In short steps: whoever stops the server must not have to wait for this."""
    end = time.monotonic() + _READY_SECONDS
    while time.monotonic() < end:
        if await asyncio.to_thread(_ready, host, port):
            return True
        await asyncio.sleep(0.1)
    return False


def _ready(host: str, port: int) -> bool:
    with closing(HTTPConnection(host, port, timeout=1)) as connection:
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
