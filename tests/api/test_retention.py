"""How long images live: a full term from each use, then first the record goes, then the bytes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from PIL import Image
from redis import Redis

from server.config import Config
from server.sweeper import Sweeper
from tests.client import Client, new_task, request
from tests.harness import Installation, wait_for
from tests.pictures.files import encoded
from tests.tasks.context import data_uri

DOT = data_uri(encoded(Image.new("L", (1, 1)), "PNG"))
TERM = 30 * 86400


class Registry:
    """What lies in Redis and in the folder of blobs, seen without using it."""

    def __init__(self, installation: Installation) -> None:
        settings = installation.environment
        self.redis = Redis.from_url(settings["REDIS_URL"], decode_responses=True)
        self.base = f"{settings['TASKARRAY_PREFIX']}:{{s0}}"
        self.folder = Path(settings["TASKARRAY_DATA"], "images")

    def key(self, item: dict[str, Any]) -> str:
        tenant, name = urlsplit(item["imageURL"]).path.split("/")[2:]
        return f"{self.base}:image:{tenant}:{name.partition('.')[0]}"

    def left(self, item: dict[str, Any]) -> int:
        """Seconds until the record goes; negative when there is none."""
        return self.redis.ttl(self.key(item))

    def blobs(self, item: dict[str, Any]) -> list[Path]:
        return list((self.folder / "images").rglob(f"{item['imageUUID']}.*"))

    def due(self, item: dict[str, Any]) -> float:
        """Seconds until the sweeper looks after the blob."""
        (blob,) = self.blobs(item)
        return self.redis.zscore(f"{self.base}:expiry", str(blob.relative_to(self.folder))) - time.time()

    def age(self, item: dict[str, Any]) -> None:
        """Let all but a minute of an image's life pass."""
        (blob,) = self.blobs(item)
        self.redis.expire(self.key(item), 60)
        self.redis.zadd(f"{self.base}:expiry", {str(blob.relative_to(self.folder)): time.time() + 60})

    def everything(self) -> set[str]:
        """All records and all files."""
        files = {str(path) for path in self.folder.rglob("*") if path.is_file()}
        return files | set(self.redis.scan_iter(f"{self.base}:image:*"))


@pytest.fixture
def registry(installation: Installation) -> Iterator[Registry]:
    found = Registry(installation)
    yield found
    found.redis.close()


@pytest.fixture
async def item(client: Client) -> dict[str, Any]:
    """An uploaded image."""
    return await client.run("imageUpload", image=DOT)


