"""What is kept of uploads that come in parts, and what a socket is told of them."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from blake3 import blake3
from redis.asyncio import Redis

from server.api import arrivals
from server.api.arrivals import Arrivals
from server.api.binary import announcement
from server.api.v1 import level
from server.blobs import BlobMissing, Blobs
from server.config import Config
from server.errors import ApiError, ConflictTaskUUID, RateLimitExceeded
from server.gateway import Gateway
from server.prepare import Caller, Prepared, Refused, refuse
from server.store import Store
from server.tenants import tenant_named
from server.uploads import Upload, Uploads
from tests.client import new_task
from tests.s3 import BUCKET, bucket

TENANT = tenant_named("ann")
FILE = bytes(range(256)) * 20
HASH = blake3(FILE).hexdigest()


@pytest.fixture(params=["folder", "bucket"])
def uploads(store: Store, config: Config, monkeypatch: pytest.MonkeyPatch, request: Any) -> Any:
    """Uploads over a folder, and over a bucket."""
    if request.param == "folder":
        yield Uploads(store, Blobs(config.blob_url))
        return
    with bucket() as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield Uploads(store, Blobs(f"s3://{BUCKET}"))


async def begun(uploads: Uploads, frames: int = 2, size: int = len(FILE), uuid: str = "") -> Upload:
    return await uploads.open(TENANT.id, uuid or str(uuid4()), frames=frames, size=size)


async def lying(uploads: Uploads) -> int:
    """How many staged blobs there are."""
    return len([name async for name in uploads.blobs.listed("staged", 4e9)])


async def test_parts(uploads: Uploads) -> None:
    """Each part is stored as it comes, once; together they are one blob, whose hash is found, and then they go."""
    upload, half = await begun(uploads), len(FILE) // 2
    assert await uploads.add(upload, 1, FILE[half:])
    assert (upload.missing, upload.got) == ([0], len(FILE) - half)
    assert not await uploads.add(upload, 1, b"again")
    again = await begun(uploads, uuid=upload.uuid)
    assert await uploads.add(again, 0, FILE[:half])
    assert await uploads.look(upload)
    assert (upload.missing, upload.have, upload.got) == ([], 2, len(FILE))
    staged = await uploads.whole(upload, f"blake3:{HASH}", "binary")
    assert staged.hash == HASH
    assert b"".join([chunk async for chunk in uploads.blobs.read(staged.blob)]) == FILE
    assert await lying(uploads) == 3
    await uploads.close(upload, HASH)
    assert await lying(uploads) == 1
    assert not await uploads.add(again, 0, b"late")
    done = await uploads.find(TENANT.id, upload.uuid)
    assert done and (done.content, done.bytes, done.parts) == (HASH, len(FILE), {})
    with pytest.raises(BlobMissing):
        await uploads.whole(upload, "", "binary")


async def test_in_order(uploads: Uploads) -> None:
    """A piece is taken only where it begins at the end of what has come."""
    upload = await begun(uploads, frames=0)
    assert not await uploads.add(upload, 0, b"x", 5)
    assert await uploads.add(upload, 0, b"first", 0)
    late = await begun(uploads, frames=0, uuid=upload.uuid)
    assert not await uploads.add(late, 1, b"x", 0)
    assert await uploads.add(late, 1, b"second", 5)
    assert late.got == 11
    assert await lying(uploads) == 2


async def test_begun_anew(uploads: Uploads) -> None:
    """What still comes of an upload that was let go is not taken for the one that is under way now."""
    old = await begun(uploads)
    await uploads.add(old, 0, b"old")
    await uploads.close(old)
    new = await begun(uploads, uuid=old.uuid)
    assert not await uploads.add(old, 1, b"old")
    assert not await uploads.look(old)
    await uploads.close(old)
    assert (await uploads.find(TENANT.id, old.uuid) or old).id == new.id


async def test_terms(store: Store, config: Config, redis: Redis) -> None:
    """An upload is gone an hour after its last part, or when others need its place and it has been silent for a
    minute; what it was is known as long as results."""
    uploads = Uploads(store, Blobs(config.blob_url))
    upload = await begun(uploads)
    home = store.home(TENANT.id)
    key, all_ = f"{home}:upload:{TENANT.id}:{upload.uuid}", f"{home}:uploads:{TENANT.id}"
    await redis.expire(key, 10)
    await uploads.add(upload, 0, b"x")
    assert 3590 < await redis.ttl(key) <= 3600
    for _ in range(63):
        await begun(uploads)
    with pytest.raises(RateLimitExceeded):
        await begun(uploads)
    await begun(uploads, uuid=upload.uuid)
    gone, silent, *_ = [uuid for uuid in await redis.zrange(all_, 0, -1) if uuid.decode() != upload.uuid]
    await redis.zincrby(all_, -3_600_001, gone)
    await redis.zincrby(all_, -60_001, silent)
    await begun(uploads)
    await begun(uploads)
    assert not await redis.exists(f"{home}:upload:{TENANT.id}:{silent.decode()}")
    with pytest.raises(RateLimitExceeded):
        await begun(uploads)
    await uploads.close(upload, HASH)
    await begun(uploads)
    assert 86_000 < await redis.ttl(key) <= 86_400


CALLER = Caller(TENANT, "session", "http://here", frozenset({"binary"}))


class Socket:
    """A socket's uploads, without the socket: what its client is told, and the tasks that were submitted."""

    def __init__(self, gateway: Gateway) -> None:
        self.told: asyncio.Queue[Any] = asyncio.Queue()
        self.arrivals = Arrivals(gateway, CALLER, self.told.put_nowait)
        self.gateway = gateway
        self.failure: ApiError | None = None
        self.submitted: list[Prepared] = []

    async def submit(self, prepared: Prepared) -> Refused | None:
        if self.failure:
            return refuse(prepared.request, [self.failure])
        self.submitted.append(prepared)
        return None

    def announce(self, task: dict[str, Any]) -> asyncio.Task[Refused | None]:
        prepared = announcement(self.gateway.dispatch, CALLER, level(task))
        assert isinstance(prepared, Prepared)
        self.arrivals.expect([prepared])
        return asyncio.create_task(self.arrivals.carry(prepared, self.submit))

    async def take(self, task: dict[str, Any], index: int, part: bytes) -> None:
        await self.arrivals.take(UUID(task["taskUUID"]).bytes + struct.pack(">I", index) + part)

    async def missing(self) -> list[int]:
        (event,) = (await asyncio.wait_for(self.told.get(), 5))["events"]
        return event["frames"]


