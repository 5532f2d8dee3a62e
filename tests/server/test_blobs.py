"""The blob store: the same over a folder, named by its path or as a URL, and over a bucket."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.blobs import BlobMissing, Blobs, image_blob, staged_blob
from server.errors import UploadFailed
from tests.s3 import BUCKET, Bucket, bucket

UUID = "123e4567-e89b-42d3-a456-426614174000"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with bucket() as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found


@pytest.fixture(params=["folder", "file", "s3", "s3-prefix"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path, served: Bucket) -> Blobs:
    urls = {
        "folder": str(tmp_path / "images"),
        "file": f"file://{tmp_path}/images",
        "s3": f"s3://{BUCKET}",
        "s3-prefix": f"s3://{BUCKET}/below/here",
    }
    return Blobs(urls[request.param])


async def read(blobs: Blobs, name: str, *span: int) -> bytes:
    return b"".join([chunk async for chunk in blobs.read(name, *span)])


async def listed(blobs: Blobs, prefix: str, before: float) -> list[str]:
    return sorted([name async for name in blobs.listed(prefix, before)])


async def test_put(blobs):
    """What is put under a name is read from it, whole or in part."""
    name, data = image_blob("t1", UUID), os.urandom(600_000)
    await blobs.put(name, data)
    assert await read(blobs, name) == data
    assert await read(blobs, name, 10, 20) == data[10:20]
    assert await read(blobs, name, 599_990) == data[599_990:]
    assert await read(blobs, name, 0, 1) == data[:1]


async def test_empty(blobs):
    """A blob may be empty."""
    await blobs.put("images/t1/12/x", b"")
    assert await read(blobs, "images/t1/12/x") == b""


async def test_adopt(blobs, tmp_path):
    """A finished file becomes a blob and stays where it is; the blob is as it was though the file changes hands."""
    file = (blobs.scratch or tmp_path) / "made.png"
    file.write_bytes(b"pixels")
    name = image_blob("t1", UUID)
    await blobs.adopt(file, name)
    assert file.read_bytes() == b"pixels"
    file.unlink()
    assert await read(blobs, name) == b"pixels"


async def test_copy(blobs):
    """What one blob holds is stored under another name as well, and stays there when the first is deleted."""
    first, second = image_blob("t1", UUID), image_blob("t2", UUID)
    await blobs.put(first, b"pixels")
    await blobs.copy(first, second)
    await blobs.delete(first)
    assert await read(blobs, second) == b"pixels"
    with pytest.raises(BlobMissing):
        await blobs.copy(first, image_blob("t1", UUID))


async def test_local(blobs, tmp_path):
    """A blob is to be had as a file."""
    name = staged_blob("t1")
    await blobs.put(name, b"pixels")
    assert (await blobs.local(name, lambda: tmp_path / "copy")).read_bytes() == b"pixels"


async def test_missing(blobs, tmp_path):
    """A blob that is not there is said to be missing, whichever way it is asked for; it can be deleted."""
    with pytest.raises(BlobMissing):
        await read(blobs, "images/t1/12/absent")
    with pytest.raises(BlobMissing):
        await blobs.local("images/t1/12/absent", lambda: tmp_path / "copy")
    await blobs.delete("images/t1/12/absent")
    await blobs.delete()


async def test_delete(blobs):
    """Deleted blobs are gone, others are not."""
    names = [image_blob("t1", UUID) for _ in range(3)]
    for name in names:
        await blobs.put(name, b"pixels")
    await blobs.delete(*names[:2], "images/t1/12/absent")
    with pytest.raises(BlobMissing):
        await read(blobs, names[0])
    assert await read(blobs, names[2]) == b"pixels"


async def test_listed(blobs):
    """Names are listed under a prefix, those last written before a time."""
    names = [image_blob("t1", UUID), image_blob("t2", UUID)]
    for name in (*names, staged_blob("t1")):
        await blobs.put(name, b"pixels")
    assert await listed(blobs, "images", time.time() + 10) == sorted(names)
    assert await listed(blobs, "images/t1", time.time() + 10) == [names[0]]
    assert await listed(blobs, "images", time.time() - 10) == []
    assert await listed(blobs, "nothing", time.time() + 10) == []


def test_names():
    """Names never repeat, even for one image, and tell whose they are."""
    names = {image_blob("t1", UUID) for _ in range(100)}
    assert len(names) == 100
    assert all(name.startswith(f"images/t1/12/{UUID}.") for name in names)
    assert staged_blob("t1").startswith("staged/t1/")


async def test_half_written(tmp_path):
    """In a folder a blob is there whole or not at all: what a broken writer leaves is no blob."""
    blobs = Blobs(str(tmp_path))
    await blobs.put("staged/t1/x", b"pixels")
    assert [path.name for path in (tmp_path / "staged/t1").iterdir()] == ["x"]


async def test_other_disk(tmp_path, monkeypatch):
    """A file that cannot be linked is copied."""

    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    blobs = Blobs(str(tmp_path / "images"))
    (tmp_path / "made").write_bytes(b"pixels")
    await blobs.adopt(tmp_path / "made", "images/t1/12/x")
    assert await read(blobs, "images/t1/12/x") == b"pixels"


async def test_nearly_full(tmp_path):
    """With less than TASKARRAY_MIN_FREE_DISK free, uploads fail with the setting's name and nothing is written."""
    blobs = Blobs(str(tmp_path / "images"), min_free=2**60)
    (tmp_path / "made").write_bytes(b"pixels")
    assert blobs.free() < 0
    with pytest.raises(UploadFailed, match="TASKARRAY_MIN_FREE_DISK"):
        await blobs.put("staged/t1/x", b"pixels")
    with pytest.raises(UploadFailed, match="TASKARRAY_MIN_FREE_DISK"):
        await blobs.adopt(tmp_path / "made", "images/t1/12/x")
    assert await listed(blobs, "", time.time() + 10) == []


@pytest.mark.parametrize("broken", [pytest.param(lambda root: root.write_text("a file"), id="a file"), None])
async def test_folder_gone(tmp_path, broken: Callable[[Path], None] | None):
    """When the folder is gone or no folder any more, writing fails as uploadFailed."""
    root = tmp_path / "images"
    blobs = Blobs(str(root))
    shutil.rmtree(root)
    (tmp_path / "made").write_bytes(b"pixels")
    if broken:
        broken(root)
    with pytest.raises(UploadFailed):
        await blobs.put("staged/t1/x", b"pixels")
    with pytest.raises(UploadFailed):
        await blobs.adopt(tmp_path / "made", "images/t1/12/x")


async def test_bucket_fails(served, tmp_path):
    """When the bucket refuses, writing fails as uploadFailed, which may be tried again."""
    blobs = Blobs(f"s3://{BUCKET}")
    served.failing = True
    (tmp_path / "made").write_bytes(b"pixels")
    with pytest.raises(UploadFailed) as put:
        await blobs.put("staged/t1/x", b"pixels")
    with pytest.raises(UploadFailed):
        await blobs.adopt(tmp_path / "made", "images/t1/12/x")
    assert put.value.retryable
    assert blobs.free() is None
    served.failing = False
    await blobs.put("staged/t1/x", b"pixels")
    assert list(served.objects) == ["staged/t1/x"]
