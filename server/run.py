"""One run of a handler: what it is lent (see `task.Context`), and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from server.errors import UploadFailed
from server.imaging import admit
from server.models import Models
from server.task import Limits, Model, NewImage, OutputParams, Stored

if TYPE_CHECKING:
    from PIL.Image import Image

_MIME = {
    "JPG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "SVG": "image/svg+xml", "BMP": "image/bmp",
    "TIFF": "image/tiff", "GIF": "image/gif",
}  # fmt: skip
_INLINE = {"base64Data": "base64_data", "dataURI": "data_uri"}
_PROGRESS_SECONDS = 0.25


class Stop(BaseException):
    """The task was cancelled. No Exception: a handler that catches those goes on to its end all the same."""


class Run:
    """The Context of one task. `order` is what the worker asks for (see `handling`)."""

    def __init__(
        self,
        order: dict[str, Any],
        limits: Limits,
        models: Models,
        tell: Callable[..., None],
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.limits = limits
        self.images: list[dict[str, Any]] = []
        self.forgotten: list[str] = []
        self.inline: dict[str, list[tuple[str, str]]] = {}
        """What goes out in the message, by image UUID: (name of the member, what its base64 begins with)."""
        self._order = order
        self._models = models
        self._tell = tell
        self._stopped = stopped
        self._uuids = iter(order["uuids"])
        self._inputs: dict[str, dict[str, Any]] = order["inputs"]
        self._said = 0.0

    def file(self, ref: str) -> Path:
        return Path(self._inputs[ref]["path"])

    def open(self, ref: str) -> Image:
        from server.pictures import opened, size_of

        brought = self._inputs[ref]
        path = Path(brought["path"])
        working = self.limits.max_working_side
        if not brought["uuid"] or (working and max(size_of(path)) > working):
            path = self._admitted(ref, working).path
        return opened(path, brought["parameter"])

    def _admitted(self, ref: str, max_side: int) -> NewImage:
        brought = self._inputs[ref]
        limits = replace(self.limits, max_side=max_side)
        return admit(Path(brought["path"]), self.scratch, limits, parameter=brought["parameter"])

    def scratch(self, suffix: str) -> Path:
        folder = Path(self._order["scratch"])
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as failure:
            raise UploadFailed("The server has no room to work on images. Try again.") from failure
        return folder / f"{uuid4().hex}{suffix}"

    def save(self, picture: Image, params: OutputParams, name: str = "image") -> dict[str, str]:
        from server.pictures import encode

        path = self.scratch(f".{params.output_format.lower()}")
        encode(picture, params, path)
        return self.save_file(NewImage(path, params.output_format, *picture.size), params, name)

    def save_file(self, image: NewImage, params: OutputParams, name: str = "image") -> dict[str, str]:
        stored = self._keep(image, self._next_uuid(), params.ttl)
        self.inline[stored.uuid] = [
            (f"{name}_{_INLINE[kind]}", f"data:{_MIME[image.format]};base64," if kind == "dataURI" else "")
            for kind in params.output_type
            if kind in _INLINE
        ]
        url = {f"{name}_url": stored.url} if "URL" in params.output_type else {}
        return {f"{name}_uuid": stored.uuid} | url

    def store(self, image: NewImage) -> Stored:
        return self._keep(image, self._next_uuid())

    def uuid(self, ref: str) -> str:
        brought = self._inputs[ref]
        if not brought["uuid"]:
            admitted = self._admitted(ref, self.limits.max_side)
            brought["uuid"] = self._keep(admitted, str(uuid4()), self.limits.input_seconds).uuid
        return brought["uuid"]

    def _next_uuid(self) -> str:
        return next(self._uuids, "") or str(uuid4())

    def _keep(self, image: NewImage, uuid: str, ttl: int | None = None) -> Stored:
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
            | ({"ttl": ttl} if ttl else {})
        )
        return Stored(uuid, f"{self._order['images_url']}/{uuid}.{image.format.lower()}")

    def model(
        self, air: str | int | None, kind: str, *, required: bool = False, parameter: str = "model"
    ) -> Model | None:
        model = self._models.choose(air, kind, required=required, parameter=parameter)
        if model:
            self._tell({"weights": self._models.held(model)})
        return model

    def models(self) -> list[dict[str, Any]]:
        return self._models.listed()

    def forget(self, ref: str) -> None:
        self.forgotten.append(ref)

    def progress(self, fraction: float, stage: str = "") -> None:
        if self._stopped():
            raise Stop
        now = time.monotonic()
        if now - self._said >= _PROGRESS_SECONDS:
            self._said = now
            self._tell({"progress": min(max(fraction, 0.0), 1.0), "stage": stage})
