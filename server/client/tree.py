"""A tree of pictures and the tree of their results beside it: which are there, and which are still to be made."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


@dataclass(frozen=True)
class Job:
    """A picture, its name within the tree, and the file for what is made of it."""

    source: Path
    name: str
    target: Path


class Tree:
    """The pictures below a folder; names that begin with a dot are left alone. `out` may lie within it. Every walk
    looks anew, and keeps no more in mind than the names of the folders it is in."""

    def __init__(self, source: Path, out: Path, suffix: str, *, overwrite: bool) -> None:
        self.source = source
        self.out = out
        self.suffix = suffix
        self.overwrite = overwrite
        self.skipped = 0
        """Of the last walk: pictures whose result is there, and newer."""

    def left(self) -> Iterator[Job]:
        """The pictures that are to be worked on."""
        self.skipped = 0
        for job in self._walk(self.source, ""):
            if not self.overwrite and _done(job):
                self.skipped += 1
            else:
                yield job

    def _walk(self, folder: Path, head: str) -> Iterator[Job]:
        pictures, folders = list[str](), list[str]()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                    elif entry.name.lower().endswith(_PICTURES) and entry.is_file():
                        pictures.append(entry.name)
        except FileNotFoundError:
            return  # it has gone since it was seen
        # Two pictures that differ in their extension alone keep it, so that neither is written over the other.
        stems = Counter(Path(name).stem.lower() for name in pictures)
        for name in sorted(pictures):
            stem = name if stems[Path(name).stem.lower()] > 1 else Path(name).stem
            yield Job(folder / name, head + name, self.out / head / (stem + self.suffix))
        for name in sorted(folders):
            if (folder / name).resolve() != self.out.resolve():
                yield from self._walk(folder / name, f"{head}{name}/")


def _done(job: Job) -> bool:
    """Whether the result is there, and newer than the picture. Of several, the first is written last."""
    target = job.target
    written = _written(target) or _written(target.with_name(f"{target.stem}-1{target.suffix}"))
    return written > 0 and written >= _written(job.source)


def _written(path: Path) -> int:
    """When a file was written; 0 for one that is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
