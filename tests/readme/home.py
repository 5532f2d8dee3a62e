"""A server that the README's first command has installed and started, in a fresh copy of the repository.

The command runs as it is. Two things are put around it, so that it takes seconds and no gigabytes: `python3` is the
interpreter of the tests, and each environment that it makes is lent their packages, pip among them, but not taskarray.
So pip checks every dependency, builds the package and installs it; what was forgotten to pack is missing here. What the
README leaves open is filled in: the key, a free port for 8000, a picture's address for https://example.com/shoe.jpg.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import IO

from PIL import Image
from skimage import data

from tests.harness import free_port, wait_for
from tests.readme.blocks import ROOT
from tests.serving import environment

_SHIM = """#!/bin/sh
[ "$1 $2" = "-m venv" ] || exec '{python}' "$@"
'{python}' -m venv --without-pip "$3" || exit
echo '{lent}' > "$3"/lib/python{version[0]}.{version[1]}/site-packages/lent.pth
printf '#!/bin/sh\\nexec "$(dirname "$0")"/python -m pip "$@"\\n' > "$3"/bin/pip && chmod +x "$3"/bin/pip
"""
_NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "node_modules", "build")
_OWN = ("taskarray", "__editable__")
PICTURE = "https://example.com/shoe.jpg"


class Home:
    """The folder in which a reader types, and what the server that runs there has printed."""

    def __init__(self, folder: Path, picture: str) -> None:
        self.folder = folder / "copy"
        self.picture = picture
        self.out = folder / "out"
        self.port = free_port()
        self._log: IO[bytes] = self.out.open("wb")
        shutil.copytree(ROOT, self.folder, ignore=_NOT_COPIED)
        _shim(folder / "bin", _lent(folder / "lent"))
        settings = {"PORT": str(self.port), "WORKERS": "1", "FETCH_ALLOW": "127.0.0.0/8", "MIN_FREE_DISK": "0"}
        self.environment = environment(**settings) | {
            "PATH": os.pathsep.join((str(self.folder / ".venv" / "bin"), str(folder / "bin"), os.environ["PATH"])),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        for path in ("shoe.jpg", "photos/one.jpg", "photos/two.jpg"):
            (self.folder / path).parent.mkdir(exist_ok=True)
            Image.fromarray(data.coffee()).resize((240, 160)).save(self.folder / path)

    def start(self, command: str) -> None:
        """Run the command that starts the server, and wait until it says that it is ready."""
        self._server = subprocess.Popen(
            ["sh", "-c", command], cwd=self.folder, env=self.environment, stdout=self._log, stderr=self._log,
            start_new_session=True,
        )  # fmt: skip
        wait_for(lambda: "ready at" in self.text or self._server.poll() is not None, 180)
        assert "ready at" in self.text, self.text

    def stop(self) -> None:
        """End the server as Ctrl-C does."""
        os.killpg(self._server.pid, signal.SIGINT)
        self._server.wait(60)
        self._log.close()

    @property
    def text(self) -> str:
        return self.out.read_text(errors="replace")

    @property
    def key(self) -> str:
        found = re.search(r"API key: (\S+)", self.text)
        assert found
        return found[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def filled_in(self, text: str) -> str:
        """A block with what a reader fills in."""
        text = text.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}").replace(PICTURE, self.picture)
        return (
            text.replace("Bearer …", f"Bearer {self.key}")
            .replace("x-api-key: …", f"x-api-key: {self.key}")
            .replace('"…"', f'"{self.key}"')
        )

    def run(self, *command: str, given: str = "", **settings: str) -> str:
        """Run a command to its end, which must be a good one; what it prints."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment | settings, input=given, capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def _lent(folder: Path) -> Path:
    """The packages of the tests' environment but those that the README's command brings."""
    folder.mkdir()
    for path in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if not path.name.startswith(_OWN) and path.suffix != ".pth":
            (folder / path.name).symlink_to(path)
    return folder


def _shim(folder: Path, lent: Path) -> None:
    """A `python3` that makes environments to which the packages are lent."""
    folder.mkdir()
    shim = folder / "python3"
    shim.write_text(_SHIM.format(python=sys.executable, lent=lent, version=sys.version_info))
    shim.chmod(0o755)
