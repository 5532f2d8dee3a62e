"""How a job's inputs are brought: which of them are slow, and what becomes of the others when one cannot be had."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from blake3 import blake3

from server.blobs import Blobs
from server.catalog import Catalog
from server.config import Config
from server.errors import MediaNotFound
from server.fetch import Fetcher
from server.images import Images
from server.inputs import Brought, Inputs, known, named, slow
from server.jobs import Job
from server.queue import Queue
from server.store import Store
from server.task import Task
from tasks.caption import caption
from tasks.image_inference import image_inference
from tests.outside import Website

UUID = str(uuid4())


def bringing(config: Config, store: Store, port: int = 80) -> Inputs:
    fetcher = Fetcher(config.fetch_allow, 10**6, ports=(port,))
    catalog = Catalog.discover(config.tasks)
    return Inputs(config, Queue(store), Images(store, 60), Blobs(config.blob_url), fetcher, catalog)


def job(**params: object) -> Job:
    return Job("t1", str(uuid4()), "caption", params, [str(uuid4())], "http://here")


@pytest.mark.parametrize(
    ("task", "params", "expected"),
    [
        (caption, {"inputImage": "http://there/1.png"}, True),
        (caption, {"inputImages": [UUID, "http://there/1.png"]}, True),
        (
            image_inference,
            {"positivePrompt": "cat", "controlNet": [{"model": "m", "guideImage": "http://there/1.png"}]},
            True,
        ),
        (image_inference, {"positivePrompt": "a poster of http://there", "seedImage": UUID}, False),
    ],
)
def test_slow(task: Task, params: dict[str, object], expected: bool):
    """A worker claims ahead while inputs come over the network, wherever they are named; a prompt is no input."""
    found = task.params.model_validate(params, by_alias=True, by_name=False)
    assert slow(named(found).values()) is expected


@pytest.mark.settings(FETCH_ALLOW="127.0.0.0/8")
async def test_one_that_cannot_be_had(config: Config, store: Store, tmp_path: Path):
    """When one input cannot be had, the others are not brought on: nothing is left of a task that has failed."""

    async def hang(_: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with Website({"/": hang}) as site:
        inputs = bringing(config, store, site.port)
        asked = job(inputImages=[site.url("/"), UUID])
        places = {site.url("/"): "inputImages[0]", UUID: "inputImages[1]"}
        before = asyncio.all_tasks()
        with pytest.raises(MediaNotFound) as refused:
            await inputs.bring(asked, places, lambda: tmp_path)
        assert refused.value.parameter == "inputImages[1]"
        left = [task.get_coro() for task in asyncio.all_tasks() - before]
        assert not [coroutine for coroutine in left if coroutine.__qualname__ == "Inputs._one"]
        await inputs.close()


async def test_sizes(tmp_path: Path):
    """What is known of an input stays known when its file is gone: an image may be deleted while a task is at it."""
    (file := tmp_path / "1.png").write_bytes(b"pixels")
    found = (await known({"it": Brought(file, "inputImage")}))["it"]
    file.unlink()
    assert (found.bytes, found.content) == (6, f"blake3:{blake3(b'pixels').hexdigest()}")
    assert (await known({"it": Brought(Path(__file__), "inputImage", content="blake3:1")}))["it"].bytes > 6
