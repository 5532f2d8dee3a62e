"""The process that does the pixels: it takes one task at a time from its worker and runs the handler.

It talks over one socket in frames of a length (4 bytes, big end first) and JSON. What it prints goes to the
worker's output, never into an answer. It may crash, hang or be killed: the worker starts another.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from server.catalog import Catalog, read
from server.config import read_config
from server.errors import ApiError, TaskCancelled
from server.lifeline import die_with_parent
from server.log import incident, start
from server.models import Models
from server.run import Run, Stop
from server.schema import Result, wire_name
from server.tally import tally
from server.task import Limits

_HEAD = struct.Struct(">I")


class Wire:
    """Frames over the socket to the worker."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def receive(self) -> dict[str, Any] | None:
        """The next message; None when the worker is gone."""
        head = self._exactly(_HEAD.size)
        return orjson.loads(self._exactly(_HEAD.unpack(head)[0])) if head else None

    def _exactly(self, size: int) -> bytes:
        """So many bytes, and none that come after them: `stopped` looks at what the socket still has."""
        found = bytearray()
        while len(found) < size:
            if not (more := self.connection.recv(size - len(found))):
                return b""
            found += more
        return bytes(found)

    def stopped(self) -> bool:
        """Whether the worker has said that the task it gave last is to stop."""
        return bool(select.select([self.connection], [], [], 0)[0]) and self.receive() is not None

    def send(self, message: dict[str, Any]) -> None:
        body = orjson.dumps(message)
        self.connection.sendall(_HEAD.pack(len(body)) + body)


def perform(catalog: Catalog, order: dict[str, Any], run: Run) -> dict[str, Any]:
    """Run one task. Whatever its handler raises becomes a failure of this task."""
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
        return {"failure": failure.as_dict(), "spent": run.spent}
    except Stop:
        return {"failure": TaskCancelled().as_dict(), "spent": run.spent}
    except Exception as bug:
        failure = incident("task_raised", bug, hide=order["params"], **_named(order))
        return {"failure": failure.as_dict(), "spent": run.spent}
    shown = [_item(item, task.uuid_member, run) for item in items]
    about = {"images": run.images, "forget": run.forgotten, "named": run.named, "spent": run.spent}
    return {"items": shown} | about


def _named(order: dict[str, Any]) -> dict[str, str]:
    """What log lines about a task have."""
    return {"task_uuid": order["task_uuid"], "task_type": order["task_type"]}


def _item(result: Result, uuid_member: str | None, run: Run) -> dict[str, Any]:
    """One item of the answer, and what is to be put in when it is sent: (member, image UUID, what it begins with), or
    else `instead`."""
    item = result.model_dump(by_alias=True, exclude_none=True)
    uuid = item.get(uuid_member or "", "")
    inline = [(wire_name(member), uuid, head) for member, head in run.inline.get(uuid, ())]
    if not inline:
        return item
    return item | {"inline": inline, "instead": {wire_name(name): url for name, url in run.instead[uuid].items()}}


def main(descriptor: int, parent: int) -> None:
    """Serve the worker on an inherited socket until it is gone."""
    die_with_parent(parent)
    config = read_config()
    start(config, "task")
    wire = Wire(socket.socket(fileno=descriptor))
    hello = wire.receive()
    if hello is None:
        return
    catalog = Catalog.discover(hello["tasks"])
    models = Models(config.models, config.models_folder, config.missing)
    limits = Limits(**hello["limits"])
    wire.send({"ready": True})
    while (order := wire.receive()) is not None:
        if "cancel" in order:  # of a task that had just ended
            continue
        run = Run(order, replace(limits, **order["limits"]), models, wire.send, wire.stopped)
        answer = perform(catalog, order, run)
        wire.send(answer | {"counted": tally.take()})


if __name__ == "__main__":
    sys.path.append(str(Path.cwd()))  # task packages of the user's own lie here
    main(int(sys.argv[1]), int(sys.argv[2]))