@pytest.fixture(scope="module")
def brief(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation whose images live for three seconds."""
    settings = {"TASKARRAY_PREFIX": "brief", "TASKARRAY_IMAGE_TTL": "3s"}
    found = Installation(tmp_path_factory.mktemp("brief"), redis_url, **settings)
    found.start_all(workers=1)
    yield found
    found.stop()


USES: dict[str, Callable[[Client, dict[str, Any]], Any]] = {
    "input by its UUID": lambda client, item: client.run("imageUpload", image=item["imageUUID"].upper()),
    "input by its URL": lambda client, item: client.run("imageUpload", image=item["imageURL"]),
    "input of another task": lambda client, item: client.fail("regrets", image=item["imageUUID"], how="refuse"),
    "download": lambda _, item: request("GET", item["imageURL"]),
    "download of a part": lambda _, item: request("GET", item["imageURL"], range="bytes=0-9"),
    "look at its headers": lambda _, item: request("HEAD", item["imageURL"]),
    "look whether it changed": lambda _, item: request("GET", item["imageURL"], if_none_match="*"),
}


@pytest.mark.parametrize("use", USES)
async def test_thirty_days(client: Client, registry: Registry, item: dict[str, Any], use: str) -> None:
    """An image is kept for 30 days from its upload, and for 30 days more from each use."""
    for _ in range(2):
        assert TERM - 30 < registry.left(item) <= TERM
        assert TERM - 30 < registry.due(item) <= TERM + 1
        registry.age(item)
        await USES[use](client, item)
    assert registry.left(item) > TERM - 30


async def test_no_use(client: Client, other: Client, registry: Registry, item: dict[str, Any]) -> None:
    """Asking for the task again, or somebody else's attempt, is no use of its image."""
    registry.age(item)
    await client.ask(new_task("getResponse", taskUUID=item["taskUUID"]))
    await client.ask(new_task("getTaskDetails", taskUUID=item["taskUUID"]))
    await other.fail("imageUpload", image=item["imageUUID"])
    await other.fail("mediaStorage", operation="delete", media=item["imageUUID"])
    await request("GET", item["imageURL"].replace("/im/", "/im/0"))
    assert registry.left(item) <= 60


async def in_use(client: Client, registry: Registry, used: dict[str, dict[str, Any]], idle: dict[str, Any]) -> float:
    """Use images until one that is not used has been gone for a second; the longest that one of them waited."""
    longest, before, end = 0.0, time.monotonic(), 0.0
    while not end or time.monotonic() < end:
        for use, item in used.items():
            await USES[use](client, item)
        longest, before = max(longest, time.monotonic() - before), time.monotonic()
        if not end and registry.left(idle) < 0:
            end = time.monotonic() + 1
        await asyncio.sleep(0.1)
    return longest


async def test_sliding(brief: Installation) -> None:
    """As long as an image is used it lives; without a use its life ends, at its URL and as an input."""
    registry = Registry(brief)
    async with brief.client() as client:
        for _ in range(5):
            images = [await client.run("imageUpload", image=DOT) for _ in range(4)]
            used = dict(zip(("input by its UUID", "download", "look whether it changed"), images, strict=False))
            if await in_use(client, registry, used, images[-1]) < 2:  # else this machine was too slow to tell
                break
        for item in images[:-1]:
            assert (await request("GET", item["imageURL"])).status == 200
        answer = await request("GET", images[-1]["imageURL"])
        assert (answer.status, answer.json["error"]["code"]) == (404, "mediaNotFound")
        for image in (images[-1]["imageUUID"], images[-1]["imageURL"]):
            assert (await client.fail("imageUpload", image=image))["code"] == "mediaNotFound"
    registry.redis.close()


async def test_order(brief: Installation) -> None:
    """Of an image whose life has ended, or that was deleted, the record goes first and then the bytes."""
    registry = Registry(brief)
    async with brief.client() as client:
        expired, deleted = [await client.run("imageUpload", image=DOT) for _ in range(2)]
        await client.run("mediaStorage", operation="delete", media=deleted["imageUUID"])
    assert registry.left(deleted) < 0
    seen = set[tuple[bool, bool]]()
    async with asyncio.timeout(30):
        for item in (deleted, expired):
            while (found := (bool(registry.blobs(item)), registry.left(item) > -2)) != (False, False):
                seen.add(found)
                await asyncio.sleep(0.01)
    assert (False, True) not in seen
    assert (True, True) in seen
    registry.redis.close()


@pytest.mark.parametrize("use", ["download", "HEAD", "input"])
async def test_lost_bytes(client: Client, registry: Registry, item: dict[str, Any], use: str) -> None:
    """A record whose bytes are lost is no image any more, and the first use takes it away."""
    for blob in registry.blobs(item):
        blob.unlink()
    if use == "input":
        error = await client.fail("imageUpload", image=item["imageUUID"])
        assert (error["code"], error["parameter"]) == ("mediaNotFound", "image")
    else:
        assert (await request("GET" if use == "download" else use, item["imageURL"])).status == 404
    assert registry.left(item) == -2


async def test_lost_record(installation: Installation, registry: Registry, item: dict[str, Any]) -> None:
    """Bytes that no record knows are deleted, those of images stay, and so do files that are none of ours."""
    (kept,), uuid = registry.blobs(item), uuid4()
    lost = [kept.parent / f"{uuid}.{ending}" for ending in ("0123abcd", "0123abcd.part")]
    lost.append(kept.with_name(f"{item['imageUUID']}.late"))
    strange = [registry.folder / "images" / "note", kept.parent.parent / "note"]
    for path in (*lost, *strange):
        path.write_bytes(b"pixels")
    sweeper = Sweeper(Config.read(installation.environment))
    assert await sweeper.heal(grace=3600) == 0
    assert await sweeper.heal(grace=0) == len(lost)
    await sweeper.store.close()
    assert [path.exists() for path in (kept, *lost, *strange)] == [True] + [False] * len(lost) + [True, True]
    assert (await request("GET", item["imageURL"])).status == 200
    for path in strange:
        path.unlink()


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("raise", "internalServerError"), ("refuse", "invalidImage"), ("exit", "processingFailed"),
        ("lose the file", "uploadFailed"),
    ],
)  # fmt: skip
async def test_failed_task(client: Client, registry: Registry, item: dict[str, Any], how: str, code: str) -> None:
    """A task that fails registers no image, leaves no bytes of any kind behind, and deletes nothing."""
    before = registry.everything()
    for image in (item["imageUUID"], DOT):
        assert (await client.fail("regrets", image=image, how=how))["code"] == code
    wait_for(lambda: registry.everything() <= before, 5)
    assert (await request("GET", item["imageURL"])).status == 200
