"""The image registry: who may use an image, and how long it lives."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from uuid import uuid4

import pytest

from server.images import Image, Images
from server.jobs import Outcome
from server.queue import Queue
from server.store import Store
from tests.server.jobs import TENANT, claimed, new_image, new_job, submit, uploaded


@pytest.fixture
async def images(store: Store) -> Images:
    return Images(store, store.config.image_ttl)


async def due(images: Images) -> list[str]:
    return [blob async for _, blob in images.due()]


async def until_due(images: Images, *blobs: str) -> None:
    async with asyncio.timeout(10):
        while sorted(await due(images)) != sorted(blobs):
            await asyncio.sleep(0.05)


async def test_registered(queue, images):
    """A finished task's image has the record that was given, by its UUID in either case."""
    kept = await uploaded(queue)
    found = await images.use(TENANT, kept["uuid"].upper())
    assert replace(found, created=kept["created"]) == Image(**kept)
    assert found.created == pytest.approx(kept["created"], abs=0.01)
    assert await images.holds(kept["blob"])
    assert await due(images) == []


async def test_foreign(queue, images):
    """Another tenant's image does not exist: it can be neither used nor forgotten."""
    kept = await uploaded(queue)
    assert await images.use("t2", kept["uuid"]) is None
    assert not await images.forget("t2", kept["uuid"])
    assert await images.use(TENANT, str(uuid4())) is None
    assert await images.use(TENANT, kept["uuid"])


@pytest.mark.settings(IMAGE_TTL="30d")
async def test_thirty_days(queue, images, store, redis):
    """An image lives for TASKARRAY_IMAGE_TTL, and its blob is due for removal just then."""
    kept = await uploaded(queue)
    base = store.bases[0]
    assert await redis.ttl(f"{base}:image:{TENANT}:{kept['uuid']}") == pytest.approx(30 * 86400, abs=2)
    assert await redis.zscore(f"{base}:expiry", kept["blob"]) == pytest.approx(time.time() + 30 * 86400, abs=3)


@pytest.mark.settings(IMAGE_TTL="2s")
async def test_sliding(queue, images):
    """Every use of an image starts its life again; without one it ends, and only then its blob is due."""
    used, idle = await uploaded(queue), await uploaded(queue)
    began = time.monotonic()
    while time.monotonic() - began < 3:
        assert await images.use(TENANT, used["uuid"])
        assert used["blob"] not in await due(images)
        await asyncio.sleep(0.1)
    assert await images.use(TENANT, idle["uuid"]) is None
    await until_due(images, idle["blob"])
    await until_due(images, idle["blob"], used["blob"])
    assert await images.use(TENANT, used["uuid"]) is None


async def test_used_again(queue, images, store, redis):
    """A blob whose term seems over while its image lives is given the image's own term, not removed."""
    kept = await uploaded(queue)
    expiry = f"{store.bases[0]}:expiry"
    await redis.zadd(expiry, {kept["blob"]: 1})
    assert await due(images) == []
    assert await redis.zscore(expiry, kept["blob"]) > time.time()


async def test_forgotten(queue, images):
    """A forgotten image is gone at once, and its blob is due until it was removed."""
    kept = await uploaded(queue)
    assert await images.forget(TENANT, kept["uuid"])
    assert not await images.forget(TENANT, kept["uuid"])
    assert await images.use(TENANT, kept["uuid"]) is None
    assert not await images.holds(kept["blob"])
    ((base, blob),) = [found async for found in images.due()]
    assert blob == kept["blob"]
    await images.gone(base, blob)
    assert await due(images) == []


async def test_forgotten_by_task(queue, images):
    """A task that deletes an image does so when it ends, and not before."""
    kept = await uploaded(queue)
    owned = await claimed(queue)
    assert await images.holds(kept["blob"])
    await queue.finish(owned, Outcome(items=[{}], forget=[kept["uuid"]]), 0.1)
    assert not await images.holds(kept["blob"])
    assert await due(images) == [kept["blob"]]


async def test_refused(queue, images, store, redis):
    """A refused late answer registers no image and leaves no blob to be removed."""
    owned = await claimed(queue)
    await queue.release(owned)
    await queue.stale(store.bases[0], "w2")
    late = new_image()
    assert not await queue.finish(owned, Outcome(items=[{}], images=[late]), 0.1)
    assert not await images.holds(late["blob"])
    assert await redis.zscore(f"{store.bases[0]}:expiry", late["blob"]) is None


async def test_other_blob(queue, images):
    """A blob that an image does not have is not held, though its name names the image."""
    kept = await uploaded(queue)
    assert not await images.holds(new_image(kept["uuid"])["blob"])


@pytest.mark.settings(SHARDS="4")
async def test_shards(queue, images):
    """Images of tenants of all shards are found due."""
    owned = [await uploaded_in(queue, f"t{number}") for number in range(8)]
    for kept in owned:
        assert await images.forget(kept["blob"].split("/")[1], kept["uuid"])
    assert sorted(await due(images)) == sorted(kept["blob"] for kept in owned)


async def uploaded_in(queue: Queue, tenant: str) -> dict:
    kept = new_image(tenant=tenant)
    await submit(queue, new_job(tenant))
    found = await queue.take(queue.store.home(tenant), "w1")
    assert await queue.finish(found, Outcome(items=[{}], images=[kept]), 0.1)
    return kept


async def test_by_content(queue, images):
    """Of several images with the same content the first is found; a later one where that ends before it, or is gone
    when the later one is used."""
    kept = [new_image() | {"hashes": ["blake3:1"]} | more for more in ({"ttl": 60}, {"ttl": 90}, {}, {})]
    found = list[str]()
    for image in kept:
        await queue.finish(await claimed(queue), Outcome(items=[{}], images=[image]), 0.1)
        found.append(await images.containing(TENANT, "blake3:1"))
    assert found == [kept[place]["uuid"] for place in (0, 1, 2, 2)]
    await images.forget(TENANT, kept[2]["uuid"])
    await images.use(TENANT, kept[3]["uuid"])
    assert await images.containing(TENANT, "blake3:1") == kept[3]["uuid"]
