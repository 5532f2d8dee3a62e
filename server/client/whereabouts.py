"""Where the `serve` that runs over a data folder can be reached: `serve.json`, locked for as long as it runs.

Imports nothing but the standard library, and little of it: health checks read it every few seconds.
"""

from __future__ import annotations

import fcntl
import json
from contextlib import suppress
from pathlib import Path
from typing import IO

_NAME = "serve.json"


class Sign:
    """What a server puts up. The kernel takes the lock down with the process, however that ends."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / _NAME
        self._file: IO[str] | None = None

    def put_up(self, url: str) -> None:
        """Say that this server listens at `url`. Of two servers over one folder, the first is told of."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return
        file.truncate(0)
        json.dump({"url": url}, file)
        file.flush()
        self._file = file

    def take_down(self) -> None:
        """The server ends."""
        if self._file:
            self.path.unlink(missing_ok=True)
            self._file.close()


def address(folder: Path) -> str:
    """The URL of the server that runs over a folder; empty when none does."""
    with suppress(OSError, ValueError), (folder / _NAME).open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return json.load(file)["url"]
    return ""
