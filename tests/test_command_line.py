"""The command line: serve and its end, keys, settings."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.test_redis import PNG
from tests.harness import free_port, wait_for
from tests.serving import PROGRAM, Served, environment, taskarray

REDIS = "unixsocket"
"""Stands in the command line of the embedded Redis."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server in a fresh folder, for tests that leave it as it is."""
    with Served(tmp_path_factory.mktemp("served")) as found:
        yield found.ready()


def own_tasks(folder: Path, name: str) -> str:
    """A package with a task file in a folder; its name."""
    (folder / "mine").mkdir()
    shutil.copy(Path(__file__).parent / "misbehaving" / f"{name}.py", folder / "mine")
    return "mine"


def uploads(served: Served, key: str = "") -> bool:
    return "data" in served.post(key)


def test_greeting(served):
    """It says where it listens, the key that it made, and lines to paste for each client."""
    text = served.text
    assert f"API key: {served.key}" in text
    for line in ('Runware(api_key="{key}", url="ws://{host}/v1")', 'ws_base_url="ws://{host}/v1"', 'apiKey: "{key}"'):
        assert line.format(key=served.key, host=served.url.removeprefix("http://")) in text
    key = served.folder / ".taskarray" / "local.key"
    assert key.read_text().strip() == served.key
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_printed_curl(served):
    """The printed curl line does what it says, as often as it is pasted."""
    command = served.text[served.text.index("  curl ") :].partition("\n\n")[0]
    for _ in range(2):
        answer = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30).stdout
        url = json.loads(answer)["data"][0]["imageURL"]
        with urllib.request.urlopen(url, timeout=5) as image:
            assert image.read().startswith(b"\x89PNG")


@pytest.mark.parametrize("part", [" worker ", "server.child", " sweep ", " gateway ", REDIS])
def test_part_killed(served, part):
    """Whatever part is killed, it is started again, and clients only wait for it."""
    victim = served.part(part)
    victim.kill()
    if part == REDIS:
        wait_for(lambda: uploads(served), 20)
    assert uploads(served)
    wait_for(lambda: served.part(part) not in (None, victim), 20)


def test_same_folder(served):
    """A second server in the same folder is told so, and how to have its own."""
    told = taskarray("serve", cwd=served.folder, PORT="0")
    assert told.returncode == 1
    assert "is in use by another server" in told.stderr
    assert "TASKARRAY_DATA" in told.stderr
    assert "Traceback" not in told.stderr
    assert uploads(served)


def test_same_port(served, tmp_path):
    """A second server on the same port is told so, and which setting changes it."""
    told = taskarray("serve", cwd=tmp_path, PORT=served.url.rpartition(":")[2])
    assert told.returncode == 1
    assert "cannot be listened on" in told.stderr
    assert "PORT" in told.stderr
    assert not (tmp_path / ".taskarray").exists()


