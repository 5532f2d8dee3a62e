"""The official clients as their registries hand them out, and the schema of AsyncAPI, each installed once into a
folder of its own.

The folder is `taskarray-tests` in the user's cache, a client's part of it is named by package and version, and it
gets that name only when it is complete. To have a client installed afresh, remove its folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 300
_LAST_LINES = 15


@dataclass(frozen=True)
class Package:
    """One client in one version. `command` is what runs a program inside its environment, once it is installed."""

    name: str
    version: str
    install: Callable[[Package, Path], None]
    command: Callable[[Path], list[str]]

    @property
    def folder(self) -> Path:
        """Where it lies. A virtual environment belongs to the Python that made it, so that is in the name too."""
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        words = f"{self.name}-{self.version}".replace("@", "").replace("/", "-")
        return caches / "taskarray-tests" / f"{words}-{sys.implementation.cache_tag}"


def installed(package: Package) -> Path:
    """The folder of a client, installed there if it is not yet. Raises AssertionError with what the installer said."""
    folder = package.folder
    if Path(package.command(folder)[0]).exists() and folder.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="installing-") as name:
        unfinished = Path(name) / "client"
        package.install(package, unfinished)
        try:
            unfinished.rename(folder)
        except OSError:
            assert folder.exists(), f"{folder} cannot be written"  # else another run was faster
    return folder


def _python(package: Package, folder: Path) -> None:
    _run([sys.executable, "-m", "venv", str(folder)])
    pip = [_interpreter(folder)[0], "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    _run([*pip, "--timeout", "30", f"{package.name}=={package.version}"])


def _interpreter(folder: Path) -> list[str]:
    return [str(folder / "bin" / "python")]


def _javascript(package: Package, folder: Path) -> None:
    npm = shutil.which("npm")
    assert npm, "npm is not on the PATH: the tests of the JavaScript client need Node.js, with npm."
    folder.mkdir()
    wanted = f"{package.name}@{package.version}"
    _run([npm, "install", "--no-audit", "--no-fund", "--loglevel=error", f"--prefix={folder}", wanted])


def _node(_: Path) -> list[str]:
    node = shutil.which("node")
    assert node, "node is not on the PATH: the tests of the JavaScript client need Node.js 18 or newer."
    return [node]


def _run(command: list[str]) -> None:
    shown = " ".join(command)
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired as late:
        raise AssertionError(f"{shown}\nwas not done in {_SECONDS} s:\n{_end(late.stdout or b'')}") from None
    assert done.returncode == 0, f"{shown}\nended with {done.returncode}:\n{_end(done.stdout)}"


def _end(told: bytes) -> str:
    return "\n".join(told.decode(errors="replace").splitlines()[-_LAST_LINES:])


LEGACY_PYTHON = Package("runware", "0.5.24", _python, _interpreter)
NEW_PYTHON = Package("runware-sdk", "1.8.0", _python, _interpreter)
JAVASCRIPT = Package("@runware/sdk-js", "1.3.2", _javascript, _node)
WAVESPEED_PYTHON = Package("wavespeed", "2.0.5", _python, _interpreter)
OLDER_WAVESPEED_PYTHON = Package("wavespeed", "1.0.5", _python, _interpreter)
WAVESPEED_JS = Package("wavespeed", "0.3.2", _javascript, _node)
AXE = Package("axe-core", "4.14.1", _javascript, _node)
ASYNCAPI = Package("@asyncapi/specs", "6.11.1", _javascript, _node)
OLDER_WAVESPEED_JS = Package("wavespeed", "0.2.3", _javascript, _node)
