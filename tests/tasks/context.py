"""A context for handlers under test: inputs and results lie in one folder, and nothing else is needed."""

from __future__ import annotations

import base64
from pathlib import Path
from uuid import uuid4

from server.task import Limits, NewImage, Stored


class FolderContext:
    """Lends a handler a folder. An input is named by a data URI, or by the UUID of a stored image."""

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self.folder = folder
        self.limits = limits or Limits()
        self.stored: dict[str, NewImage] = {}
        self.forgotten: list[str] = []
        self.said: list[tuple[float, str]] = []

    def file(self, ref: str) -> Path:
        if ref in self.stored:
            return self.stored[ref].path
        path = self.scratch("")
        path.write_bytes(base64.b64decode(ref.partition(",")[2]))
        return path

    def scratch(self, suffix: str) -> Path:
        return self.folder / f"{uuid4().hex}{suffix}"

    def store(self, image: NewImage) -> Stored:
        uuid = str(uuid4())
        self.stored[uuid] = image
        return Stored(uuid, f"http://127.0.0.1/im/{uuid}.{image.format.lower()}")

    def forget(self, ref: str) -> None:
        self.forgotten.append(ref)

    def progress(self, fraction: float, stage: str = "") -> None:
        self.said.append((fraction, stage))


def data_uri(data: bytes, mime: str = "application/octet-stream") -> str:
    """Bytes as a client sends them inline."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"