def upload_of(frames: int, **members: Any) -> dict[str, Any]:
    return new_task("imageUpload", binary={"frames": frames, "bytes": len(FILE)} | members)


@pytest.fixture
async def socket(config: Config, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Socket]:
    """A socket whose silence is over soon."""
    assert arrivals._SILENT_SECONDS == 10
    monkeypatch.setattr(arrivals, "_SILENT_SECONDS", 0.1)
    gateway = Gateway(config)
    yield Socket(gateway)
    await gateway.store.close()


async def test_reminders(socket: Socket) -> None:
    """After a silence the client is told once what is missing, and once more after the next frame."""
    task = upload_of(3)
    carried = socket.announce(task)
    assert await socket.missing() == [0, 1, 2]
    await socket.take(task, 1, FILE[10:20])
    assert await socket.missing() == [0, 2]
    await asyncio.sleep(0.3)
    assert socket.told.empty()
    await socket.take(task, 2, FILE[20:])
    await socket.take(task, 0, FILE[:10])
    assert await carried is None
    (prepared,) = socket.submitted
    assert len(prepared.job.staged) == 1
    while not socket.told.empty():  # on a busy machine one more comes between the last two
        socket.told.get_nowait()
    await socket.take(task, 0, FILE[:10])
    assert socket.told.empty()


