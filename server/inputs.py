"""The images a job names, brought as files before its handler runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from server.blobs import BlobMissing, Blobs
from server.catalog import Catalog
from server.config import Config
from server.errors import InvalidTaskReference, MediaNotFound, TaskExpired
from server.fetch import Fetcher, kind
from server.images import Images
from server.jobs import Job
from server.queue import Queue
from server.schema import references, spelled
from server.task import Task

IMAGES = "/im/"
"""Where images are served: `/im/{tenant}/{uuid}.{format}`, on every gateway."""
_STAGED = "staged:"


@dataclass(frozen=True)
class Brought:
    """An input: where it lies, where the task names it, and its UUID if it is a stored image."""

    path: Path
    parameter: str
    uuid: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """It as it crosses to the task process."""
        return {"path": str(self.path), "parameter": self.parameter, "uuid": self.uuid}


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

    def named(self, job: Job, task: Task[Any, Any]) -> dict[str, str]:
        """Every reference of a job, and where the task names it."""
        params = task.params.model_validate(job.params, by_alias=True, by_name=False)
        return {reference: spelled(place) for place, reference in references(params)}

    def slow(self, named: Iterable[str]) -> bool:
        """Whether one of these references must come over the network."""
        return any(kind(reference) == "url" for reference in named)

    async def bring(self, job: Job, named: Mapping[str, str], folder: Callable[[], Path]) -> dict[str, Brought]:
        """Every input by its reference. Raises the ApiError of the first that cannot be had; no other is brought on
        after that, since the folder goes with the task."""
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
            uuid, path = await self._named(job.tenant, reference, place, into)
            return Brought(path, place, uuid)
        if own := self._own(job, reference):
            tenant, uuid = own
            path = await self._stored(tenant, uuid, place, into)
            return Brought(path, place, uuid.lower() if tenant == job.tenant else None)
        path = into()
        await self.fetcher.fetch(reference, path, place)
        return Brought(path, place)

    async def _staged(self, blob: str, into: Callable[[], Path]) -> Path:
        try:
            return await self.blobs.local(blob, into)
        except BlobMissing:
            raise TaskExpired from None

    async def _named(self, tenant: str, reference: str, place: str, into: Callable[[], Path]) -> tuple[str, Path]:
        """An image by its UUID, its content or the task that made it: its UUID, and where it lies."""
        if kind(reference) == "content":
            uuid = await self.images.containing(tenant, reference)
            if uuid is None:
                sentence = f"{place}: no image of this key is kept with this content. Send its bytes."
                raise MediaNotFound(sentence, parameter=place)
            return uuid, await self._stored(tenant, uuid, place, into)
        uuid, _, n = reference.lower().partition("#")
        if not n:
            try:
                return uuid, await self._stored(tenant, uuid, place, into)
            except MediaNotFound:
                made = await self._made_by(tenant, uuid, 1, place)
                if made is None:
                    raise
        else:
            made = await self._made_by(tenant, uuid, int(n), place) or uuid
        return made, await self._stored(tenant, made, place, into)

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

    async def _stored(self, tenant: str, uuid: str, place: str, into: Callable[[], Path]) -> Path:
        missing = MediaNotFound(f"{place}: there is no image {uuid}. It may have expired.", parameter=place)
        image = await self.images.use(tenant, uuid)
        if image is None:
            raise missing
        try:
            return await self.blobs.local(image.blob, into)
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
