"""`taskarray batch`: a folder tree of pictures, whatever happens on the way."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
import tracemalloc
from pathlib import Path

import pytest
from PIL import Image

from server.client.tree import Tree
from tests.harness import KEY, Installation, wait_for
from tests.serving import PROGRAM, environment


class Batch:
    """A folder `in` of pictures, each of another colour, and the command over it; `marker` has a line for each time
    that a worker began with one."""

    def __init__(self, installation: Installation, folder: Path) -> None:
        self.installation = installation
        self.folder = folder
        self.out = folder / "out"
        self.marker = folder / "marker"

    def picture(self, name: str) -> Path:
        """A picture; its colour is its own."""
        path = self.folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hash(name) & 0xFFFFFF
        Image.new("RGB", (24, 16), (digest >> 16, digest >> 8 & 255, digest & 255)).save(path)
        return path

    def start(self, *words: str, seconds: float = 0, **options) -> subprocess.Popen[str]:
        """The command, started."""
        settings = ("--task", "repeats", "--set", f"marker={self.marker}", "--set", f"seconds={seconds}")
        own = environment(SERVER=self.installation.url, KEY=KEY)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        return subprocess.Popen(
            [PROGRAM, "batch", "in", "out", *settings, *words], cwd=self.folder, env=own, text=True, **pipes
        )

    def run(self, *words: str, code: int = 0) -> str:
        """The command to its end; what it printed."""
        process = self.start(*words)
        told, failed = process.communicate(timeout=60)
        assert "Traceback" not in failed, failed
        assert process.returncode == code, told + failed
        return told

    def made(self) -> list[str]:
        """The files in `out`, and whatever else lies there."""
        return sorted(str(path.relative_to(self.out)) for path in self.out.rglob("*") if path.is_file())

    def begun(self) -> int:
        """How often a worker began with a picture."""
        return len(self.marker.read_text().splitlines()) if self.marker.exists() else 0


@pytest.fixture
def batch(installation: Installation, tmp_path: Path) -> Batch:
    return Batch(installation, tmp_path)


def size_of(path: Path) -> tuple[int, int]:
    """How large a picture is that can be decoded."""
    with Image.open(path) as image:
        image.load()
        return image.size


def images(installation: Installation) -> set[Path]:
    """What lies in the blob store."""
    return {path for path in (installation.folder / "images").rglob("*") if path.is_file()}


def test_tree(batch: Batch):
    """Every picture of a tree has its result under the same name, and nothing of them stays on the server. What is
    done and newer is skipped; what has changed is done again, and all of it with --overwrite."""
    before = images(batch.installation)
    for name in ("a.png", "deep/er/ü b.JPG", "deep/twin.png", "deep/twin.bmp", ".hidden/c.png"):
        batch.picture(name)
    (batch.folder / "in" / "notes.txt").write_text("no picture")
    wanted = ["a.jpg", "deep/er/ü b.jpg", "deep/twin.bmp.jpg", "deep/twin.png.jpg"]
    assert "4 done, 0 failed" in batch.run()
    assert batch.made() == wanted
    assert size_of(batch.out / "a.jpg") == (24, 16)
    wait_for(lambda: images(batch.installation) <= before, 10)
    assert "0 done, 4 were done before" in batch.run()
    os.utime(batch.folder / "in" / "a.png")
    assert "1 done, 3 were done before" in batch.run()
    assert "4 done, 0 failed" in batch.run("--overwrite", "--set", "outputFormat=PNG")
    assert batch.made() == sorted([*wanted, *(name[:-3] + "png" for name in wanted)])


def test_files_in_settings(batch: Batch):
    """A picture that --set names is uploaded once for all of them, and does not stay on the server either."""
    before = images(batch.installation)
    for name in ("a.png", "b.png"):
        batch.picture(name)
    Image.new("RGB", (8, 8), "white").save(batch.folder / "mask.png")
    assert "2 done" in batch.run("--set", "maskImage=mask.png")
    wait_for(lambda: images(batch.installation) <= before, 10)


def test_failures(batch: Batch):
    """A picture that fails is told at once and at the end, with code and sentence, costs no other, and makes the exit
    code 1; --json has a line for each."""
    batch.picture("a.png")
    (batch.folder / "in" / "bad.png").write_text("no picture")
    (batch.folder / "in" / "empty.png").write_text("")
    told = batch.run(code=1)
    assert "1 done, 2 failed" in told
    for line in ("FAIL  bad.png  invalidImage: The image cannot be read", "FAIL  empty.png  in/empty.png is empty."):
        assert told.count(line) == 2
    lines = [json.loads(line) for line in batch.run("--json", code=1).splitlines()]
    assert [(line["picture"], line["ok"]) for line in lines if line["picture"] == "bad.png"] == [("bad.png", False)]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("in in", "OUT must be another folder"),
        ("nope out", "There is no folder nope"),
        ("in out --set inputImage=in/a.png", "each of the pictures"),
        ("in out --task upscale --set outputFormat=SVG", "makes JPG, PNG, WEBP"),
    ],
)
def test_wrong_usage(batch: Batch, words: str, sentence: str):
    """What cannot be meant is told in a sentence, with 2."""
    batch.picture("a.png")
    own = environment(SERVER=batch.installation.url, KEY=KEY)
    command = [PROGRAM, "batch", *words.split()]
    done = subprocess.run(command, cwd=batch.folder, env=own, capture_output=True, text=True, timeout=60)
    assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr


def test_gateway_killed(own_installation: Installation, tmp_path: Path):
    """A gateway that is killed in the middle and comes back costs nothing: every picture is done, once."""
    own_installation.start_all(workers=2)
    batch = Batch(own_installation, tmp_path)
    names = [f"{number:02}.png" for number in range(24)]
    for name in names:
        batch.picture(name)
    process = batch.start("--concurrency", "6", seconds=0.1)
    wait_for(lambda: batch.begun() >= 6, 30)
    gateway, port = next((part, port) for part, port in own_installation.processes.items() if port)
    own_installation.kill(gateway)
    assert process.poll() is None and len(batch.made()) < len(names)
    own_installation.start("gateway", port=port)
    told, failed = process.communicate(timeout=60)
    assert (process.returncode, failed) == (0, ""), told + failed
    assert batch.made() == [name.replace("png", "jpg") for name in names]
    assert batch.begun() == len(names)


def test_interrupted(batch: Batch):
    """Ctrl-C cancels what waits, leaves no half of a file, and says how to go on; the next run does what is left."""
    for number in range(12):
        batch.picture(f"{number:02}.png")
    process = batch.start("--concurrency", "2", seconds=0.3)
    wait_for(lambda: len(batch.made()) >= 2, 30)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    told, failed = process.communicate(timeout=20)
    assert process.returncode == 130 and time.monotonic() - began < 6
    assert "Run it again" in failed and "failed" in told
    made = batch.made()
    assert len(made) < 12 and all(name.endswith(".jpg") for name in made)
    for name in made:
        assert size_of(batch.out / name) == (24, 16)
    assert f"{len(made)} were done before, 0 failed" in batch.run()
    assert len(batch.made()) == 12


def test_watch(batch: Batch):
    """With --watch it goes on with what comes later, and Ctrl-C is its end."""
    batch.picture("a.png")
    process = batch.start("--watch")
    wait_for(lambda: batch.made() == ["a.jpg"], 30)
    batch.picture("new/b.png")
    wait_for(lambda: batch.made() == ["a.jpg", "new/b.jpg"], 30)
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=20)
    assert (process.returncode, "2 done" in told) == (0, True)


def test_terminal(batch: Batch):
    """On a terminal a bar says how far it is, without a line for each picture."""
    for number in range(4):
        batch.picture(f"{number}.png")
    screen, side = pty.openpty()
    process = batch.start(seconds=0.3, stderr=side)
    os.close(side)
    told, _ = process.communicate(timeout=60)
    shown = os.read(screen, 65536).decode()
    os.close(screen)
    assert " of 4" in shown and "\r" in shown
    assert told.splitlines()[0].startswith("4 done")


def test_memory(tmp_path: Path):
    """However many pictures a tree has, no more is kept in mind than the names in one folder."""
    for folder in range(20):
        (tmp_path / f"{folder}").mkdir()
        for number in range(200):
            (tmp_path / f"{folder}" / f"{number}.png").touch()
    tracemalloc.start()
    assert sum(1 for _ in Tree(tmp_path, tmp_path / "out", ".png", overwrite=False).left()) == 4_000
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 200_000
