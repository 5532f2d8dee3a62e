"""An earlier result given to another task: its images under UUIDs of that task's own, all else as it was.

An image is linked, not encoded again, so the bytes are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from server.blobs import BlobMissing, Blobs, image_blob
from server.images import Image, Images, record
from server.inputs import IMAGES, Brought
from server.jobs import Job

Kept = dict[str, Any]
"""An outcome as it is kept. Of one that may be given to others, `images` has the UUIDs that it made and `inputs` those
of its inputs by the place at which the task names them."""


@dataclass(frozen=True)
class Given:
    """Items for another task, and the records of the images that they name."""

    items: list[dict[str, Any]]
    images: list[dict[str, Any]]


class Reuse:
    """Gives earlier results to other tasks."""

    def __init__(self, images: Images, blobs: Blobs) -> None:
        self.images = images
        self.blobs = blobs

    async def given(self, owner: str, kept: Kept, job: Job, inputs: Mapping[str, Brought]) -> Given | None:
        """What the outcome of a task of the tenant `owner` is for a job with these inputs, by their places. None
        where one of its images is gone."""
        uuids = [*job.uuids, *(str(uuid4()) for _ in kept["images"][len(job.uuids) :])]
        named = dict(zip(kept["images"], uuids, strict=False))
        copied, mentioned = dict(named), _strings(kept["items"])
        for place, uuid in kept["inputs"].items():
            if uuid in mentioned and uuid not in named:
                named[uuid] = inputs[place].uuid or copied.setdefault(uuid, str(uuid4()))
        records, blobs = list[dict[str, Any]](), dict[str, str]()
        for old, new in copied.items():
            image = await self.images.use(owner, old)
            made = image and await self._copied(owner, image, new, job, kept)
            if not image or not made:
                await self.blobs.discard(*blobs.values())
                return None
            blobs[image.blob] = made["blob"]
            records.append(made)
        told = _Translation(owner, job, named, blobs)
        return Given([told.item(item) for item in kept["items"]], records)

    async def _copied(self, owner: str, image: Image, uuid: str, job: Job, kept: Kept) -> dict[str, Any] | None:
        """The record of the same image under another UUID; None where its bytes are gone."""
        blob = image_blob(job.tenant, uuid)
        try:
            await self.blobs.copy(image.blob, blob)
        except BlobMissing:
            await self.images.forget(owner, image.uuid)  # a record without a blob heals itself
            return None
        facts = {name: getattr(image, name) for name in ("format", "mime", "width", "height", "bytes", "hashes")}
        ttl = image.ttl if image.uuid in kept["images"] else job.limits.get("input_seconds", 0)
        return record(uuid, blob, **facts, **({"ttl": ttl} if ttl else {}))


@dataclass(frozen=True)
class _Translation:
    """What the UUIDs, URLs and blobs of one task are for another."""

    owner: str
    job: Job
    named: Mapping[str, str]
    blobs: Mapping[str, str]

    def item(self, item: dict[str, Any]) -> dict[str, Any]:
        inline = [(member, self.blobs[blob], head) for member, blob, head in item.get("inline", ())]
        return {name: self._value(value) for name, value in item.items()} | ({"inline": inline} if inline else {})

    def _value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._value(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self._value(member) for member in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        folder, _, file = text.rpartition("/")
        uuid, dot, suffix = file.partition(".")
        if text in self.named or not folder.endswith(f"{IMAGES}{self.owner}"):
            return self.named.get(text, text)
        return f"{self.job.base_url}{IMAGES}{self.job.tenant}/{self.named.get(uuid, uuid)}{dot}{suffix}"


def _strings(value: Any) -> set[str]:
    """Every string in a value."""
    if isinstance(value, str):
        return {value}
    found = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set[str]().union(*(_strings(member) for member in found))
