"""The task array dialect: what its two faces, socket and HTTP, share. Objects in, frames out.

Old and new names, nested and flattened settings, nulls and unknown members are levelled here, before validation.
A frame holds one task: clients hand all of a frame to whoever waits for any of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import orjson
import pybase64

from server.blobs import BlobMissing, Blobs
from server.envelope import ENVELOPE
from server.errors import ApiError, InvalidRequest, MediaNotFound, wire
from server.prepare import Request

_KNOWN_BY = re.compile(rb'"(taskUUID|taskType)"\s*:\s*"([0-9A-Za-z-]{1,64})"')
_GLIMPSE = 256 * 1024
_INPUTS = {
    "image": "inputImage",
    "images": "inputImages",
    "mask": "maskImage",
    "video": "inputVideo",
}
"""Members of `inputs` by the flat names that older clients use; others keep their name."""
_UNSEEN = ("inline", "instead")
"""What is kept with an item and not sent: what is to be put into it."""


def parse(text: str | bytes) -> list[dict[str, Any]]:
    """A message as task objects. A single object is taken as an array of one, and an element that is no object as
    an empty one, whose refusal stops none of its neighbours. Raises InvalidRequest."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as broken:
        raise InvalidRequest(f"The message is not JSON: {broken.msg} at position {broken.pos}.") from None
    if not isinstance(found, list | dict):
        raise InvalidRequest
    objects: list[Any] = found if isinstance(found, list) else [found]
    if not objects:
        raise InvalidRequest("The array is empty. Send at least one task object.")
    return [item if isinstance(item, dict) else {} for item in objects]


def unreadable(message: str | bytes, failure: ApiError) -> list[Frame]:
    """The refusals of a message that is not JSON: one for each task that can be made out in it."""
    start = message[:_GLIMPSE]
    start = start.encode() if isinstance(start, str) else start
    return [errors([failure.as_dict()], sent) for sent in glimpsed(start)]


def glimpsed(start: bytes) -> list[dict[str, Any]]:
    """The tasks that the beginning of a message tells, as far as it does; one unknown if it tells none."""
    found = [dict[str, Any]()]
    for name, value in _KNOWN_BY.findall(start):
        if name.decode() in found[-1]:
            found.append({})
        found[-1][name.decode()] = value.decode()
    return found


def level(sent: dict[str, Any]) -> Request:
    """One task object with every parameter where our schemas have it."""
    fields = {name: value for name, value in sent.items() if value is not None}
    spelling = dict[str, str]()
    for container in ("settings", "inputs"):
        if not isinstance(fields.get(container), dict):
            continue
        members: dict[str, Any] = fields.pop(container)
        for name, value in members.items():
            flat = _INPUTS.get(name, name) if container == "inputs" else name
            if value is not None and flat not in fields and flat not in ENVELOPE:
                fields[flat] = value
                spelling[flat] = f"{container}.{name}"
    return Request(sent, fields, spelling)


def echo(sent: dict[str, Any]) -> dict[str, Any]:
    """The members by which a client knows its task, byte for byte as it sent them."""
    return {name: sent[name] for name in ("taskType", "taskUUID") if isinstance(sent.get(name), str)}


Frame = dict[str, Any]
"""One answer: `{"data": […]}` or `{"errors": […]}`, about one task."""


def dumps(frame: Frame) -> bytes:
    """A frame as it goes out."""
    return orjson.dumps(frame)


def data(items: Iterable[dict[str, Any]]) -> Frame:
    """Results of one task."""
    return {"data": list(items)}


def told(frame: Frame) -> list[dict[str, Any]]:
    """The items of a frame, or its failures."""
    found = frame.get("data") or frame.get("errors", [])
    return [found] if isinstance(found, dict) else found


def pong(sent: dict[str, Any]) -> Frame:
    """The answer to a ping, alone in its frame."""
    return data([{"taskType": "ping", "pong": True, **echo(sent)}])


def dry(word: str | None) -> bool:
    """Whether the `dryRun` of an address says that tasks are only checked."""
    return word in ("1", "true")


def as_object(frame: Frame) -> Frame:
    """A frame with its one result as an object, as the upload page shows it; official clients need a list."""
    return frame | {"data": frame["data"][0]} if len(frame.get("data", ())) == 1 else frame


def errors(failures: Iterable[dict[str, Any]], sent: dict[str, Any], **members: Any) -> Frame:
    """All that is wrong with one task. In one frame: to some clients a second one would come from a task they no
    longer know, and that is fatal to all their others."""
    return {"errors": [wire(failure, **echo(sent), **members) for failure in failures]}


def refused_authentication(failure: ApiError) -> Frame:
    """What a wrong key gets. Some clients read the list, some the single object; all need this code and type."""
    shown = wire(failure.as_dict(), taskType="authentication") | {"code": "invalidApiKey"}
    return {"errors": [shown], "error": shown}


async def items_of(
    blobs: Blobs, sent: dict[str, Any], outcome: dict[str, Any], *, light: bool = False, **members: Any
) -> list[dict[str, Any]]:
    """The items of an outcome as the client gets them, with the bytes it asked to have in the message; `light`, with
    their URLs instead, and a word about it.

    Raises MediaNotFound where the bytes are gone.
    """
    found = list[dict[str, Any]]()
    for item in outcome["items"]:
        inline = item.get("inline", ())
        shown = echo(sent) | members | {name: value for name, value in item.items() if name not in _UNSEEN}
        if light and inline:
            shown |= item["instead"] | {"warnings": ["resultTooLargeForConnection"]}
            inline = ()
        for member, blob, prefix in inline:
            if not isinstance(prefix, str):  # it comes in binary frames, or by its URL
                continue
            try:
                content = b"".join([chunk async for chunk in blobs.read(blob)])
            except BlobMissing:
                raise MediaNotFound("The image that this task made is no longer kept.") from None
            shown[member] = prefix + pybase64.b64encode_as_string(content)
        found.append(shown)
    return found
