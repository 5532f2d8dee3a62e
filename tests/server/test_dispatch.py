"""The one door: a task object in, a queued job or all its refusals out."""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from server.api.v1 import level
from server.blobs import Blobs
from server.catalog import Catalog
from server.config import Config
from server.dispatch import Accepted, Checked, Dispatch
from server.jobs import Job
from server.prepare import Caller, Prepared, Refused
from server.queue import Queue
from server.store import Store
from server.tenants import Tenants, tenant_named
from tests.client import new_task
from tests.server.jobs import DONE, claim

PIXELS = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(3000)).decode()
CALLER = Caller(tenant_named("ann"), "session", "http://here")


@pytest.fixture
async def dispatch(store: Store, config: Config) -> Dispatch:
    queue = Queue(store)
    await queue.prepare()
    blobs = Blobs(config.blob_url, min_free=config.min_free_disk)
    return Dispatch(Catalog.discover(config.tasks), queue, Tenants(store, config), blobs)


async def send(dispatch: Dispatch, sent: dict[str, Any], caller: Caller = CALLER) -> Accepted | Refused:
    prepared = dispatch.prepare(caller, level(sent))
    return await dispatch.submit(caller, prepared) if isinstance(prepared, Prepared) else prepared


async def refused(dispatch: Dispatch, sent: dict[str, Any]) -> dict[str, str]:
    """The refusals of an object: code by parameter."""
    found = await send(dispatch, sent)
    assert isinstance(found, Refused), found
    return {failure.get("parameter"): failure["code"] for failure in found.failures}


async def queued(dispatch: Dispatch) -> Job:
    return (await claim(dispatch.queue)).job


def staged(dispatch: Dispatch) -> list[str]:
    """The staged blobs that lie in the store."""
    return [path.name for path in (dispatch.blobs.root / "staged").rglob("*") if path.is_file()]


async def test_accepted(dispatch):
    """A right task is queued as our names have it, with the UUIDs of its results given out."""
    sent = new_task("nothing", includeCost=True, deliveryMethod="async") | {"taskUUID": str(uuid4()).upper()}
    found = await send(dispatch, sent)
    assert found == Accepted(found.request, sent["taskUUID"].lower(), "async")
    job = await queued(dispatch)
    assert (job.task_type, job.uuid, job.tenant, job.base_url) == (
        "nothing",
        sent["taskUUID"].lower(),
        CALLER.tenant.id,
        "http://here",
    )
    assert job.include_cost
    assert len(job.uuids) == 1


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"taskUUID": None}, {"taskUUID": "missingTaskUUID"}),
        ({"taskUUID": ""}, {"taskUUID": "missingTaskUUID"}),
        ({"taskUUID": "123"}, {"taskUUID": "invalidTaskUUID"}),
        ({"taskUUID": 7}, {"taskUUID": "invalidTaskUUID"}),
        ({"taskUUID": "123e4567-e89b-12d3-a456-426614174000"}, {"taskUUID": "invalidTaskUUID"}),
        ({"taskType": "unheardOf"}, {"taskType": "unsupportedTaskType"}),
        ({"taskType": None}, {"taskType": "unsupportedTaskType"}),
        ({"deliveryMethod": "later"}, {"deliveryMethod": "invalidDeliveryMethod"}),
        ({"includeCost": "yes"}, {"includeCost": "invalidIncludeCost"}),
        ({"webhookURL": "ftp://a.example"}, {"webhookURL": "invalidWebhookURL"}),
        ({"seconds": -1}, {"seconds": "invalidSeconds"}),
        ({"strict": True, "secondz": 1}, {"secondz": "unknownParameter"}),
        (
            {"taskUUID": "123", "deliveryMethod": "later", "seconds": "1"},
            {"taskUUID": "invalidTaskUUID", "deliveryMethod": "invalidDeliveryMethod", "seconds": "invalidSeconds"},
        ),
    ],
    ids=str,
)
async def test_refused(dispatch, change, wrong):
    """A wrong task is refused with everything that is wrong in it, and nothing is queued."""
    sent = new_task("sleeps", seconds=0) | change
    assert await refused(dispatch, sent) == wrong
    assert (await dispatch.queue.depth())[0] == 0


async def test_nested(dispatch):
    """A parameter that came in another place is refused under the name that the client wrote."""
    assert await refused(dispatch, new_task("sleeps", settings={"seconds": -1})) == {
        "settings.seconds": "invalidSeconds"
    }


async def test_inline_image(dispatch):
    """Bytes that come with a task lie in the store while it waits; in the queue there is only their name."""
    await send(dispatch, new_task("imageUpload", image=f"data:image/png;base64,{PIXELS}"))
    job = await queued(dispatch)
    assert job.params == {"image": f"staged:{job.staged[0]}"}
    assert dispatch.blobs.path(job.staged[0]).read_bytes() == base64.b64decode(PIXELS)
    known = await dispatch.queue.known(job.tenant, job.uuid)
    assert len(known.request["image"]) < 100, "pixels are not kept with the request"


async def test_broken_image(dispatch):
    """Bytes that do not decode are refused under their parameter, and nothing is stored."""
    assert await refused(dispatch, new_task("imageUpload", image="no such thing!")) == {"image": "invalidImage"}
    assert staged(dispatch) == []


async def test_same_again(dispatch):
    """The same task again is accepted, queued once, and its bytes are stored once."""
    sent = new_task("imageUpload", image=PIXELS)
    for _ in range(3):
        assert isinstance(await send(dispatch, sent), Accepted)
    assert (await dispatch.queue.depth())[0] == 1
    job = await queued(dispatch)
    assert staged(dispatch) == [job.staged[0].rpartition("/")[2]]


