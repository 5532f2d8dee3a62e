"""Binary frames on a socket that has the feature `binary`: what they look like, how uploads announce them, and the
images of results that go out in them.

A frame is the taskUUID (16 bytes), an index from 0 (4 bytes, big end first) and a part of the file. An upload is an
`imageUpload` with `binary` in the place of `image`; the frames of a result follow the text frame that tells of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from server.api import v1
from server.blobs import BlobMissing, Blobs
from server.catalog import checked
from server.dispatch import Dispatch
from server.errors import ApiError, InvalidParameter, MediaNotFound, ValueTooLarge
from server.frames import HEAD, PART_BYTES
from server.prepare import Caller, Prepared, Refused, Request, refuse
from server.schema import Params, rule
from server.uploads import HASHED, MOST_PARTS, Staged

FILE = "file:binary"
"""What stands for the file of an upload among the parameters."""
_SENT_BYTES = PART_BYTES - HEAD.size
"""How much of a file goes out in a frame: with its head it is a message that WebSocket libraries take by default."""


class Announced(Params):
    """What `binary` says of a file that is to come."""

    frames: Annotated[int, Field(ge=1, le=MOST_PARTS, description="In how many binary frames the file comes.")]
    bytes: Annotated[int, Field(ge=1, description="How large it is in all.")]
    hash: Annotated[
        str, Field(pattern=f"^({HASHED}[0-9a-f]{{64}})?$", description="Its BLAKE3, checked when all has come.")
    ] = ""

    @rule("frames")
    def _each_has_some(self) -> bool:
        """frames: each has between 1 byte and 1 MiB of the file."""
        return self.frames <= self.bytes <= self.frames * PART_BYTES


_NOTHING = Announced(frames=1, bytes=1)


@dataclass(frozen=True)
class Announcement(Request):
    """An imageUpload whose file comes in binary frames."""

    file: Announced = _NOTHING


def announcement(dispatch: Dispatch, caller: Caller, request: Request) -> Prepared | Refused | None:
    """An announcement checked; None for what is none."""
    if "binary" not in request.fields or request.fields.get("taskType") != "imageUpload":
        return None
    failures = list[ApiError]()
    if "image" in request.fields:
        failures.append(InvalidParameter("binary stands in the place of image. Send one of them.", parameter="binary"))
    file = _announced(request.fields["binary"], dispatch.config.max_message)
    if isinstance(file, list):
        failures += file
        file = _NOTHING
    fields = {name: value for name, value in request.fields.items() if name != "binary"} | {"image": FILE}
    files = {FILE: Staged("", "")}
    prepared = dispatch.prepare(caller, Announcement(request.sent, fields, request.spelling, files, file=file))
    if not failures:
        return prepared
    others = prepared.failures if isinstance(prepared, Refused) else []
    refused = refuse(request, failures)
    return replace(refused, failures=others + refused.failures)


def _announced(told: object, most: int) -> Announced | list[ApiError]:
    if not isinstance(told, dict):
        return [InvalidParameter("binary: it is an object with frames, bytes and perhaps hash.", parameter="binary")]
    members: dict[str, Any] = told
    found = checked(Announced, {name: value for name, value in members.items() if value is not None})
    if isinstance(found, list):
        return [InvalidParameter(f"binary.{wrong.message}", parameter="binary") for wrong in found]
    if found.bytes > most:
        sentence = f"An upload may have {most} bytes (TASKARRAY_MAX_MESSAGE)."
        return [ValueTooLarge(sentence, parameter="binary", max=most)]
    return found


@dataclass(frozen=True)
class Parcel:
    """An image that goes out in frames: its task, where it lies, how large it is, and which frames of the task."""

    task: bytes
    blob: str
    bytes: int
    first: int
    frames: int

    async def read(self, blobs: Blobs) -> AsyncIterator[bytes]:
        """The frames, one at a time. Raises BlobMissing where the image is gone."""
        for place in range(self.frames):
            start = place * _SENT_BYTES
            end = min(start + _SENT_BYTES, self.bytes)
            part = b"".join([chunk async for chunk in blobs.read(self.blob, start, end)])
            yield HEAD.pack(self.task, self.first + place) + part


async def announce(blobs: Blobs, shown: list[dict[str, Any]], items: list[dict[str, Any]]) -> None:
    """Say in the items of an answer which of their images follow in binary frames; `items` are those of the outcome.
    Raises MediaNotFound where one is gone."""
    first = 0
    for told, item in zip(shown, items, strict=True):
        for member, blob, head in item.get("inline", ()):
            if isinstance(head, dict):
                await _there(blobs, blob)
                frames = -(-head["bytes"] // _SENT_BYTES)
                told["binary"] = {"first": first, "frames": frames} | head | {"member": member, "blob": blob}
                first += frames


async def _there(blobs: Blobs, blob: str) -> None:
    try:
        await anext(blobs.read(blob, 0, 1))
    except BlobMissing:
        raise MediaNotFound("The image that this task made is no longer kept.") from None


def parcels(frame: v1.Frame) -> list[Parcel]:
    """What follows a frame in binary frames. Where it lies is taken out of the frame: that is nobody else's matter."""
    found = list[Parcel]()
    for item in v1.told(frame):
        if told := item.get("binary"):
            task = UUID(item["taskUUID"]).bytes
            found.append(Parcel(task, told.pop("blob"), told["bytes"], told["first"], told["frames"]))
    return found
