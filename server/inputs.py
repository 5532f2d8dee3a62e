"""The images a job names, brought as files before its handler runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from server.blobs import BlobMissing, Blobs
from server.config import Config
from server.errors import MediaNotFound, TaskExpired
from server.fetch import Fetcher, kind
from server.images import Images
from server.queue import Job
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

    def __init__(self, config: Config, images: Images, blobs: Blobs, fetcher: Fetcher) -> None:
        self.config = config
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
        if kind(reference) == "uuid":
            return Brought(await self._stored(job.tenant, reference, place, into), place, reference.lower())
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
