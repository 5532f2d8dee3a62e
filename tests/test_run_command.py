"""`taskarray run`: one task on a file, an array from a file, against a server that runs and against none."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from uuid import uuid4

import pytest
from PIL import Image

from tests.harness import KEY, Installation, wait_for
from tests.pictures.drawing import photo
from tests.serving import PROGRAM, environment, taskarray


@pytest.fixture
def run(installation: Installation, tmp_path: Path):
    """Runs `taskarray run …` in a folder with `in.png`, against the shared installation."""
    photo(96, 64).convert("RGB").save(tmp_path / "in.png")

    def command(*words: str, code: int = 0, text: str = "") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [PROGRAM, "run", *words], cwd=tmp_path, input=text, capture_output=True, text=True, timeout=60,
            env=environment(SERVER=installation.url, KEY=KEY),
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return command


def opened(path: Path) -> Image.Image:
    """A picture that can be decoded."""
    with Image.open(path) as image:
        image.load()
        return image


def test_one_file(run, tmp_path: Path):
    """One task on a file: the extension of the second file says what is made, --set what is done."""
    done = run("upscale", "in.png", "out.webp", "--set", "upscaleFactor=3")
    assert done.stdout == "out.webp\n"
    image = opened(tmp_path / "out.webp")
    assert (image.format, image.size) == ("WEBP", (288, 192))
    run("vectorize", "in.png", "out.svg")
    assert "<svg" in (tmp_path / "out.svg").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.png", "out.svg", "out.webp"]


def test_several_results(run, tmp_path: Path):
    """Several results go to files with a number; a task that needs no picture takes the file for its result alone."""
    words = ("--set", "numberResults=2", "--set", f"marker={tmp_path}/marker")
    assert run("repeats", "in.png", "out.png", *words).stdout == "out-1.png, out-2.png\n"
    assert opened(tmp_path / "out-2.png").size == (96, 64)


def test_words(run, tmp_path: Path):
    """Words are printed, or written to the file; --json prints the whole answer."""
    assert run("nothing").stdout == "done\n"
    assert run("nothing", "said.txt").stdout == "said.txt\n"
    assert (tmp_path / "said.txt").read_text() == "done\n"
    answer = json.loads(run("imageUpload", "in.png", "--json").stdout)
    assert answer["data"][0]["imageURL"].endswith(".png") and answer["errors"] == []


def test_streams(run, tmp_path: Path, installation: Installation):
    """`-` is standard input and output."""
    done = subprocess.run(
        [PROGRAM, "run", "upscale", "-", "-", "--set", "outputFormat=PNG"], cwd=tmp_path,
        input=(tmp_path / "in.png").read_bytes(), capture_output=True, timeout=60,
        env=environment(SERVER=installation.url, KEY=KEY),
    )  # fmt: skip
    assert done.stdout.startswith(b"\x89PNG"), done.stderr


def array(**third: object) -> list[dict]:
    """An array in which a file becomes two pictures, one made of the other, and a third task."""
    first, second = str(uuid4()), str(uuid4())
    return [
        {"taskType": "authentication", "apiKey": "another one"},
        {"taskType": "imageUpload", "taskUUID": first, "image": "../in.png", "returnOutput": False},
        {"taskType": "upscale", "taskUUID": second, "inputImage": first, "deliveryMethod": "async"},
        {"taskType": "imageTransform", "inputImage": second, "outputFormat": "PNG", "outputType": "base64Data",
         "operations": [{"operation": "resize", "width": 20}, {"operation": "composite", "image": "../in.png"}]},
        *([third] if third else []),
    ]  # fmt: skip


def test_array(run, tmp_path: Path):
    """An array may name files, from the folder it lies in, wherever an image may stand; pictures go to --out by number
    and task; sent again it is the same, and has the same answers."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "tasks.json").write_text(json.dumps(array()))
    done = run("deep/tasks.json", "--out", "made")
    assert len(done.stdout.splitlines()) == 3
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["2-upscale.jpg", "3-imageTransform.png"]
    assert opened(tmp_path / "made" / "3-imageTransform.png").width == 20
    first, second = (json.loads(run("deep/tasks.json", "--json").stdout)["data"] for _ in range(2))
    assert [item["taskType"] for item in first] == ["upscale", "imageTransform"]
    assert first[0]["imageUUID"] == second[0]["imageUUID"]


