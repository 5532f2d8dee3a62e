"""What a server answered about one task: pictures to be written to files, words, or members to be shown as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from server.client.downloads import Downloads
from server.client.failures import Failed

Item = dict[str, Any]


def items_of(frame: dict[str, Any]) -> list[Item]:
    """The items of a frame. Raises Failed for one that tells of failures."""
    if "errors" in frame:
        raise Failed.told(frame["errors"])
    return frame["data"]


def words(items: list[Item]) -> str:
    """The text of an answer; empty where it has none."""
    return "\n".join(str(item["text"]) for item in items if "text" in item)


def facts(items: list[Item]) -> list[Item]:
    """What an answer says besides the task it is about."""
    return [{name: value for name, value in item.items() if name not in ("taskType", "taskUUID")} for item in items]


def image_uuids(items: list[Item]) -> list[str]:
    """The images that an answer has: what was uploaded or made."""
    return [item[f"{name}UUID"] for item in items for name in _named(item)]


async def keep(downloads: Downloads, items: list[Item], target: Path) -> list[Path]:
    """Write the pictures of an answer to a file, or, where there are several, to files with a number. The first one is
    written last: when it is there, all are. A name without an extension gets that of the picture. Raises Failed."""
    urls = [item[f"{name}URL"] for item in items for name in _named(item)]
    written = list[Path]()
    for number, url in reversed(list(enumerate(urls, start=1))):
        stem = f"{target.stem}-{number}" if len(urls) > 1 else target.stem
        path = target.with_name(stem + (target.suffix or Path(urlsplit(url).path).suffix))
        await downloads.save(url, path)
        written.insert(0, path)
    return written


def write(path: Path, data: bytes) -> None:
    """Write a file that is whole as soon as it is there. Raises Failed."""
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as failure:
        raise Failed(f"{path} cannot be written: {failure.strerror}.") from failure


def _named(item: Item) -> list[str]:
    """What the pictures of an item are called: `image` for `imageUUID` with `imageURL` beside it."""
    return [name.removesuffix("UUID") for name in item if name.endswith("UUID") and f"{name[:-4]}URL" in item]
