"""The images a job names, brought as files before its handler runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from server.blobs import BlobMissing, Blobs
from server.config import Config
from server.errors import MediaNotFound, TaskExpired
from server.fetch import Fetcher, kind
from server.images import Images
from server.queue import Job
from server.task import Task, references, wire_name

IMAGES = "/im/"
"""Where images are served: `/im/{tenant}/{uuid}.{format}`, on every gateway."""
_STAGED = "staged:"


class Inputs:
    """Brings what references name. A stored image that is brought is used: its life starts again."""

    def __init__(self, config: Config, images: Images, blobs: Blobs, fetcher: Fetcher) -> None:
        self.config = config
        self.images = images
        self.blobs = blobs
        self.fetcher = fetcher

    def slow(self, job: Job) -> bool:
        """Whether an input must come over the network."""
        return any(isinstance(value, str) and "://" in value for value in job.params.values())

    async def bring(self, job: Job, task: Task[Any, Any], folder: Callable[[], Path]) -> dict[str, str]:
        """Every input as a path, by its reference. Raises the ApiError of the first that cannot be had."""
        params = task.params.model_validate(job.params, by_alias=True, by_name=False)
        named = {reference: wire_name(name) for name, reference in references(params)}
        brought = [self._one(job, reference, member, folder) for reference, member in named.items()]
        paths = [await brought[0]] if len(brought) == 1 else await asyncio.gather(*brought)
        return {reference: str(path) for reference, path in zip(named, paths, strict=True)}

    async def _one(self, job: Job, reference: str, member: str, folder: Callable[[], Path]) -> Path:
        def into() -> Path:
            return folder() / f"input-{member}"

        if reference.startswith(_STAGED):
            return await self._staged(reference.removeprefix(_STAGED), into)
        if kind(reference) == "uuid":
            return await self._stored(job.tenant, reference, member, into)
        if own := self._own(job, reference):
            return await self._stored(*own, member, into)
        path = into()
        await self.fetcher.fetch(reference, path, member)
        return path

    async def _staged(self, blob: str, into: Callable[[], Path]) -> Path:
        try:
            return await self.blobs.local(blob, into)
        except BlobMissing:
            raise TaskExpired from None

    async def _stored(self, tenant: str, uuid: str, member: str, into: Callable[[], Path]) -> Path:
        missing = MediaNotFound(f"{member}: there is no image {uuid}. It may have expired.", parameter=member)
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