@pytest.mark.parametrize("setting", ["PORT", "METRICS_PORT"])
def test_gateway_port(redis_url, tmp_path, setting):
    """So is a gateway, of each of the ports it listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = {"REDIS_URL": redis_url, "PORT": "0", setting: str(taken.getsockname()[1])}
        told = taskarray("gateway", cwd=tmp_path, API_KEYS="me:secret-of-mine", **settings)
        assert told.returncode == 1
        assert f"127.0.0.1:{settings[setting]} cannot be listened on (Address already in use)." in told.stderr
        assert f"{setting}." in told.stderr
        assert "Traceback" not in told.stderr


def test_health(served, tmp_path):
    """`health` says whether the server here answers, wherever it listens, and takes little time for it."""
    told = taskarray("health", cwd=served.folder)
    assert (told.returncode, json.loads(told.stdout)) == (0, {"status": "live"})
    ready = taskarray("health", "--ready", cwd=tmp_path, PORT=served.url.rpartition(":")[2])
    assert json.loads(ready.stdout)["status"] == "ready"
    away = taskarray("health", cwd=tmp_path, PORT=str(free_port()))
    assert (away.returncode, "PORT" in away.stderr) == (1, True)
    command = [sys.executable, "-X", "importtime", "-m", "server", "health"]
    imported = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True).stderr
    for module in ("typer", "asyncio", "pydantic", "http.client"):
        assert f" {module}\n" not in imported


def test_commands_find_the_server(served, tmp_path):
    """Commands work with the server that runs over this data folder, and with its key; elsewhere they need both."""
    (served.folder / "in.png").write_bytes(base64.b64decode(PNG))
    done = taskarray("run", "imageUpload", "in.png", "--json", cwd=served.folder)
    assert json.loads(done.stdout)["data"][0]["imageURL"].startswith(served.url), done.stderr
    shutil.copy(served.folder / "in.png", tmp_path)
    told = taskarray("run", "imageUpload", "in.png", "--json", "--server", served.url, cwd=tmp_path)
    assert (told.returncode, "--key" in told.stderr) == (2, True)
    done = taskarray("run", "imageUpload", "in.png", "--json", cwd=tmp_path, SERVER=served.url, KEY=served.key)
    assert done.returncode == 0, done.stderr


def test_keys_while_it_runs(served):
    """Keys can be made, listed and revoked beside a running server, which heeds them at once."""
    key = taskarray("keys", "create", "ann", cwd=served.folder).stdout.strip()
    assert uploads(served, key)
    listed = taskarray("keys", "list", cwd=served.folder).stdout
    assert "ann" in listed and key[-4:] in listed and "active" in listed
    assert key not in listed
    shown = json.loads(taskarray("keys", "list", "--json", cwd=served.folder).stdout)
    assert [(entry["name"], entry["hint"]) for entry in shown] == [("ann", key[-4:])]
    assert taskarray("keys", "revoke", "ann", cwd=served.folder).returncode == 0
    assert served.post(key)["errors"][0]["code"] == "invalidApiKey"
    assert "revoked" in taskarray("keys", "list", cwd=served.folder).stdout


def test_stopped_and_started_again(tmp_path):
    """SIGTERM ends everything with 0; the next start has the same key, images, tasks and stored keys."""
    stored = taskarray("keys", "create", "ann", cwd=tmp_path).stdout.strip()
    with Served(tmp_path) as first:
        first.ready()
        key, task = first.key, first.post()["data"][0]
        first.process.terminate()
        assert first.process.wait(20) == 0
        assert first.left() == []
        assert "Traceback" not in first.text
    with Served(tmp_path) as second:
        second.ready()
        assert second.key == key
        assert uploads(second, stored)
        known = second.post(task_type="getResponse", taskUUID=task["taskUUID"])["data"][0]
        assert known["imageUUID"] == task["imageUUID"]
        assert "data" in second.post(image=task["imageUUID"])
        second.process.send_signal(signal.SIGINT)
        assert second.process.wait(20) == 0
        assert "Traceback" not in second.text


def test_killed(tmp_path):
    """When the server is killed, nothing of it is left a few seconds later, though it was at work; it starts again."""
    with Served(tmp_path, TASKS=own_tasks(tmp_path, "sleeps")) as first:
        first.ready()
        marker = tmp_path / "marker"
        with ThreadPoolExecutor() as pool:
            pool.submit(first.post, task_type="sleeps", seconds=8, marker=str(marker))
            wait_for(marker.exists, 10)
            first.look()
            first.process.kill()
            wait_for(lambda: first.left() == [], 10)
    with Served(tmp_path) as second:
        assert uploads(second.ready())


def test_stopped_early(tmp_path):
    """A server that is told to stop before it is ready stops at once."""
    with Served(tmp_path) as served:
        wait_for(lambda: served.part("gateway"), 30)
        began = time.monotonic()
        served.process.terminate()
        assert served.process.wait(20) == 0
        assert time.monotonic() - began < 8
        assert served.left() == []


def test_any_folder(tmp_path):
    """It runs in a folder of any name and depth, beside Python files of any name, and its Redis is started again."""
    folder = tmp_path / ("a deep 'folder' ü " * 8)
    folder.mkdir()
    for name in ("server", "redis", "asyncio"):
        (folder / f"{name}.py").write_text("raise RuntimeError('not this one')")
    with Served(folder) as served:
        assert uploads(served.ready())
        served.part(REDIS).kill()
        wait_for(lambda: uploads(served), 20)


def test_own_tasks(tmp_path):
    """Task packages of one's own lie in the folder where the server is started."""
    with Served(tmp_path, TASKS=own_tasks(tmp_path, "nothing")) as served:
        assert served.ready().post(task_type="nothing")["data"][0]["text"] == "done"


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_open_without_keys(tmp_path, host):
    """An address that others can reach is refused without keys, with the settings to change."""
    told = taskarray("serve", cwd=tmp_path, HOST=host, PORT=str(free_port()))
    assert told.returncode == 1
    for name in (f"TASKARRAY_HOST={host}", "TASKARRAY_API_KEYS", "taskarray keys create"):
        assert name in told.stderr
    assert "Traceback" not in told.stderr


def test_open_with_keys(tmp_path):
    """With keys it listens on every address, and makes no key of its own."""
    with Served(tmp_path, HOST="0.0.0.0", API_KEYS="ann:k1") as served:
        assert uploads(served.ready(), "k1")
        assert served.key == "YOUR_API_KEY"
        assert not (tmp_path / ".taskarray" / "local.key").exists()


