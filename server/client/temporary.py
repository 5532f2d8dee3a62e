"""A server of a command's own: on a free port of this machine, over a folder that is gone with it."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from server.client.whereabouts import address
from server.lifeline import reap, spawn

_START_SECONDS = 60
_TRIES = 3
_NAME = "command"


class NotStarted(Exception):
    """The server did not start. The message has the end of what it said."""


@contextmanager
def temporary(settings: Mapping[str, str]) -> Generator[tuple[str, str]]:
    """A server with these settings (names as in the environment) besides its own; its URL and key. Call it from the
    main thread. It ends with this process, however that ends. Raises NotStarted."""
    key = secrets.token_hex()
    with tempfile.TemporaryDirectory(prefix="taskarray-") as folder:
        own = {
            "REDIS_URL": "",
            "PORT": "0",
            "TASKARRAY_DATA": folder,
            "TASKARRAY_API_KEYS": f"{_NAME}:{key}",
            "TASKARRAY_MIN_FREE_DISK": "0",
            "TASKARRAY_DRAIN_TIMEOUT": "1s",
            "TASKARRAY_LOG_FORMAT": "text",
        }
        others = {name: value for name, value in os.environ.items() if not name.startswith("TASKARRAY_")}
        told = Path(folder, "told")
        with told.open("wb") as file:
            command = [sys.executable, "-P", "-m", "server", "serve"]
            server = spawn(command, file, environment={**others, **settings, **own})
        try:
            yield _address(server, Path(folder), told), key
        finally:
            reap(server)


def _address(server: subprocess.Popen[bytes], folder: Path, told: Path) -> str:
    """Where the server listens, once it is ready; a part that ends again and again never will be."""
    end, text = time.monotonic() + _START_SECONDS, ""
    while time.monotonic() < end and server.poll() is None and text.count("process_ended") < _TRIES:
        if url := address(folder):
            return url
        time.sleep(0.05)
        text = told.read_text(errors="replace")
    raise NotStarted("a server of its own did not start:\n" + "\n".join(text.splitlines()[-20:]))
