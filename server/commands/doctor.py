"""`taskarray doctor`: is this machine fit to serve? Each part is looked at on its own, and at last all together."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import PIL
import pyvips
from redis import Redis, RedisCluster
from redis.exceptions import RedisError

from server.blobs import Blobs
from server.client.temporary import NotStarted
from server.commands import machine
from server.commands.machine import Unfit
from server.commands.trial import Trial, tried
from server.config import Config
from server.embedded import OLDEST, EmbeddedError, find_binary
from server.errors import ApiError
from server.models import Models

_FULL = 0.9
"""The share of a Redis's memory from which on it soon refuses tasks."""
_HEAD = 4096

Part = tuple[str, Callable[[Config], str]]


def examine(settings: Config, *, quick: bool = False) -> Iterator[tuple[str, str, str]]:
    """Every part as (part, problem, what was found); the problem of a good one is empty. `quick`: no server is started
    to be tried."""
    parts: list[Part] = [
        ("Python", machine.python),
        ("processor", machine.processor),
        ("memory", machine.memory),
        ("open files", machine.open_files),
        ("port", machine.port),
        ("public URL", machine.public_url),
        ("Redis", _redis if settings.redis_url else _binary),
        ("data folder", _data),
        ("blob store", _blobs),
        ("free disk", _disk),
        ("image libraries", _libraries),
        ("models", _models),
    ]
    for part in parts:
        yield _looked(settings, part)
    if quick:
        return
    with ExitStack() as stack:
        for part in _tries(stack):
            yield _looked(settings, part)


def _looked(settings: Config, part: Part) -> tuple[str, str, str]:
    name, look = part
    try:
        return name, "", look(settings)
    except (Unfit, NotStarted, ApiError, EmbeddedError, RedisError, OSError, ValueError) as failure:
        return name, str(failure) or type(failure).__name__, ""


def _tries(stack: ExitStack) -> list[Part]:
    """What is tried with a server of its own, which the first try starts."""
    running = list[Trial]()

    def upload(settings: Config) -> str:
        running.append(stack.enter_context(tried(settings)))
        return running[0].upload()

    def cut_out(settings: Config) -> str:
        if not running:
            raise Unfit("there is no server to try it with, see above.")
        return running[0].cut_out()

    return [("one upload", upload), ("one cut-out", cut_out)]


def _binary(settings: Config) -> str:
    return f"none in REDIS_URL; `serve` starts {find_binary()}"


def _redis(settings: Config) -> str:
    kind = RedisCluster if settings.redis_cluster else Redis
    with kind.from_url(settings.redis_url, socket_timeout=5, socket_connect_timeout=5, protocol=2) as client:
        node = {"target_nodes": RedisCluster.RANDOM} if settings.redis_cluster else {}
        about = client.info(**node)
        version = str(about.get("redis_version", "0"))
        if tuple(map(int, version.split(".")[:2])) < OLDEST:
            raise Unfit(f"version {version} is too old; {OLDEST[0]}.{OLDEST[1]} is the oldest that will do.")
        if (policy := about.get("maxmemory_policy")) != "noeviction":
            raise Unfit(f"maxmemory-policy is {policy}: tasks would be thrown away. Set it to noeviction.")
        most, used = int(about.get("maxmemory", 0)), int(about.get("used_memory", 0))
        if most and used > _FULL * most:
            raise Unfit(
                f"{used / 2**20:.0f} of {most / 2**20:.0f} MiB (maxmemory) are used: tasks will be refused soon."
            )
        kept = "" if about.get("aof_enabled") else "; without appendonly, a crash of it loses tasks"
        return f"version {version}, noeviction{kept}"


def _data(settings: Config) -> str:
    folder = settings.data
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(b"written")
        file.flush()
        if Path(file.name).read_bytes() != b"written":
            raise Unfit(f"{folder} does not give back what was written to it.")
    return str(folder.resolve())


def _blobs(settings: Config) -> str:
    async def write_and_read() -> bytes:
        blobs, name = Blobs(settings.blob_url), f"scratch/doctor-{uuid4()}"
        await blobs.put(name, b"written")
        found = b"".join([chunk async for chunk in blobs.read(name)])
        await blobs.delete(name)
        return found

    if asyncio.run(write_and_read()) != b"written":
        raise Unfit(f"{settings.blob_url} does not give back what was written to it.")
    return settings.blob_url


def _disk(settings: Config) -> str:
    free = Blobs(settings.blob_url, min_free=settings.min_free_disk).free()
    if free is None:
        return "the blob store does not say"
    if free <= 0:
        raise Unfit("less than TASKARRAY_MIN_FREE_DISK is free where the images lie: uploads are refused.")
    return f"{free / 2**30:.1f} GiB before uploads are refused"


def _libraries(settings: Config) -> str:
    vips = ".".join(str(pyvips.version(place)) for place in range(3))
    return f"libvips {vips}, Pillow {PIL.__version__}"


def _models(settings: Config) -> str:
    """What is installed, and whether it can be weights at all; `taskarray models verify` loads it."""
    models = Models(settings.models, settings.models_folder, settings.missing)
    installed = [(entry.air, path) for entry in models.entries if (path := models.path(entry))]
    broken = [f"{air} ({path}) {wrong}" for air, path in installed if (wrong := _wrong_with(path))]
    if broken:
        raise Unfit("; ".join(broken) + ". Put the file there again.")
    total = sum(1 for entry in models.entries if entry.file)
    return f"{len(installed)} of {total} in the table are installed in {models.folder}"


def _wrong_with(path: Path) -> str:
    """What is wrong with weights, at a glance; empty where nothing is."""
    if path.is_dir():
        return "" if any(path.iterdir()) else "is an empty folder"
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        return "is empty"
    if head.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS in the place of the file"
    return "is a web page in the place of the file" if head.lstrip()[:1] == b"<" else ""