def test_array_with_failures(run, tmp_path: Path):
    """What fails is told with code and sentence, costs no other task, and makes the exit code 1. `-` reads standard
    input."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "bad.png").write_text("no picture")
    tasks = [*array(taskType="nonsense"), {"taskType": "upscale", "inputImage": "bad.png"}]
    done = run("-", "--out", "made", text=json.dumps(tasks).replace("../", ""), code=1)
    assert (tmp_path / "made" / "2-upscale.jpg").exists()
    lines = done.stdout.splitlines()
    assert sum(line.startswith("ok ") for line in lines) == 3
    assert any(line.startswith("FAIL  4 nonsense  unsupportedTaskType: There is no taskType") for line in lines)
    assert any(line.startswith("FAIL  bad.png: invalidImage: ") for line in lines)
    assert any(line.startswith("FAIL  5 upscale  mediaNotFound: ") for line in lines)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("removeBackground", "taskarray run removeBackground IN OUT"),
        ("removeBackground in.png", "Say where the result"),
        ("removeBackground nope.png out.png", "there is no file nope.png"),
        ("upscal in.png out.png", "did you mean upscale?"),
        ("upscale in.png out.svg", "makes JPG, PNG, WEBP"),
        ("upscale in.png out.png --set upscalFactor=2", "did you mean upscaleFactor?"),
        ("upscale in.png no/out.png", "There is no folder no"),
        ("upscale a b c", "taskarray batch"),
        ("upscale in.png out.png --out made", "--out is for arrays"),
        ("nope.json", "nope.json cannot be read"),
        ("in.json", "is not JSON"),
        ("twice.json", "two tasks with one taskUUID"),
        ("upscale in.png out.png --server ftp://x --key k", "is no address"),
    ],
)
def test_wrong_usage(run, tmp_path: Path, words: str, sentence: str):
    """What cannot be meant is told in a sentence, with 2."""
    (tmp_path / "in.json").write_text("not this")
    (tmp_path / "twice.json").write_text(json.dumps(2 * [{"taskType": "nothing", "taskUUID": "A"}]))
    assert sentence in run(*words.split(), code=2).stderr


def test_failures(run, tmp_path: Path):
    """What was meant and fails is told with 1: a picture that is none, a parameter, a server or a key."""
    (tmp_path / "bad.png").write_text("no picture")
    assert "invalidImage" in run("upscale", "bad.png", "out.png", code=1).stderr
    wrong = run("upscale", "in.png", "out.png", "--set", "upscaleFactor=7", code=1)
    assert "invalidUpscaleFactor" in wrong.stderr
    away = run("upscale", "in.png", "out.png", "--server", "127.0.0.1:1", "--key", "k", code=1)
    assert "No server answers at http://127.0.0.1:1" in away.stderr
    assert "--key" in run("upscale", "in.png", "out.png", "--key", "wrong", code=1).stderr
    assert not (tmp_path / "out.png").exists()


def test_stopped(installation: Installation, tmp_path: Path):
    """Ctrl-C cancels what waits and runs, and ends with 130."""
    marker = tmp_path / "marker"
    command = [PROGRAM, "run", "sleeps", "--set", "seconds=15", "--set", f"marker={marker}"]
    own = environment(SERVER=installation.url, KEY=KEY)
    process = subprocess.Popen(command, cwd=tmp_path, env=own, stderr=subprocess.PIPE, text=True)
    wait_for(marker.exists, 20)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert (process.returncode, "taskCancelled" in told) == (130, True), told
    assert time.monotonic() - began < 8


def test_without_a_server(tmp_path: Path):
    """Where no server runs, one is started for the command, and nothing is left of it but the result."""
    disc = Image.new("RGB", (160, 120), (225, 228, 230))
    disc.paste((180, 40, 40), (50, 30, 110, 90))
    disc.save(tmp_path / "in.png")
    done = taskarray("run", "removeBackground", "in.png", "out.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    alpha = opened(tmp_path / "out.png").getchannel("A")
    assert alpha.getpixel((80, 60)) > 200 and alpha.getpixel((4, 4)) < 50
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.png", "out.png"]
