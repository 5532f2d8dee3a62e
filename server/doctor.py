"""`taskarray doctor`: is this machine fit to serve? Each part is looked at on its own, and at last all together."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import orjson
import PIL
import pyvips
from redis import Redis, RedisCluster
from redis.exceptions import RedisError

from server.blobs import Blobs
from server.config import PREFIX, Config
from server.embedded import OLDEST, EmbeddedError, find_binary
from server.errors import ApiError
from server.lifeline import reap
from server.serve import PIXEL

_START_SECONDS = 60
_ANSWER_SECONDS = 30


class Unfit(Exception):
    """What is wrong, and what to do about it."""


def examine(settings: Config) -> Iterator[tuple[str, str, str]]:
    """Every part as (part, problem, what was found); the problem of a good one is empty."""
    parts: dict[str, Callable[[Config], str]] = {
        "Python": _python,
        "Redis": _redis if settings.redis_url else _binary,
        "data folder": _data,
        "blob store": _blobs,
        "free disk": _disk,
        "image libraries": _libraries,
        "one upload": _upload,
    }
    for part, look in parts.items():
        try:
            yield part, "", look(settings)
        except (Unfit, ApiError, EmbeddedError, RedisError, OSError) as failure:
            yield part, str(failure) or type(failure).__name__, ""


def _python(settings: Config) -> str:
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


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


def _upload(settings: Config) -> str:
    """A picture on its way through a server of its own, which is gone afterwards."""
    key = secrets.token_hex()
    with tempfile.TemporaryDirectory(prefix="taskarray-doctor-") as folder:
        own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)} | {
            "REDIS_URL": "",
            "PORT": "0",
            "TASKARRAY_DATA": folder,
            "TASKARRAY_WORKERS": "1",
            "TASKARRAY_API_KEYS": f"doctor:{key}",
            "TASKARRAY_MIN_FREE_DISK": "0",
            "TASKARRAY_TASKS": ",".join(settings.tasks),
        }
        told = Path(folder, "told")
        with told.open("wb") as file:
            server = subprocess.Popen(
                [sys.executable, "-P", "-m", "server", "serve"], env=own, stdout=file, stderr=file
            )
        try:
            return _sent(_address(server, told), key)
        finally:
            reap(server)


def _address(server: subprocess.Popen[bytes], told: Path) -> str:
    """Where the server listens, once it says that it is ready; a part that ends again and again never will be."""
    end, text = time.monotonic() + _START_SECONDS, ""
    while time.monotonic() < end and server.poll() is None and text.count("process_ended") < 3:
        text = told.read_text(errors="replace")
        if found := re.search(r"ready at http://(\S+)", text):
            return found[1]
        time.sleep(0.05)
    raise Unfit("a server of its own did not start:\n" + "\n".join(text.splitlines()[-20:]))


def _sent(address: str, key: str) -> str:
    task = {"taskType": "imageUpload", "taskUUID": str(uuid4()), "image": PIXEL}
    began = time.monotonic()
    with closing(HTTPConnection(address, timeout=_ANSWER_SECONDS)) as connection:
        connection.request("POST", "/v1", orjson.dumps([task]), {"authorization": f"Bearer {key}"})
        body = orjson.loads(connection.getresponse().read())
        if "data" not in body:
            raise Unfit(f"the upload failed: {body}")
        connection.request("GET", urlsplit(body["data"][0]["imageURL"]).path)
        answer = connection.getresponse()
        size = len(answer.read())
    if answer.status != 200 or not size:
        raise Unfit(f"the image that was uploaded could not be downloaded: status {answer.status}.")
    return f"stored and downloaded in {time.monotonic() - began:.2f} s"
