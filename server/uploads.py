"""Files that come in parts: what has come of each, and the one staged blob that they make in the end.

A part is stored as it comes and noted in Redis: no image grows in memory, and an upload that was cut off goes on at
any gateway. Frames of a socket may come in any order; pieces of an HTTP body come one after the other.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from blake3 import blake3

from server.blobs import Blobs, staged_blob
from server.errors import ConflictTaskUUID, InvalidParameter, RateLimitExceeded, UploadFailed
from server.store import Store

MOST_PARTS = 4096
_MOST_UPLOADS = 64
_KEPT_SECONDS = 3600
"""An upload of which nothing more comes for this long is gone. Its parts are swept with other staged blobs."""
_BUSY_SECONDS = 5
HASHED = "blake3:"
"""What a hash on the wire begins with; 64 hexadecimal digits follow."""


@dataclass(frozen=True)
class Staged:
    """A file that lies in the blob store already; `hash` is its BLAKE3 in hexadecimal digits."""

    blob: str
    hash: str


@dataclass
class Upload:
    """An upload as it stood when it was last looked at."""

    tenant: str
    uuid: str
    id: str
    frames: int
    """In how many frames it comes; 0 for pieces in their order."""
    bytes: int
    """How large it is in all; 0 where that shows at its end."""
    hash: str
    got: int
    have: int
    """How many bytes and parts have come, through whatever gateway."""
    parts: dict[int, tuple[str, int]] = field(default_factory=dict[int, tuple[str, int]])
    """The blob and the bytes of each part that is known to be there, by its index."""
    content: str = ""
    """The hash of the whole file, once its task is taken; then no part is left."""

    @property
    def missing(self) -> list[int]:
        """The frames that have not come."""
        return [index for index in range(self.frames) if index not in self.parts]


class Uploads:
    """The uploads under way of all keys."""

    def __init__(self, store: Store, blobs: Blobs) -> None:
        self.store = store
        self.blobs = blobs
        self._done_seconds = round(store.config.result_ttl)

    async def open(self, tenant: str, uuid: str, *, frames: int = 0, size: int = 0, digest: str = "") -> Upload:
        """An upload as it stands, begun where there is none. Raises RateLimitExceeded, and ConflictTaskUUID where
        another file is coming under this taskUUID."""
        found = await self.store.run(
            "upload_open", self.store.home(tenant), tenant, uuid, uuid4().hex, frames, size, digest, _KEPT_SECONDS,
            _MOST_UPLOADS,
        )  # fmt: skip
        if not found:
            sentence = f"This key has {_MOST_UPLOADS} uploads under way, as many as it may. Finish one of them first."
            raise RateLimitExceeded(sentence, retryAfter=_BUSY_SECONDS)
        upload = _read(tenant, uuid, dict(zip(found[::2], found[1::2], strict=True)))
        if not upload.content and (upload.frames, upload.hash) != (frames, digest):
            raise ConflictTaskUUID(_OTHER, parameter="taskUUID")
        if size and upload.bytes and upload.bytes != size:
            raise ConflictTaskUUID(_OTHER, parameter="taskUUID")
        return upload

    async def look(self, upload: Upload) -> bool:
        """See how an upload stands now, whoever has taken parts of it. False when it is gone."""
        found = await self.find(upload.tenant, upload.uuid)
        if found is None or found.id != upload.id:
            return False
        upload.parts |= found.parts
        upload.got, upload.have, upload.content = found.got, found.have, found.content
        return True

    async def find(self, tenant: str, uuid: str) -> Upload | None:
        """An upload as it stands; None where there is none."""
        found = await self.store.hash(f"{self.store.home(tenant)}:upload:{tenant}:{uuid}")
        return _read(tenant, uuid, found) if found else None

    async def add(self, upload: Upload, index: int, data: bytes, at: int | None = None) -> bool:
        """Keep a part. False where it is there already, or is not wanted any more. `at`: a piece is only wanted
        where it begins at the end of what has come."""
        blob = staged_blob(upload.tenant)
        await self.blobs.put(blob, data)
        counted = await self.store.run(
            "upload_part", self.store.home(upload.tenant), upload.tenant, upload.uuid, upload.id, index, blob,
            len(data), "" if at is None else at, _KEPT_SECONDS,
        )  # fmt: skip
        if counted is None:
            await self.blobs.discard(blob)
            return False
        upload.parts[index] = (blob, len(data))
        upload.got, upload.have = counted
        return True

    async def whole(self, upload: Upload, digest: str, parameter: str) -> Staged:
        """All parts as one staged blob. Raises InvalidParameter where size or hash (empty: any) is not as was said,
        BlobMissing where the parts are gone: another gateway has done it."""
        if upload.bytes and upload.got != upload.bytes:
            sentence = f"The upload has {upload.got} bytes; {upload.bytes} were announced."
            raise InvalidParameter(sentence, parameter=parameter, expected=upload.bytes, found=upload.got)
        path = (self.blobs.scratch or Path(tempfile.gettempdir())) / f"upload-{uuid4().hex}"
        try:
            found = await self._joined((upload.parts[index][0] for index in sorted(upload.parts)), path)
            if digest and digest != HASHED + found:
                sentence = f"The upload has the hash {HASHED}{found}; {digest} was announced."
                raise InvalidParameter(sentence, parameter=parameter, expected=digest, found=HASHED + found)
            staged = Staged(staged_blob(upload.tenant), found)
            await self.blobs.adopt(path, staged.blob)
        except OSError as full:
            raise UploadFailed("The image could not be stored; what has come is kept. Try again.") from full
        finally:
            path.unlink(missing_ok=True)
        return staged

    async def close(self, upload: Upload, content: str = "") -> None:
        """Let an upload and its parts go; with `content`, its hash, remember what it was."""
        await self.store.run(
            "upload_close", self.store.home(upload.tenant), upload.tenant, upload.uuid, upload.id, content,
            self._done_seconds,
        )  # fmt: skip
        await self.blobs.discard(*(blob for blob, _ in upload.parts.values()))

    async def _joined(self, blobs: Iterable[str], path: Path) -> str:
        """Blobs one after the other in a file; the hash of that."""
        hasher = blake3()
        with path.open("wb") as file:
            for blob in blobs:
                async for chunk in self.blobs.read(blob):
                    hasher.update(chunk)
                    await asyncio.to_thread(file.write, chunk)
        return hasher.hexdigest()


_OTHER = "Another file is being uploaded under this taskUUID. Send every file with a fresh random UUID v4."


def _read(tenant: str, uuid: str, found: dict[bytes, bytes]) -> Upload:
    upload = Upload(
        tenant, uuid, found[b"id"].decode(), int(found[b"frames"]), int(found[b"bytes"]), found[b"hash"].decode(),
        int(found[b"got"]), int(found[b"have"]), content=found.get(b"content", b"").decode(),
    )  # fmt: skip
    for name, value in found.items():
        if name.startswith(b"part:"):
            size, blob = value.decode().split(" ")
            upload.parts[int(name[5:])] = (blob, int(size))
    return upload
