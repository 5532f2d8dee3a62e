"""Sends the messages of the manual to a server and keeps what it answers, with all in it that changes made constant."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pybase64
from websockets.sync.client import ClientConnection, connect

from server.manual.examples import Message, stored, uuid_of, with_pictures
from server.manual.prose import SEND

PROSE = Path(__file__).with_name("prose")
HOST = "127.0.0.1:8000"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SENT = re.compile(rf"^```{SEND}(\S+)\n(.*?)^```", re.M | re.S)
_SHOWN_TEXT = 64
_SIDE = 320


def messages(text: str) -> Iterator[tuple[str, Message]]:
    """The messages of a page that are shown with their answers, by their names."""
    for name, message in _SENT.findall(text):
        yield name, json.loads(message)


def recorded(host: str, key: str) -> dict[str, Any]:
    """Everything that `examples.json` is to keep, answered anew by a server in test mode."""
    kept = stored()
    tasks = {name: _task(host, key, name, example, kept["pictures"]) for name, example in kept["tasks"].items()}
    return {"pictures": kept["pictures"], "tasks": tasks, "protocol": dict(_conversation(host, key))}


def _task(host: str, key: str, name: str, example: dict[str, Any], pictures: dict[str, str]) -> dict[str, Any]:
    message = with_pictures(example["message"], pictures)
    with opened(host, key) as socket:
        frames = answered(socket, message)
    items = frames[-1].get("data", [{}])
    url = next((items[0][member] for member in items[0] if member.endswith("URL")), "")
    told = {"message": example["message"], "answers": Constant(name, host).of(frames, message)}
    shown = {"before": example["before"], "after": _picture(url)} if "before" in example else {}
    return told | shown


def _conversation(host: str, key: str) -> Iterator[tuple[str, Any]]:
    """The answers to the messages of all pages, each page on one socket."""
    for page in sorted(PROSE.glob("*.md")):
        constant, told = Constant(page.stem, host), dict(messages(page.read_text()))
        greets = any(message[0]["taskType"] == "authentication" for message in told.values())
        with opened(host, "" if greets else key) as socket:
            for name, message in told.items():
                yield name, constant.of(answered(socket, with_key(message, key)), message)


def with_key(message: Message, key: str) -> Message:
    """A message with the key that it leaves out."""
    return [task | {"apiKey": key} if "apiKey" in task else task for task in message]


@contextmanager
def opened(host: str, key: str) -> Generator[ClientConnection]:
    """A socket that has authenticated, if there is a key."""
    with connect(f"ws://{host}/v1", compression=None, max_size=None) as socket:
        if key:
            answered(socket, [{"taskType": "authentication", "apiKey": key}])
        yield socket


def answered(socket: ClientConnection, message: Message) -> list[dict[str, Any]]:
    """The answer to each object of a message, in their order."""
    socket.send(json.dumps(message))
    for task in message:
        if "binary" in task:
            picture = pybase64.b64decode(stored()["pictures"]["dot"].partition(",")[2])
            socket.send(UUID(task["taskUUID"]).bytes + bytes(4) + picture)
    wanted: list[str] = [task.get("taskUUID", task["taskType"]) for task in message]
    found = dict[str, dict[str, Any]]()
    while not found.keys() >= set(wanted):
        frame = json.loads(socket.recv(60))
        for item in [*frame.get("data", ()), *frame.get("errors", ())][:1]:
            found.setdefault(item.get("taskUUID") or item["taskType"], frame)
    return [found[name] for name in wanted]


class Constant:
    """Makes the frames of a page such that they only change when the server does: another host, the same UUIDs for the
    same images but for those that a message names, no secret, no name of a machine."""

    def __init__(self, page: str, host: str) -> None:
        self._page = page
        self._host = host
        self._names = dict[str, str]()

    def of(self, frames: list[dict[str, Any]], message: Message) -> list[dict[str, Any]]:
        """The answers to a message of the page."""
        self._names |= {found: found for found in _UUID.findall(json.dumps(message))}
        text = json.dumps(frames, ensure_ascii=False).replace(self._host, HOST)
        text = re.sub(r"/im/[^/\"]+/", f"/im/{uuid_of('tenant').replace('-', '')[:12]}/", text)
        text = re.sub(r'"worker": "[^"]*"', '"worker": "worker-1"', text)
        text = re.sub(r"whsec_[\w+/=]+", "whsec_…", text)
        for found in _UUID.findall(text):
            self._names.setdefault(found, uuid_of("answer", self._page, len(self._names)))
        return _cut(json.loads(_UUID.sub(lambda found: self._names[found[0]], text)))


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _cut(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_cut(part) for part in value]
    long = isinstance(value, str) and len(value) > 2 * _SHOWN_TEXT and " " not in value and "://" not in value
    return f"{value[:_SHOWN_TEXT]}…" if long else value


def _picture(url: str) -> str:
    """A result as a data URI, small enough to stand in a page."""
    if not url:
        return ""
    with urllib.request.urlopen(url, timeout=30) as answer:
        kind, content = answer.headers["content-type"], answer.read()
    if "svg" not in kind:
        kind, content = "image/webp", _small(content)
    return f"data:{kind};base64,{pybase64.b64encode_as_string(content)}"


def _small(content: bytes) -> bytes:
    from PIL import Image

    with Image.open(BytesIO(content)) as picture:
        picture.thumbnail((_SIDE, _SIDE))
        written = BytesIO()
        picture.save(written, "WEBP", quality=60)
    return written.getvalue()
