"""The README from its top: installed and started by its first command, then every block in its order."""

from __future__ import annotations

import http.server
import json
import re
import shlex
import threading
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from PIL import Image

from tests.clients.install import JAVASCRIPT, LEGACY_PYTHON, NEW_PYTHON, WAVESPEED_PYTHON, installed
from tests.readme.blocks import SHOWN, Block, of
from tests.readme.home import Home

CLIENTS = {package.name: package for package in (LEGACY_PYTHON, NEW_PYTHON, JAVASCRIPT, WAVESPEED_PYTHON)}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The server of the first command, and a web server with the picture."""
    folder = tmp_path_factory.mktemp("readme")
    handler = partial(_Quiet, directory=folder / "copy")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as website:
        threading.Thread(target=website.serve_forever, daemon=True).start()
        found = Home(folder, f"http://127.0.0.1:{website.server_port}/shoe.jpg")
        (install,) = of("install")
        found.start(install.text)
        yield found
        found.stop()
        website.shutdown()


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read()


def test_link(home: Home) -> None:
    """The printed link leads to the playground, and the pages that the README names are there."""
    assert f"{home.url}/#key={home.key}" in home.text
    for path in ("/", "/board", "/docs", "/docs/deploy", "/docs/tasks/removeBackground", "/docs/every-task"):
        request = urllib.request.Request(home.url + path, headers={"accept": "text/html"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.headers["content-type"].startswith("text/html"), path


@pytest.mark.parametrize("block", of("curl"), ids=str)
def test_curl(home: Home, block: Block) -> None:
    """A line for curl does what stands beside it."""
    message = json.dumps([{"taskType": "imageUpload", "taskUUID": str(uuid4()), "image": home.picture}])
    printed = home.run("sh", "-c", home.filled_in(block.text), given=message)
    if "-o cutout.png" in block.text:
        with Image.open(home.folder / "cutout.png") as picture:
            assert (picture.format, picture.mode, picture.size) == ("PNG", "RGBA", (240, 160))
    else:
        assert json.loads(printed)["data"][0]["taskType"] == "imageUpload"


@pytest.mark.clients
@pytest.mark.parametrize("block", of("client"), ids=str)
def test_client(home: Home, block: Block) -> None:
    """The program runs as it is with the client that its first line installs, and prints where the cut-out lies."""
    package = CLIENTS[block.text.partition("\n")[0].split()[-1]]
    folder = installed(package)
    program = home.folder / f"program-{package.version}" / ("main.mjs" if package is JAVASCRIPT else "main.py")
    program.parent.mkdir(exist_ok=True)
    program.write_text(home.filled_in(block.text))
    if package is JAVASCRIPT:
        (program.parent / "node_modules").symlink_to(folder / "node_modules")
    printed = home.run(*package.command(folder), str(program))
    (url,) = re.findall(r"http://[^\s'\"\]]+", printed)
    assert fetched(url)


@pytest.mark.parametrize("line", [line for block in of("commands") for line in block.text.splitlines()])
def test_command(home: Home, line: str) -> None:
    """Each command of the command line does its work."""
    (tasks,) = of("tasks file")
    (home.folder / "tasks.json").write_text(tasks.text)
    words = shlex.split(line, comments=True)
    home.run("sh", "-c", line)
    made = {"cutout.png": 1, "cutouts": 2, "results": 2}
    for path, count in [(home.folder / word, made[word]) for word in words if word in made]:
        assert len(list(path.iterdir()) if path.is_dir() else [path.read_bytes()]) == count


def test_models(home: Home, tmp_path: Path) -> None:
    """The table of models adds the model that it shows."""
    (block,) = of("models")
    (tmp_path / "models.toml").write_text(block.text)
    assert "DreamShaper 8" in home.run("taskarray", "models", "list", TASKARRAY_MODELS=str(tmp_path / "models.toml"))


@pytest.mark.parametrize("uuid", SHOWN)
def test_shown(home: Home, uuid: str) -> None:
    """Where a message and its answer are shown, that is the answer: the same members, and the same words where words
    are shown."""
    blocks = [block for block in of("shown") if uuid in block.text]
    sent, shown = (json.loads(block.text) for block in blocks)
    body = home.filled_in(json.dumps(sent)).replace(uuid, fresh := str(uuid4()))
    headers = {"authorization": f"Bearer {home.key}"}
    request = urllib.request.Request(f"{home.url}/v1", body.encode(), headers)
    try:
        found = json.loads(urllib.request.urlopen(request, timeout=30).read())
    except urllib.error.HTTPError as refused:
        found = json.loads(refused.read())
    (kind,) = shown
    (expected,), (item,) = shown[kind], found[kind]
    assert expected.keys() <= item.keys()
    for member in ("taskType", "code", "parameter"):
        assert expected.get(member) == item.get(member)
    assert (expected["taskUUID"], item["taskUUID"]) == (uuid, fresh)
