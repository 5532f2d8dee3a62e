"""The process that does the pixels: it takes one task at a time from its worker and runs the handler.

It talks over one socket in frames of a length (4 bytes, big end first) and JSON. What it prints goes to the
worker's output, never into an answer. It may crash, hang or be killed: the worker starts another.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
import traceback
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from server.catalog import Catalog, read
from server.config import read_config
from server.errors import ApiError, InternalServerError, UploadFailed
from server.lifeline import die_with_parent
from server.log import log, start
from server.task import Limits, NewImage, Result, Stored

_HEAD = struct.Struct(">I")
_MIME = {"JPG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "SVG": "image/svg+xml"}
_PROGRESS_SECONDS = 0.2


class Wire:
    """Frames over the socket to the worker."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.file = connection.makefile("rb")

    def receive(self) -> dict[str, Any] | None:
        """The next message; None when the worker is gone."""
        head = self.file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return None
        return orjson.loads(self.file.read(_HEAD.unpack(head)[0]))

    def send(self, message: dict[str, Any]) -> None:
        body = orjson.dumps(message)
        self.connection.sendall(_HEAD.pack(len(body)) + body)


class Run:
    """The Context of one task (see `task.Context`), and what came of it."""

    def __init__(self, order: dict[str, Any], limits: Limits, wire: Wire) -> None:
        self.limits = limits
        self.images: list[dict[str, Any]] = []
        self.forgotten: list[str] = []
        self._order = order
        self._wire = wire
        self._said = 0.0

    def file(self, ref: str) -> Path:
        return Path(self._order["inputs"][ref])

    def scratch(self, suffix: str) -> Path:
        folder = Path(self._order["scratch"])
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as failure:
            raise UploadFailed("The server has no room to work on images. Try again.") from failure
        return folder / f"{uuid4().hex}{suffix}"

    def store(self, image: NewImage) -> Stored:
        uuids = self._order["uuids"]
        uuid = uuids[len(self.images)] if len(self.images) < len(uuids) else str(uuid4())
        self.images.append(
            {
                "uuid": uuid,
                "path": str(image.path),
                "format": image.format,
                "mime": _MIME[image.format],
                "width": image.width,
                "height": image.height,
                "bytes": image.path.stat().st_size,
            }
        )
        return Stored(uuid, f"{self._order['images_url']}/{uuid}.{image.format.lower()}")

    def forget(self, ref: str) -> None:
        self.forgotten.append(ref)

    def progress(self, fraction: float, stage: str = "") -> None:
        now = time.monotonic()
        if now - self._said >= _PROGRESS_SECONDS:
            self._said = now
            self._wire.send({"progress": min(max(fraction, 0.0), 1.0), "stage": stage})


def perform(catalog: Catalog, order: dict[str, Any], limits: Limits, wire: Wire) -> dict[str, Any]:
    """Run one task. Whatever its handler raises becomes a failure of this task."""
    run = Run(order, limits, wire)
    try:
        task = catalog.named(order["task_type"])
        params = read(task, order["params"])
        if isinstance(params, list):
            raise params[0]
        found = task.handler(params, run)
        items = [item for item in (found if isinstance(found, list) else [found]) if isinstance(item, Result)]
        if not items:
            raise TypeError(f"{task.task_type} returned {type(found).__name__}, not its Result")
    except ApiError as failure:
        return {"failure": failure.as_dict()}
    except Exception:
        incident = uuid4().hex[:12]
        log.error("task_raised", incident=incident, task_type=order["task_type"], trace=traceback.format_exc())
        return {"failure": InternalServerError(f"The task failed on the server, incident {incident}.").as_dict()}
    return {
        "items": [item.model_dump(by_alias=True, exclude_none=True) for item in items],
        "images": run.images,
        "forget": run.forgotten,
    }


def _resident() -> int:
    """Bytes of memory this process holds; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def main(descriptor: int, parent: int) -> None:
    """Serve the worker on an inherited socket until it is gone."""
    die_with_parent(parent)
    start(read_config(), "task")
    wire = Wire(socket.socket(fileno=descriptor))
    hello = wire.receive()
    if hello is None:
        return
    catalog = Catalog.discover(hello["tasks"])
    limits = Limits(**hello["limits"])
    wire.send({"ready": True})
    while (order := wire.receive()) is not None:
        answer = perform(catalog, order, limits, wire)
        wire.send(answer | {"resident": _resident()})


if __name__ == "__main__":
    sys.path.append(str(Path.cwd()))  # task packages of the user's own lie here
    main(int(sys.argv[1]), int(sys.argv[2]))
