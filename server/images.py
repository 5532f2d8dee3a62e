"""The image registry: which images exist, whose they are and how long they live. The TTL policy is here.

An image lives `TASKARRAY_IMAGE_TTL` (30 days) after its last use. Uses are: uploaded or produced (registered by
the step that finishes the task, see `queue.finish`), taken as an input, downloaded. The tenant is part of every
key: another tenant's image does not exist.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from server.store import Store


@dataclass(frozen=True)
class Image:
    """What the registry knows of an image: sizes in pixels and bytes, `format` as in `JPG`."""

    uuid: str
    blob: str
    format: str
    mime: str
    width: int
    height: int
    bytes: int
    created: float
    hashes: list[str] = field(default_factory=list[str])
    """What it can be found by: `blake3:‹hex›` of its file, and of the file that it was made of."""
    ttl: int | None = None
    """Seconds after which it is gone, used or not; None: the term that every use starts again."""


class Images:
    """The doors to the registry."""

    def __init__(self, store: Store, ttl: float) -> None:
        self.store = store
        self.ttl = max(1, round(ttl))

    async def use(self, tenant: str, uuid: str) -> Image | None:
        """An image's record, its whole life before it again; None when there is no such image."""
        record = await self.store.run("use", self.store.home(tenant), tenant, uuid.lower(), self.ttl, int(time.time()))
        return Image(**orjson.loads(record)) if record else None

    async def containing(self, tenant: str, content: str) -> str | None:
        """The UUID of an image that was registered with this content (`blake3:‹hex›`, of the file as it came or as it
        is kept): of several, the first that is kept."""
        found = await self.store.guarded("GET", f"{self.store.home(tenant)}:content:{tenant}:{content}")
        return found.decode() if found else None

    async def forget(self, tenant: str, uuid: str) -> bool:
        """Take an image out of the registry; the sweeper removes its bytes. False when there was none."""
        return bool(await self.store.run("forget", self.store.home(tenant), tenant, uuid.lower()))

    async def due(self) -> AsyncIterator[tuple[str, str]]:
        """Blobs whose image is gone, as (key prefix, blob)."""
        for base in self.store.bases:
            for blob in await self.store.run("due", base, int(time.time()), 500):
                yield base, blob.decode()

    async def gone(self, base: str, blob: str) -> None:
        """The blob is removed: nothing is left of the image."""
        await self.store.guarded("ZREM", f"{base}:expiry", blob)

    async def holds(self, blob: str) -> bool:
        """Whether a registered image has this blob. Not a use."""
        _, tenant, _, name = blob.split("/")
        record = await self.store.guarded("GET", f"{self.store.home(tenant)}:image:{tenant}:{name.partition('.')[0]}")
        return bool(record) and orjson.loads(record)["blob"] == blob


def record(uuid: str, blob: str, **facts: Any) -> dict[str, Any]:
    """A new image's record, as `queue.finish` registers it."""
    return {"uuid": uuid, "blob": blob, "created": time.time()} | facts