async def test_elsewhere(socket: Socket) -> None:
    """A socket notices by itself that the file has come, or been taken, at another one."""
    task, other = upload_of(2), Uploads(socket.gateway.store, socket.gateway.blobs)
    carried = socket.announce(task)
    await socket.take(task, 0, FILE[:9])
    upload = await other.open(TENANT.id, task["taskUUID"], frames=2, size=len(FILE))
    await other.add(upload, 1, FILE[9:])
    assert await carried is None
    task = upload_of(2)
    carried = socket.announce(task)
    await socket.missing()
    upload = await other.open(TENANT.id, task["taskUUID"], frames=2, size=len(FILE))
    await other.close(upload, HASH)
    assert await carried is None
    first, second = socket.submitted
    assert first.fingerprint == second.fingerprint


async def test_gone(socket: Socket) -> None:
    """An upload that has ended without a task is told to be gone."""
    task = upload_of(2)
    carried = socket.announce(task)
    await socket.take(task, 0, FILE[:9])
    upload = await socket.gateway.uploads.find(TENANT.id, task["taskUUID"])
    assert upload
    await socket.gateway.uploads.close(upload)
    refused = await carried
    assert refused and refused.failures[0]["code"] == "taskNotFound"


async def test_another_try(socket: Socket) -> None:
    """Where its task may be sent again, what has come of a file is kept for that; else it goes."""
    task = upload_of(1)
    socket.failure = RateLimitExceeded("Wait.")
    carried = socket.announce(task)
    await socket.take(task, 0, FILE)
    assert (refused := await carried) and refused.failures[0]["code"] == "rateLimitExceeded"
    socket.failure = ConflictTaskUUID()
    assert (refused := await socket.announce(task)) and refused.failures[0]["code"] == "conflictTaskUUID"
    assert await socket.missing() == []
    assert await socket.gateway.uploads.find(TENANT.id, task["taskUUID"]) is None
    assert not await anext(socket.gateway.blobs.listed("scratch", 4e9), "")


async def test_twice_on_one_socket(socket: Socket) -> None:
    """Of two announcements of one upload on a socket, both are answered, the second after the first."""
    task = upload_of(2)
    first = socket.announce(task)
    await socket.take(task, 0, FILE[:9])
    assert await socket.missing() == [1]
    second = socket.announce(task)
    assert await socket.missing() == [1]
    await socket.take(task, 1, FILE[9:])
    assert await first is None
    assert not second.done()
    for index, part in enumerate((FILE[:9], FILE[9:])):
        await socket.take(task, index, part)
    assert await second is None


async def test_lost_parts(socket: Socket) -> None:
    """Where parts that had come are no longer there, the client is told to begin again, and can."""
    task = upload_of(2)
    carried = socket.announce(task)
    await socket.take(task, 0, FILE[:9])
    upload = await socket.gateway.uploads.find(TENANT.id, task["taskUUID"])
    assert upload
    await socket.gateway.blobs.delete(upload.parts[0][0])
    await socket.take(task, 1, FILE[9:])
    refused = await carried
    assert refused and (refused.failures[0]["code"], refused.failures[0]["retryable"]) == ("uploadFailed", True)
    carried = socket.announce(task)
    for index, part in enumerate((FILE[:9], FILE[9:])):
        await socket.take(task, index, part)
    assert await carried is None


async def test_part_said_twice(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part is kept, and counted once, when its step is said again because the reply was lost."""
    run = uploads.store.run

    async def twice(*step: Any) -> Any:
        await run(*step)
        return await run(*step)

    for pieces in (False, True):
        upload = await begun(uploads, frames=0 if pieces else 1)
        monkeypatch.setattr(uploads.store, "run", twice)
        assert await uploads.add(upload, 0, FILE, at=0 if pieces else None)
        monkeypatch.setattr(uploads.store, "run", run)
        assert (upload.got, upload.have) == (len(FILE), 1)
        assert (await uploads.whole(upload, "", "image")).hash == HASH
