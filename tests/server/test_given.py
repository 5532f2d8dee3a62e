"""An earlier result given to another task, of another key as well: what changes in it, and what does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from server.blobs import Blobs
from server.config import Config
from server.images import Images
from server.inputs import Brought
from server.queue import Queue
from server.reuse import Reuse
from server.store import Store
from tests.server.jobs import TENANT, new_job, uploaded


@pytest.fixture
async def blobs(config: Config) -> Blobs:
    return Blobs(config.blob_url)


async def kept(queue: Queue, blobs: Blobs) -> dict[str, Any]:
    """The outcome of a task of TENANT that made one image of another one."""
    made, taken = await uploaded(queue), await uploaded(queue)
    for image in (made, taken):
        await blobs.put(image["blob"], image["uuid"].encode())
    url = f"http://there/im/{TENANT}/{made['uuid']}.png"
    item = {
        "imageUUID": made["uuid"],
        "imageURL": url,
        "inputImageUUID": taken["uuid"],
        "model": "m",
        "boxes": [{"x": 1}],
    }
    inline = [("imageDataURI", made["blob"], "data:image/png;base64,")]
    return {"items": [item | {"inline": inline}], "images": [made["uuid"]], "inputs": {"inputImage": taken["uuid"]}}


@pytest.mark.parametrize("own", [None, str(uuid4())])
async def test_given(queue: Queue, store: Store, config: Config, blobs: Blobs, own: str | None):
    """UUIDs, URLs and blobs become the other task's own; an input that it has as a stored image is named by that."""
    earlier, job = await kept(queue, blobs), replace(new_job("t2"), base_url="https://here")
    reuse = Reuse(Images(store, config.image_ttl), blobs)
    given = await reuse.given(TENANT, earlier, job, {"inputImage": Brought(Path("x"), "inputImage", own)})
    assert given
    (item,), image = given.items, given.images[0]
    assert item["imageUUID"] == image["uuid"] == job.uuids[0]
    assert item["imageURL"] == f"https://here/im/t2/{job.uuids[0]}.png"
    assert item["inline"] == [("imageDataURI", image["blob"], "data:image/png;base64,")]
    assert (item["model"], item["boxes"]) == ("m", [{"x": 1}])
    assert item["inputImageUUID"] == (own or given.images[1]["uuid"])
    assert len(given.images) == (1 if own else 2)
    assert image["blob"].startswith("images/t2/")
    assert b"".join([chunk async for chunk in blobs.read(image["blob"])]).decode() == earlier["images"][0]


async def test_nothing_left(queue: Queue, store: Store, config: Config, blobs: Blobs):
    """Where the bytes of one image are gone, nothing is given, and no copy is left of the others."""
    earlier = await kept(queue, blobs)
    reuse = Reuse(images := Images(store, config.image_ttl), blobs)
    taken = await images.use(TENANT, earlier["inputs"]["inputImage"])
    assert taken
    await blobs.delete(taken.blob)
    before = [blob async for blob in blobs.listed("images", 2**33)]
    assert await reuse.given(TENANT, earlier, new_job(), {"inputImage": Brought(Path("x"), "inputImage")}) is None
    assert [blob async for blob in blobs.listed("images", 2**33)] == before
