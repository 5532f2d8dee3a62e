"""One run of a handler: what it is lent (see `task.Context`), and what came of it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from server.content import content
from server.errors import UploadFailed
from server.imaging import admit
from server.models import Models
from server.task import Limits, Member, Model, NewImage, OutputParams, Stored

if TYPE_CHECKING:
    from PIL.Image import Image

_MIME = {
    "JPG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "SVG": "image/svg+xml", "BMP": "image/bmp",
    "TIFF": "image/tiff", "GIF": "image/gif",
}  # fmt: skip
_INLINE = {"base64Data": "base64_data", "dataURI": "data_uri"}
_PROGRESS_SECONDS = 0.25
_STAGE_SECONDS = 0.05
"""A step of another kind is told sooner: the one after it may be long in coming."""
_NUMBER = re.compile(r"\d+")


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
        self.inline: dict[str, list[tuple[str, str | dict[str, Any]]]] = {}
        """What goes out in the message, by image UUID: (name of the member, what its base64 begins with), or after it
        in binary frames: (name, what is told of them)."""
        self.instead: dict[str, dict[str, str]] = {}
        """What goes out in its place where a client cannot take so much, by image UUID: the member with the URL."""
        self._order = order
        self._models = models
        self._tell = tell
        self._stopped = stopped
        self._uuids = iter(order["uuids"])
        self._inputs: dict[str, dict[str, Any]] = order["inputs"]
        self._said, self._words = 0.0, ""
        self._begun, self._spent = time.monotonic(), {"decode": 0.0, "encode": 0.0}

    @property
    def spent(self) -> dict[str, float]:
        """Seconds since the start: on reading images, on writing them, and on all else."""
        return self._spent | {"run": time.monotonic() - self._begun - sum(self._spent.values())}

    @property
    def named(self) -> dict[str, str]:
        """The UUIDs of the inputs that have one by now."""
        return {reference: uuid for reference, brought in self._inputs.items() if (uuid := brought["uuid"])}

    @contextmanager
    def _timed(self, stage: str) -> Generator[None]:
        start = time.monotonic()
        yield
        self._spent[stage] += time.monotonic() - start

    def file(self, ref: str) -> Path:
        return Path(self._inputs[ref]["path"])

    def open(self, ref: str) -> Image:
        from server.pictures import opened, size_of

        brought = self._inputs[ref]
        path = Path(brought["path"])
        working = self.limits.max_working_side
        with self._timed("decode"):
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
        with self._timed("encode"):
            encode(picture, params, path)
        return self.save_file(NewImage(path, params.output_format, *picture.size), params, name)

    def save_file(self, image: NewImage, params: OutputParams, name: str = "image") -> dict[str, str]:
        stored = self._keep(image, self._next_uuid(), params.ttl)
        self.inline[stored.uuid] = [
            (f"{name}_{_INLINE[kind]}", f"data:{_MIME[image.format]};base64," if kind == "dataURI" else "")
            for kind in params.output_type
            if kind in _INLINE
        ]
        if "binary" in params.output_type:
            kept = self.images[-1]
            self.inline[stored.uuid].append((name, {"bytes": kept["bytes"], "hash": kept["hashes"][0]}))
        url = self.instead[stored.uuid] = {f"{name}_url": stored.url}
        return {f"{name}_uuid": stored.uuid} | (url if {"URL", "binary"} & {*params.output_type} else {})

    def store(self, image: NewImage) -> Stored:
        return self._keep(image, self._next_uuid())

    def uuid(self, ref: str) -> str:
        return self._registered(ref)["uuid"]

    def stored(self, ref: str) -> Stored:
        brought = self._registered(ref)
        return Stored(brought["uuid"], self._url(brought["uuid"], brought["format"]))

    def _registered(self, ref: str) -> dict[str, Any]:
        brought = self._inputs[ref]
        if not brought["uuid"]:
            with self._timed("decode"):
                admitted = self._admitted(ref, self.limits.max_side)
            kept = self._keep(admitted, str(uuid4()), self.limits.input_seconds)
            brought |= {"uuid": kept.uuid, "format": admitted.format}
        return brought

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
                "hashes": _hashes(image),
            }
            | ({"ttl": ttl} if ttl else {})
        )
        return Stored(uuid, self._url(uuid, image.format))

    def _url(self, uuid: str, format: str) -> str:
        return f"{self._order['images_url']}/{uuid}.{format.lower()}"

    def model(
        self, air: str | int | None, kind: str, *, required: bool = False, parameter: str = "model"
    ) -> Model | None:
        model = self._models.choose(air, kind, required=required, parameter=parameter)
        if model:
            self._tell({"weights": self._models.held(model)})
        return model

    def models(self) -> list[dict[str, Any]]:
        return self._models.listed()

    def members(self) -> list[Member]:
        return [Member(*told) for told in self._order["members"]]

    def forget(self, ref: str) -> None:
        self.forgotten.append(ref)

    def progress(self, fraction: float, stage: str = "") -> None:
        if self._stopped():
            raise Stop
        now, words = time.monotonic(), _NUMBER.sub("", stage)
        if now - self._said >= (_PROGRESS_SECONDS if words == self._words else _STAGE_SECONDS):
            self._said, self._words = now, words
            self._tell({"progress": min(max(fraction, 0.0), 1.0), "stage": stage})


def _hashes(image: NewImage) -> list[str]:
    """What an image is found by: its content, and that of the client's file where this was another one."""
    sources = [image.path, *([image.source] if image.source and image.source != image.path else [])]
    return [content(file) for file in sources]
