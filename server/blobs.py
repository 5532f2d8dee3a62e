"""Where image bytes lie: a folder, or a bucket by URL (`s3://…`, `gs://…`, `az://…`), through obstore.

A blob belongs to one image and is never shared, so nothing is counted. In a folder a blob is put by linking or
renaming a finished file, so that nobody ever sees half of one, and it is read where it lies.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from server.errors import UploadFailed

_CHUNK = 256 * 1024


class BlobMissing(Exception):
    """There is no blob of that name."""


def image_blob(tenant: str, uuid: str) -> str:
    """A fresh name for an image's blob. Each run of a task has its own: a late one never touches the winner's."""
    return f"images/{tenant}/{uuid[:2]}/{uuid}.{uuid4().hex[:8]}"


def staged_blob(tenant: str) -> str:
    """A fresh name for bytes that came with a task and go with it."""
    return f"staged/{tenant}/{uuid4()}"


class Blobs:
    """The blob store. Every failure to write is `uploadFailed`, which a client may try again."""

    def __init__(self, url: str, *, min_free: int = 0) -> None:
        folder = url.removeprefix("file://")
        self.root = None if "://" in folder else Path(folder).absolute()
        self.min_free = min_free
        if self.root:
            self.root.mkdir(parents=True, exist_ok=True)
            (self.root / "scratch").mkdir(exist_ok=True)
        self._store: Any = None if self.root else from_url(url)

    @property
    def scratch(self) -> Path | None:
        """Where files are made that will become blobs: on the same disk, so that they are linked, not copied."""
        return self.root / "scratch" if self.root else None

    def free(self) -> int | None:
        """Bytes that may still be written; None where the store does not say."""
        return None if (unused := self.unused()) is None else unused - self.min_free

    def unused(self) -> int | None:
        """Free bytes of the disk; None where there is none."""
        return shutil.disk_usage(self.root).free if self.root else None

    def path(self, name: str) -> Path | None:
        """Where a blob lies as a file, in a folder; None in a bucket."""
        return self.root / name if self.root else None

    async def put(self, name: str, data: bytes) -> None:
        """Store bytes under a name that nobody has been told yet."""
        if self.root:
            await asyncio.to_thread(self._write, self.root / name, data)
            return
        with _failing():
            await obstore.put_async(self._store, name, data)

    async def adopt(self, file: Path, name: str) -> None:
        """Store a finished file under a name. The file stays where it is."""
        if self.root:
            with _failing():
                self._room(file.stat().st_size)
                _link(file, self.root / name)
            return
        with _failing():
            await obstore.put_async(self._store, name, file)

    async def copy(self, source: str, target: str) -> None:
        """Store what one blob holds under another name as well. Raises BlobMissing."""
        if self.root and not (self.root / source).exists():
            raise BlobMissing(source)
        if self.root:
            return await self.adopt(self.root / source, target)
        with _failing():
            try:
                await obstore.copy_async(self._store, source, target)
            except FileNotFoundError as missing:
                raise BlobMissing(source) from missing

    async def local(self, name: str, into: Callable[[], Path]) -> Path:
        """A blob as a file: where it lies, or, from a bucket, a copy made at `into()`. Raises BlobMissing."""
        if self.root:
            if not (self.root / name).exists():
                raise BlobMissing(name)
            return self.root / name
        path = into()
        with path.open("wb") as file:
            async for chunk in self.read(name):
                file.write(chunk)
        return path

    async def read(self, name: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of a blob from `start` up to `end`, in chunks. Raises BlobMissing before the first."""
        if self.root:
            async for chunk in _read_file(self.root / name, start, end):
                yield chunk
            return
        options: Any = {"range": (start, end)} if end is not None else {"range": {"offset": start}}
        try:
            found = await obstore.get_async(self._store, name, options=options if start or end else None)
        except FileNotFoundError as missing:
            raise BlobMissing(name) from missing
        async for chunk in found.stream(_CHUNK):
            yield bytes(chunk)

    async def delete(self, *names: str) -> None:
        """Remove blobs; one that is not there is removed already."""
        with _failing(), suppress(FileNotFoundError):
            if self.root:
                for name in names:
                    (self.root / name).unlink(missing_ok=True)
            elif names:
                await obstore.delete_async(self._store, list(names))

    async def discard(self, *names: str) -> None:
        """The same for what nobody needs any more: what cannot be removed now is left to the sweeper."""
        with suppress(UploadFailed):
            await self.delete(*names)

    async def listed(self, prefix: str, before: float) -> AsyncIterator[str]:
        """The names under a prefix whose blobs were last written before a time (seconds since 1970)."""
        if self.root:
            for folder, _, files in os.walk(self.root / prefix):
                await asyncio.sleep(0)
                for file in files:
                    path = Path(folder, file)
                    with suppress(FileNotFoundError):
                        if path.stat().st_mtime < before:
                            yield str(path.relative_to(self.root))
            return
        with _failing():
            async for page in obstore.list(self._store, prefix, chunk_size=500):
                for found in page:
                    written: datetime = found["last_modified"]
                    if written.timestamp() < before:
                        yield found["path"]

    async def size(self, prefix: str) -> int:
        """How many bytes the blobs under a prefix have."""
        if self.root:
            return await asyncio.to_thread(_size_of, self.root / prefix)
        with _failing():
            return sum([found["size"] async for page in obstore.list(self._store, prefix) for found in page])

    def prune(self, prefix: str, before: float) -> None:
        """Remove empty folders under a prefix that were last changed before a time."""
        if not self.root:
            return
        for folder in (self.root / prefix).iterdir():
            with suppress(OSError):
                if folder.stat().st_mtime < before:
                    folder.rmdir()

    def _room(self, size: int) -> None:
        free = self.free()
        if free is not None and free < size:
            raise UploadFailed("The disk for images is nearly full. Free space or lower TASKARRAY_MIN_FREE_DISK.")

    def _write(self, path: Path, data: bytes) -> None:
        with _failing():
            self._room(len(data))
            _open_new(path, data)


class _failing:
    """Turns what a disk or a bucket says into the failure a client sees."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        if isinstance(failure, OSError | BaseError):
            raise UploadFailed("The image could not be stored; nothing was kept. Try again.") from failure


def _size_of(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            size += path.stat().st_size if path.is_file() else 0
    return size


def _open_new(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _link(file: Path, target: Path) -> None:
    """The same bytes under a second name; copied where the file system cannot link."""
    try:
        _link_new(file, target)
        os.utime(target)
    except OSError:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        shutil.copyfile(file, part)
        part.replace(target)


def _link_new(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(file, target)


async def _read_file(path: Path, start: int, end: int | None) -> AsyncIterator[bytes]:
    try:
        file = path.open("rb")
    except FileNotFoundError as missing:
        raise BlobMissing(path.name) from missing
    with file:
        file.seek(start)
        left = (end if end is not None else path.stat().st_size) - start
        while left > 0 and (chunk := await asyncio.to_thread(file.read, min(left, _CHUNK))):
            left -= len(chunk)
            yield chunk
