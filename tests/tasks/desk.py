"""A handler under test, run as the task process runs it, in this process: real inputs, real files, no socket."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy
from PIL import Image

from server.catalog import read
from server.child import perform
from server.fetch import decode, kind
from server.models import Models
from server.run import Run
from server.schema import references, spelled
from server.task import Limits, Task


class _Only:
    """A catalogue of one task."""

    def __init__(self, task: Task[Any, Any]) -> None:
        self.task = task

    def named(self, task_type: str) -> Task[Any, Any]:
        return self.task


@dataclass
class Done:
    """What came of a task: its items as the client gets them, its images' records, or its failure."""

    items: list[dict[str, Any]]
    images: list[dict[str, Any]]
    failure: dict[str, Any]
    said: list[dict[str, Any]]

    @property
    def item(self) -> dict[str, Any]:
        """The one item of a task that succeeded."""
        assert not self.failure, self.failure
        assert len(self.items) == 1
        return self.items[0]

    @property
    def picture(self) -> Image.Image:
        """The first result's file, decoded."""
        assert not self.failure, self.failure
        with Image.open(self.path) as image:
            image.load()
            return image

    @property
    def path(self) -> Path:
        """The first result's file."""
        uuid = next(value for name, value in self.item.items() if name.endswith("UUID"))
        return Path(next(image["path"] for image in self.images if image["uuid"] == uuid))

    @property
    def pixels(self) -> numpy.ndarray:
        """The first result's pixels."""
        return numpy.asarray(self.picture)


class Desk:
    """Runs tasks in a folder. `table` is the text of a table of models, whose files lie in `folder/models`."""

    def __init__(self, folder: Path, *, limits: Limits | None = None, table: str = "", missing: str = "fallback"):
        self.folder = folder
        self.limits = limits or Limits()
        (folder / "models").mkdir(exist_ok=True)
        path = folder / "models.toml"
        path.write_text(table)
        self.models = Models(path if table else None, folder / "models", missing)  # type: ignore[arg-type]
        self.stored: dict[str, Path] = {}

    def keep(self, picture: Image.Image | numpy.ndarray | bytes, **options: Any) -> str:
        """Store a picture (as PNG unless options say else); its UUID, to be named by tasks."""
        uuid = str(uuid4())
        self.stored[uuid] = self.folder / uuid
        self.stored[uuid].write_bytes(picture if isinstance(picture, bytes) else encoded(picture, **options))
        return uuid

    def run(self, task: Task[Any, Any], **fields: Any) -> Done:
        """Run a task with fields in their wire spelling."""
        params = read(task, fields)
        if isinstance(params, list):
            return Done([], [], params[0].as_dict(), [])
        said = list[dict[str, Any]]()
        order = {
            "task_type": task.task_type,
            "params": fields,
            "uuids": [str(uuid4()) for _ in range(getattr(params, "number_results", 1))],
            "scratch": str(self.folder / f"task-{uuid4().hex}"),
            "inputs": {value: self._brought(value, spelled(place)) for place, value in references(params)},
            "images_url": "http://127.0.0.1/im/tester",
            "members": [],
        }
        run = Run(order, self.limits, self.models, said.append)
        answer = perform(_Only(task), order, run)  # type: ignore[arg-type]
        return Done(answer.get("items", []), answer.get("images", []), answer.get("failure", {}), said)

    def _brought(self, reference: str, place: str) -> dict[str, Any]:
        if kind(reference) == "uuid":
            return {"path": str(self.stored[reference]), "parameter": place, "uuid": reference}
        path = self.folder / uuid4().hex
        path.write_bytes(decode(reference, place))
        return {"path": str(path), "parameter": place, "uuid": None}


def encoded(picture: Image.Image | numpy.ndarray, format: str = "PNG", **options: Any) -> bytes:
    """A picture as a file."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, format=format, **options)
    return file.getvalue()


def data_uri(picture: Image.Image | numpy.ndarray | bytes, **options: Any) -> str:
    """A picture as a client sends it inline."""
    data = picture if isinstance(picture, bytes) else encoded(picture, **options)
    return f"data:application/octet-stream;base64,{base64.b64encode(data).decode()}"
