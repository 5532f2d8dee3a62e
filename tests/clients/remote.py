"""The half of a client program that has nothing to do with its client: calls in, answers out, one JSON line each.

Runs inside the client's own environment, so it may import nothing but the standard library.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_LONGEST = 2**27
_TOLD = ("code", "parameter", "taskUUID", "task_uuid", "task_type", "status_code", "retryable")


async def serve(make: Callable[..., Any]) -> None:
    """Answer calls until there are no more. `open` makes a client; any other verb is a method of one."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a client prints must not mix with the answers
    clients = dict[int, Any]()
    calls = asyncio.StreamReader(limit=_LONGEST)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(calls), sys.stdin)
    running = set[asyncio.Task[None]]()

    def say(told: dict[str, Any]) -> None:
        answers.write(json.dumps(told) + "\n")
        answers.flush()

    async def answer(number: int, client: int, verb: str, **arguments: Any) -> None:
        told = dict[str, Any](number=number)
        try:
            if verb == "open":
                clients[client] = make(**arguments)
                arguments = {}
            told["value"] = await getattr(clients[client], verb)(**arguments)
        except Exception as failure:
            told["failure"] = _failure(failure)
        say(told)

    say({"number": 0})
    while line := await calls.readline():
        task = asyncio.create_task(answer(**json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)
    for client in clients.values():
        with suppress(Exception):
            await asyncio.wait_for(client.close(), 2)


def _failure(failure: Exception) -> dict[str, Any]:
    about = {name: getattr(failure, name) for name in _TOLD if getattr(failure, name, None) is not None}
    about |= {"taskUUID": about.pop("task_uuid")} if "task_uuid" in about else {}
    about |= getattr(failure, "error_data", {})
    return {"kind": type(failure).__name__, "message": str(failure), "about": about}