@pytest.mark.parametrize("change", [{"image": base64.b64encode(b"other").decode()}, {"includeCost": True}], ids=str)
async def test_conflict(dispatch, change):
    """Another task under a used taskUUID is a conflict, be it only by its pixels, and leaves no bytes behind."""
    sent = new_task("imageUpload", image=PIXELS)
    await send(dispatch, sent)
    assert await refused(dispatch, sent | change) == {"taskUUID": "conflictTaskUUID"}
    assert len(staged(dispatch)) == 1


async def test_same_differently_written(dispatch):
    """The order of members, nulls and the place of settings do not make it another task."""
    sent = new_task("sleeps", seconds=0, marker="")
    again = {
        "settings": {"marker": "", "seconds": 0},
        "model": None,
        **{name: sent[name] for name in ("taskUUID", "taskType")},
    }
    await send(dispatch, sent)
    assert isinstance(await send(dispatch, again), Accepted)
    assert (await dispatch.queue.depth())[0] == 1


async def test_at_once(dispatch):
    """Fifty copies of a task at the same moment are one task."""
    sent = new_task("imageUpload", image=PIXELS)
    found = await asyncio.gather(*(send(dispatch, sent) for _ in range(50)))
    assert all(isinstance(one, Accepted) for one in found)
    assert (await dispatch.queue.depth())[0] == 1
    assert len(staged(dispatch)) == 1


async def test_after_its_end(dispatch):
    """A finished task sent again does not run again."""
    sent = new_task("nothing")
    await send(dispatch, sent)
    await dispatch.queue.finish(await claim(dispatch.queue), DONE, 0.1)
    assert isinstance(await send(dispatch, sent), Accepted)
    assert (await dispatch.queue.depth())[0] == 0


@pytest.mark.settings(RATE_LIMIT="2/min")
async def test_rate(dispatch):
    """A task beyond the key's rate is refused with the time to wait."""
    assert isinstance(await send(dispatch, new_task("nothing")), Accepted)
    found = await send(dispatch, new_task("nothing"))
    assert found.failures[0]["code"] == "rateLimitExceeded"
    assert 0 < found.failures[0]["retryAfter"] <= 30


@pytest.mark.settings(RATE_LIMIT="2/min", MAX_QUEUED_PER_KEY="1")
async def test_only_checked(dispatch, redis, config):
    """A task that is only checked leaves nothing behind, neither in Redis nor on the disk, however full the queue is
    and however often it was sent."""
    await send(dispatch, new_task("nothing"))
    kept = await redis.keys(f"{config.prefix}*")
    for _ in range(3):
        prepared = dispatch.prepare(CALLER, level(new_task("imageUpload", image=PIXELS, validateOnly=True)))
        assert isinstance(prepared, Prepared)
        assert await dispatch.check(CALLER, prepared) == Checked(prepared.request, None)
    assert sorted(await redis.keys(f"{config.prefix}*")) == sorted(kept)
    assert staged(dispatch) == []
    assert (await dispatch.queue.depth())[0] == 1


@pytest.mark.settings(MIN_FREE_DISK="1000000GiB")
async def test_disk_full(dispatch):
    """On a nearly full disk tasks that bring bytes are refused; others go on."""
    found = await send(dispatch, new_task("imageUpload", image=PIXELS))
    assert found.failures[0]["code"] == "uploadFailed"
    assert found.failures[0]["retryable"]
    assert staged(dispatch) == []
    assert isinstance(await send(dispatch, new_task("imageUpload", image=str(uuid4()))), Accepted)


async def test_blobs_fail(dispatch):
    """When the bytes cannot be stored, nothing is queued, and the same task is taken once they can."""
    root, sent = dispatch.blobs.root, new_task("imageUpload", image=PIXELS)
    shutil.rmtree(root)
    root.write_text("a file")
    found = await send(dispatch, sent)
    assert found.failures[0]["code"] == "uploadFailed"
    assert (await dispatch.queue.depth())[0] == 0
    root.unlink()
    root.mkdir()
    assert isinstance(await send(dispatch, sent), Accepted)


async def test_redis_away(config, tmp_path):
    """Without Redis a task is refused as serviceUnavailable, which says that it may be sent again."""
    away = config.model_copy(update={"redis_url": f"unix://{tmp_path}/absent.sock"})
    store = Store(away)
    dispatch = Dispatch(Catalog.discover(away.tasks), Queue(store), Tenants(store, away), Blobs(away.blob_url))
    found = await send(dispatch, new_task("nothing"))
    await store.close()
    assert (found.failures[0]["code"], found.failures[0]["retryable"]) == ("serviceUnavailable", True)


@pytest.mark.parametrize("lost", ["reply", "nothing"])
async def test_lost_reply(dispatch, lost, monkeypatch):
    """When only the reply of the submit is lost, the bytes of the task stay where its job finds them."""
    if lost == "reply":
        monkeypatch.setattr(dispatch.queue, "submit", _twice(dispatch.queue.submit))
    await send(dispatch, new_task("imageUpload", image=PIXELS))
    job = await queued(dispatch)
    assert dispatch.blobs.path(job.staged[0]).exists()


def _twice(submit: Callable[..., Any]) -> Callable[..., Any]:
    """What the connection does when a reply does not come: it says the command again."""

    async def again(*arguments: Any, **options: Any) -> Any:
        await submit(*arguments, **options)
        return await submit(*arguments, **options)

    return again


@pytest.mark.settings(MAX_QUEUED="1")
async def test_full(dispatch):
    """Of a task that a full queue refuses, no bytes stay behind."""
    await send(dispatch, new_task("nothing"))
    found = await send(dispatch, new_task("imageUpload", image=PIXELS))
    assert found.failures[0]["code"] == "serviceUnavailable"
    assert staged(dispatch) == []
