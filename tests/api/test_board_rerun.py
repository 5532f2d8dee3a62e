"""The same work again, asked for at the live board."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from PIL import Image

from server.tenants import tenant_named
from tests.client import Client, request
from tests.harness import KEY, Installation
from tests.pictures.files import encoded
from tests.watching import Feed, ask, code

TESTER = tenant_named("tester").id
ABSENT = "5b0c1e1e-0000-4000-8000-000000000000"
PICTURE = base64.b64encode(encoded(Image.effect_noise((64, 64), 50), "PNG")).decode()


async def again(where: Installation, uuid: str, tenant: str = TESTER) -> Any:
    return await ask(where.url, f"tasks/{tenant}/{uuid}/rerun", "POST")


async def test_rerun(installation: Installation, client: Client, tmp_path: Path) -> None:
    """The same work is done again under a new taskUUID of the same key, which nobody waits for, and without what was
    said of its time."""
    marker = tmp_path / "marker"
    done = await client.run("sleeps", seconds=0.1, marker=str(marker), startWithinMs=60_000, cache="off")
    async with Feed(installation.url) as feed:
        answer = await again(installation, done["taskUUID"])
        fresh = answer.json["data"][0]
        assert (answer.status, fresh["of"]) == (200, done["taskUUID"])
        ended = await feed.ended(fresh["taskUUID"])
    assert (ended["state"], ended["tenant"]["id"]) == ("succeeded", TESTER)
    assert marker.read_text() == "started\nstarted\n"
    assert (await client.run("getResponse", taskUUID=fresh["taskUUID"]))["text"] == done["text"]
    await client.quiet(0.2)


async def test_rerun_not_from_cache(installation: Installation, client: Client) -> None:
    """It is done, whatever earlier result there is."""
    uuid = (await client.run("imageUpload", image=PICTURE))["imageUUID"]
    work = {"inputImage": uuid, "operations": [{"operation": "blur", "sigma": 1.5}]}
    await client.run("imageTransform", **work)
    cached = await client.run("imageTransform", **work)
    async with Feed(installation.url) as feed:
        assert (await feed.ended(cached["taskUUID"]))["cached"] is True
        fresh = (await again(installation, cached["taskUUID"])).json["data"][0]["taskUUID"]
        assert (await feed.ended(fresh))["cached"] is False


async def test_rerun_prediction(installation: Installation) -> None:
    """So is the work of a prediction."""
    bearer = {"authorization": f"Bearer {KEY}"}
    url = f"{installation.url}/api/v3/taskarray/sleeps"
    answer = await request("POST", url, {"seconds": 0.1, "enable_sync_mode": True}, **bearer)
    async with Feed(installation.url) as feed:
        fresh = (await again(installation, answer.json["data"]["id"])).json["data"][0]["taskUUID"]
        assert (await feed.ended(fresh))["state"] == "succeeded"


async def test_rerun_impossible(installation: Installation, client: Client) -> None:
    """What came as bytes is no longer there: this is said, and nothing is done. Nor is a task that is not known."""
    upload = await client.run("imageUpload", image=PICTURE)
    refused = await again(installation, upload["taskUUID"])
    assert (refused.status, code(refused)) == (404, "taskExpired")
    large = await client.run("nothing", padding=["a few words"] * 30_000)
    refused = await again(installation, large["taskUUID"])
    assert (refused.status, code(refused)) == (404, "taskExpired")
    absent = await again(installation, ABSENT)
    assert (absent.status, code(absent)) == (404, "taskNotFound")
    strange = await again(installation, upload["taskUUID"], "no-such-tenant")
    assert (strange.status, code(strange)) == (404, "taskNotFound")
