"""The browser that the tests of the pages drive, installed once where it is missing, and axe-core."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.clients.install import AXE, installed

ARGUMENTS = [
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-sandbox",
]  # fmt: skip
_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_SECONDS = 600


def chromium() -> str:
    """The path of a Chromium: one that is there, else Debian's, installed. Raises AssertionError with what to do."""
    found = _on_path()
    if not found and os.geteuid() == 0 and shutil.which("apt-get"):
        with (Path(tempfile.gettempdir()) / "taskarray-chromium.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # each process of a test run may come here
            found = _on_path() or _install()
    assert found, "The tests of the pages need Chromium on the PATH: apt-get install chromium, as root."
    return found


def _install() -> str | None:
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]):
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, timeout=_SECONDS)
        assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return _on_path()


def _on_path() -> str | None:
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


def axe() -> Path:
    """The script that looks for what people with assistive technology would stumble over."""
    return installed(AXE) / "node_modules" / "axe-core" / "axe.min.js"
