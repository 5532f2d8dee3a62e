"""A blob store that fails, is full or is a bucket: a refusal with its reason, and nothing half registered."""

from __future__ import annotations

import json
import shutil
import urllib.request

import pytest

from server.tenants import tenant_named
from tests.client import new_task
from tests.faults.ledger import files, started
from tests.faults.test_redis import PNG
from tests.harness import Installation, wait_for
from tests.s3 import BUCKET, bucket


def registered(admin) -> list[str]:
    """Every key that an image leaves in the registry."""
    return [key.decode() for key in admin.keys("*:image:*") + admin.keys("*:expiry")]


async def test_folder_gone(server, admin):
    """When the folder of the blobs is no folder any more, uploads fail as such until it is one again."""
    server.start_all(workers=1, sweepers=0)
    folder = server.folder / "images"
    async with server.client() as client:
        shutil.rmtree(folder)
        folder.write_text("a file")
        error = await client.fail("imageUpload", image=PNG)
        assert (error["code"], "message" in error) == ("uploadFailed", True)
        assert registered(admin) == []
        folder.unlink()
        (folder / "scratch").mkdir(parents=True)
        assert (await client.run("imageUpload", image=PNG))["imageUUID"]


async def test_fails_in_the_end(server, admin, tmp_path):
    """When an image cannot be stored after its task has run, the task fails and leaves no image behind."""
    server.start_all(workers=1, sweepers=0)
    folder = server.folder / "images"
    async with server.client() as client:
        task = new_task("lingers", seconds=1, marker=str(tmp_path / "marker"))
        await client.send([task])
        await started(tmp_path / "marker")
        (folder / "images").write_text("a file")
        error = (await client.answer(task["taskUUID"]))["errors"][0]
        assert error["code"] == "uploadFailed"
        assert registered(admin) == []
        (folder / "images").unlink()
        assert files(folder) == [], "something was left in the folder"
        uuid = (await client.run("lingers", seconds=0))["imageUUID"]
    assert [key for key in registered(admin) if uuid in key]


@pytest.mark.settings(MIN_FREE_DISK="1000000GiB")
async def test_disk_nearly_full(server):
    """On a nearly full disk uploads are refused with the setting's name, other tasks go on, and readiness tells."""
    server.start("worker")
    server.start("gateway")
    async with server.client() as client:
        error = await client.fail("imageUpload", image=PNG)
        assert error["code"] == "uploadFailed"
        assert "TASKARRAY_MIN_FREE_DISK" in error["message"]
        assert (await client.run("nothing"))["text"] == "done"
        assert (await client.fail("lingers", seconds=0))["code"] == "uploadFailed"
    assert not server.get("/readyz")
    assert json.loads(server.get("/livez"))["status"] == "live"


async def test_bucket(redis, tmp_path):
    """With TASKARRAY_BLOBS=s3://… images are stored in the bucket, downloaded from it and swept out of it."""
    with bucket() as served:
        server = Installation(
            tmp_path / "own", redis.url, TASKARRAY_BLOBS=f"s3://{BUCKET}/images-of-mine", **served.environment
        )
        try:
            server.start_all(workers=1)
            async with server.client() as client:
                item = await client.run("imageUpload", image=PNG)
                wait_for(lambda: len(served.objects) == 1, 10)  # the bytes that came with the task go once it has ended
                (name,) = served.objects
                assert name.startswith(f"images-of-mine/images/{tenant_named('tester').id}/")
                with urllib.request.urlopen(item["imageURL"], timeout=5) as answer:
                    assert answer.read() == served.objects[name][0]
                again = await client.run("mediaStorage", media=item["imageUUID"], operation="upload")
                wait_for(lambda: len(served.objects) == 2, 10)
                served.failing = True
                assert (await client.fail("imageUpload", image=PNG))["code"] == "uploadFailed"
                served.failing = False
                for uuid in (item["imageUUID"], again["mediaUUID"]):
                    await client.run("mediaStorage", media=uuid, operation="delete")
            wait_for(lambda: not served.objects, 10)
        finally:
            server.stop()
