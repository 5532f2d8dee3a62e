"""The images a job names, brought as files before its handler runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from server.blobs import BlobMissing, Blobs
from server.catalog import Catalog
from server.config import Config
from server.content import content
from server.errors import InvalidTaskReference, MediaNotFound, TaskExpired
from server.fetch import Fetcher, kind
from server.images import Images
from server.jobs import Job
from server.queue import Queue
from server.schema import Params, references, spelled

IMAGES = "/im/"
"""Where images are served: `/im/{tenant}/{uuid}.{format}`, on every gateway."""
_STAGED = "staged:"
_LARGE = 2**20
"""Bytes from which a file is read outside of the loop."""


@dataclass(frozen=True)
class Brought:
    """An input: where it lies, where the task names it, its UUID and format if it is a stored image, and, if that is
    known, the name of its content (see `content`) and its size."""

    path: Path
    parameter: str
    uuid: str | None = None
    format: str = ""
    content: str = ""
    bytes: int = 0

    def as_dict(self) -> dict[str, str | None]:
        """It as it crosses to the task process."""
        return {"path": str(self.path), "parameter": self.parameter, "uuid": self.uuid, "format": self.format}


class Inputs:
    """Brings what references name. A stored image that is brought is used: its life starts again."""

    def __init__(
        self, config: Config, queue: Queue, images: Images, blobs: Blobs, fetcher: Fetcher, catalog: Catalog
    ) -> None:
        self.config = config
        self.queue = queue
        self.catalog = catalog
        self.images = images
        self.blobs = blobs
        self.fetcher = fetcher

    async def bring(self, job: Job, named: Mapping[str, str], folder: Callable[[], Path]) -> dict[str, Brought]:
        """Every input by its reference, of which `named` says where the task names it. Raises the ApiError of the
        first that cannot be had; no other is brought on after that, since the folder goes with the task."""
        if len(named) == 1:
            return {reference: await self._one(job, reference, place, folder) for reference, place in named.items()}
        try:
            async with asyncio.TaskGroup() as group:
                brought = {
                    reference: group.create_task(self._one(job, reference, place, folder))
                    for reference, place in named.items()
                }
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return {reference: task.result() for reference, task in brought.items()}

    async def _one(self, job: Job, reference: str, place: str, folder: Callable[[], Path]) -> Brought:
        def into() -> Path:
            return folder() / f"input-{place}"

        if reference.startswith(_STAGED):
            return Brought(await self._staged(reference.removeprefix(_STAGED), into), place)
        if kind(reference) in ("uuid", "result", "content"):
            return await self._named(job.tenant, reference, place, into)
        if own := self._own(job, reference):
            tenant, uuid = own
            found = await self._stored(tenant, uuid, place, into)
            return found if tenant == job.tenant else replace(found, uuid=None)
        path = into()
        await self.fetcher.fetch(reference, path, place)
        return Brought(path, place)

    async def _staged(self, blob: str, into: Callable[[], Path]) -> Path:
        try:
            return await self.blobs.local(blob, into)
        except BlobMissing:
            raise TaskExpired from None

    async def _named(self, tenant: str, reference: str, place: str, into: Callable[[], Path]) -> Brought:
        """An image by its UUID, its content or the task that made it."""
        if kind(reference) == "content":
            return await self._containing(tenant, reference.lower(), place, into)
        uuid, _, n = reference.lower().partition("#")
        if not n:
            try:
                return await self._stored(tenant, uuid, place, into)
            except MediaNotFound:
                made = await self._made_by(tenant, uuid, 1, place)
                if made is None:
                    raise
        else:
            made = await self._made_by(tenant, uuid, int(n), place) or uuid
        return await self._stored(tenant, made, place, into)

    async def _containing(self, tenant: str, content: str, place: str, into: Callable[[], Path]) -> Brought:
        uuid = await self.images.containing(tenant, content)
        with suppress(MediaNotFound):
            if uuid:
                return await self._stored(tenant, uuid, place, into)
        sentence = f"{place}: no image of this key is kept with this content. Send its bytes."
        raise MediaNotFound(sentence, parameter=place)

    async def _made_by(self, tenant: str, task: str, n: int, place: str) -> str | None:
        """The UUID of the nth image that a task has made; None where there is no such task. It has ended by now."""
        known = await self.queue.known(tenant, task)
        if known is None:
            return None
        member = self.catalog.named(known.request["taskType"]).uuid_member or ""
        items: list[dict[str, Any]] = (known.outcome or {}).get("items", [])
        if n > len(items) or not isinstance(items[n - 1].get(member), str):
            raise InvalidTaskReference(f"{place}: task {task} has made no image {n}.", parameter=place)
        return items[n - 1][member]

    async def _stored(self, tenant: str, uuid: str, place: str, into: Callable[[], Path]) -> Brought:
        missing = MediaNotFound(f"{place}: there is no image {uuid}. It may have expired.", parameter=place)
        image = await self.images.use(tenant, uuid)
        if image is None:
            raise missing
        try:
            path = await self.blobs.local(image.blob, into)
            return Brought(path, place, image.uuid, image.format, next(iter(image.hashes), ""))
        except BlobMissing:
            await self.images.forget(tenant, uuid)  # a record without a blob heals itself
            raise missing from None

    def _own(self, job: Job, url: str) -> tuple[str, str] | None:
        """(tenant, image UUID) of a URL that this server itself gave out: no need to go and fetch it."""
        for base in (job.base_url, self.config.public_url):
            if base and url.startswith(base.rstrip("/") + IMAGES):
                parts = urlsplit(url).path.split("/")
                if len(parts) >= 4 and kind(uuid := parts[-1].partition(".")[0]) == "uuid":
                    return parts[-2], uuid
        return None

    async def close(self) -> None:
        """Let go of open connections."""
        await self.fetcher.close()


def named(params: Params) -> dict[str, str]:
    """Every reference by the place at which a task names it."""
    return {spelled(place): reference for place, reference in references(params)}


def slow(references: Iterable[str]) -> bool:
    """Whether one of these references must come over the network."""
    return any(kind(reference) == "url" for reference in references)


async def known(inputs: Mapping[str, Brought]) -> dict[str, Brought]:
    """The inputs with the names and sizes of their contents; what is not known yet is read."""

    async def one(brought: Brought) -> Brought:
        found, size = brought.content, brought.path.stat().st_size
        if not found:
            found = await asyncio.to_thread(content, brought.path) if size > _LARGE else content(brought.path)
        return replace(brought, content=found, bytes=size)

    return {reference: await one(brought) for reference, brought in inputs.items()}
