"""A claim carried to its end, whatever stands in its way."""

from __future__ import annotations

from server.blobs import Blobs
from server.catalog import Catalog
from server.config import Config
from server.doing import Doing
from server.fetch import Fetcher
from server.handling import Handling
from server.images import Images
from server.inputs import Inputs
from server.queue import Queue
from server.runner import Runner
from server.webhooks import Webhooks
from tests.server.jobs import TENANT, claim, new_job, submit


async def test_unknown_type(queue: Queue, config: Config):
    """A task of a type that the worker does not have ends, and its receiver is told."""
    blobs, catalog = Blobs(config.blob_url), Catalog.discover([])
    inputs = Inputs(config, queue, Images(queue.store, 60), blobs, Fetcher((), 10**6, 1), catalog)
    handling = Handling(config, queue, blobs, catalog, Doing(config, queue, blobs, catalog, inputs, Runner(config)))
    await submit(queue, job := new_job(webhook="http://there/"))
    await handling.handle(await claim(queue), lambda _: None)
    known = await queue.known(TENANT, job.uuid)
    assert known and known.outcome and known.outcome["failure"]["code"] == "unsupportedTaskType"
    assert len(await Webhooks(queue.store).collect(queue.store.bases[0], 9, 9, {})) == 1
    await inputs.close()
