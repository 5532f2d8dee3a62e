"""The command line as an operator uses it: the installed program, in a folder of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

import psutil

from tests.client import new_task
from tests.faults.test_redis import PNG
from tests.harness import wait_for

PROGRAM = Path(sys.executable).parent / "taskarray"


def environment(**settings: str) -> dict[str, str]:
    """This process's environment with no settings but these (TASKARRAY_ left out in their names)."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("TASKARRAY_")}
    for name in ("PORT", "REDIS_URL"):
        own.pop(name, None)
    return own | {
        name if name in ("PORT", "REDIS_URL") else f"TASKARRAY_{name}": value for name, value in settings.items()
    }


def taskarray(*words: str, cwd: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [PROGRAM, *words], cwd=cwd, env=environment(**settings), capture_output=True, text=True, timeout=120
    )


class Served:
    """A running `taskarray serve` on a free port; `text` is what it has printed."""

    def __init__(self, folder: Path, **settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.out = folder / "out"
        settings = {"PORT": "0", "WORKERS": "1", "DRAIN_TIMEOUT": "2s", "MIN_FREE_DISK": "0"} | settings
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(
                [PROGRAM, "serve"],
                cwd=folder,
                env=environment(**settings),
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.parts: list[psutil.Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.look()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for part in self.parts:
            if part.is_running():
                part.kill()

    def ready(self) -> Self:
        """Wait until it says that it is ready."""
        try:
            wait_for(lambda: "ready at" in self.text, 60)
        except TimeoutError:
            raise AssertionError(self.text) from None
        self.look()
        return self

    @property
    def text(self) -> str:
        return self.out.read_text()

    def look(self) -> list[psutil.Process]:
        """The processes below it, which are remembered."""
        if self.process.poll() is None:
            found = psutil.Process(self.process.pid).children(recursive=True)
            self.parts += [part for part in found if part not in self.parts]
            return found
        return []

    def part(self, word: str) -> psutil.Process | None:
        """The process in whose command line a word stands."""
        return next((part for part in self.look() if word in " ".join(command(part))), None)

    def left(self) -> list[psutil.Process]:
        """Those of its processes that still run."""
        return [part for part in self.parts if part.is_running() and part.status() != psutil.STATUS_ZOMBIE]

    @property
    def url(self) -> str:
        return re.search(r"ready at (\S+)", self.text)[1]

    @property
    def key(self) -> str:
        return re.search(r"API key: (\S+)", self.text)[1]

    def post(self, key: str = "", task_type: str = "imageUpload", **members: Any) -> dict[str, Any]:
        """Send one task; the whole answer."""
        task = new_task(task_type, **({"image": PNG} if task_type == "imageUpload" else {}) | members)
        request = urllib.request.Request(
            f"{self.url}/v1", json.dumps([task]).encode(), {"authorization": f"Bearer {key or self.key}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return json.loads(refused.read())


def command(process: psutil.Process) -> list[str]:
    """A process's command line; empty for one that is just ending."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []
