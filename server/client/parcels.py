"""A file of this machine on its way to a server: announced as an upload, then sent in binary frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from uuid import UUID, uuid4

from server.client.failures import Failed
from server.content import content
from server.frames import HEAD, PART_BYTES


@dataclass(frozen=True)
class Parcel:
    """A file as it was when it was looked at, and the upload that it is sent with."""

    path: Path
    uuid: str
    size: int
    hash: str

    @classmethod
    def of(cls, path: Path) -> Self:
        """A file with a fresh upload. Reads all of it, and keeps nothing. Raises Failed."""
        try:
            size = path.stat().st_size
            if not size:
                raise Failed(f"{path} is empty.")
            return cls(path, str(uuid4()), size, content(path))
        except OSError as failure:
            raise Failed(f"{path} cannot be read: {failure.strerror}.") from failure

    @property
    def frames(self) -> int:
        """In how many frames it goes."""
        return -(-self.size // PART_BYTES)

    @property
    def task(self) -> dict[str, Any]:
        """The upload. Other tasks name it by its taskUUID where an image may stand."""
        told = {"frames": self.frames, "bytes": self.size, "hash": self.hash}
        return {"taskType": "imageUpload", "taskUUID": self.uuid, "binary": told}

    def frame(self, index: int) -> bytes:
        """One frame, read now. Raises Failed."""
        try:
            with self.path.open("rb") as file:
                file.seek(index * PART_BYTES)
                return HEAD.pack(UUID(self.uuid).bytes, index) + file.read(PART_BYTES)
        except OSError as failure:
            raise Failed(f"{self.path} cannot be read: {failure.strerror}.") from failure