def test_keys_without_a_server(tmp_path):
    """Keys can be made, listed and revoked though no server runs."""
    assert taskarray("keys", "list", cwd=tmp_path).stdout == ""
    key = taskarray("keys", "create", "ann", cwd=tmp_path).stdout.strip()
    listed = taskarray("keys", "list", cwd=tmp_path).stdout
    assert key[-4:] in listed and "active" in listed
    assert taskarray("keys", "revoke", listed.split()[0], cwd=tmp_path).returncode == 0
    again = taskarray("keys", "revoke", "ann", cwd=tmp_path)
    assert again.returncode == 1
    assert "'ann'" in again.stderr and "keys list" in again.stderr


def test_keys_without_redis(tmp_path):
    """A Redis that does not answer is told in a sentence."""
    told = taskarray("keys", "list", cwd=tmp_path, REDIS_URL=f"unix://{tmp_path}/absent.sock")
    assert told.returncode == 1
    assert told.stderr == "Redis does not answer. Check REDIS_URL.\n"


@pytest.mark.parametrize("part", ["gateway", "worker", "sweep"])
def test_parts_alone(tmp_path, part):
    """A part that is started alone needs the Redis that it shares with the others, and says so."""
    told = taskarray(part, cwd=tmp_path)
    assert told.returncode == 1
    assert "REDIS_URL" in told.stderr and "taskarray serve" in told.stderr


def test_config_show(tmp_path):
    """`config show` tells every setting in force, where it comes from, and no secret."""
    told = taskarray("config", "show", cwd=tmp_path, LEASE="20s", API_KEYS="ann:hunter2").stdout
    assert "TASKARRAY_LEASE=20s   # environment" in told
    assert "TASKARRAY_HOST=127.0.0.1\n" in told
    assert "hunter2" not in told


def test_config_check(tmp_path):
    """`config check` says that all is well, or everything that is not, with the name that was meant."""
    assert "are right" in taskarray("config", "check", cwd=tmp_path).stdout
    told = taskarray("config", "check", cwd=tmp_path, IMAGE_TLL="30d", LEASE="soon")
    assert told.returncode == 1
    assert "did you mean TASKARRAY_IMAGE_TTL?" in told.stderr
    assert "TASKARRAY_LEASE" in told.stderr
    assert taskarray("config", "check", cwd=tmp_path, HOST="0.0.0.0").returncode == 1


def test_config_init(tmp_path):
    """`config init` prints every setting with what it is for, and keys that are fresh each time; all of it is right."""
    first, second = (taskarray("config", "init", cwd=tmp_path).stdout for _ in range(2))
    set_here = [line for line in first.splitlines() if line and not line.startswith("#")]
    assert [line.partition("=")[0] for line in set_here] == ["TASKARRAY_API_KEYS", "TASKARRAY_DASH_KEYS"]
    assert set(set_here).isdisjoint(second.splitlines())
    assert all(f"#{name}=" in first for name in ("TASKARRAY_HOST", "PORT", "REDIS_URL", "TASKARRAY_LEASE"))
    (tmp_path / ".env").write_text(first.replace("\n#TASKARRAY", "\nTASKARRAY").replace("\n#PORT", "\nPORT"))
    told = subprocess.run(
        ["sh", "-c", f"set -a; . ./.env; '{PROGRAM}' config check"], cwd=tmp_path, capture_output=True,
        text=True, timeout=60, env=environment(),
    )  # fmt: skip
    assert "are right" in told.stdout, told.stderr


def test_documents(tmp_path):
    """What is spoken here is printed for programs, and the version."""
    assert json.loads(taskarray("openapi", cwd=tmp_path).stdout)["openapi"] == "3.1.0"
    assert json.loads(taskarray("asyncapi", cwd=tmp_path).stdout)["asyncapi"] == "3.0.0"
    told = taskarray("version", cwd=tmp_path).stdout
    assert told.startswith("taskarray ") and told == taskarray("--version", cwd=tmp_path).stdout


@pytest.mark.parametrize("command", ["serve", "gateway", "worker", "sweep", "doctor"])
def test_typo(tmp_path, command):
    """No command starts with a setting that does not exist."""
    told = taskarray(command, cwd=tmp_path, IMAGE_TLL="30d")
    assert told.returncode == 1
    assert "did you mean TASKARRAY_IMAGE_TTL?" in told.stderr
    assert "Traceback" not in told.stderr


def test_help(tmp_path):
    """Without a command every command is listed."""
    told = taskarray(cwd=tmp_path)
    for command in ("serve", "gateway", "worker", "sweep", "run", "batch", "health", "doctor", "keys", "config"):
        assert command in told.stdout + told.stderr
