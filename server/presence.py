"""Who is there: each gateway and each worker says every other second that it lives, what it holds and what it does.

What a process says goes into a hash of its kind; one that is silent is not there. Readiness and the board go by it.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import orjson

from server.nodes import FAILURES
from server.store import Store

PAUSE_SECONDS = 2
_SILENT_SECONDS = 10
Kind = Literal["gateways", "workers"]


async def report(store: Store, kind: Kind, name: str, **about: Any) -> None:
    """Say that a process lives. With Redis away nobody hears it, which says the same as silence."""
    said = orjson.dumps({"at": time.time(), "pid": os.getpid()} | about)
    with suppress(*FAILURES):
        await store.call("HSET", _key(store, kind), name, said)


async def leave(store: Store, kind: Kind, name: str) -> None:
    """A process ends."""
    with suppress(*FAILURES):
        await store.call("HDEL", _key(store, kind), name)


async def present(store: Store, kind: Kind) -> dict[str, dict[str, Any]]:
    """What those have said that have been heard lately, by their names. Raises ServiceUnavailable."""
    found = {name.decode(): orjson.loads(said) for name, said in (await store.hash(_key(store, kind))).items()}
    return {name: about for name, about in found.items() if time.time() - about["at"] < _SILENT_SECONDS}


async def bury(store: Store, kind: Kind, seconds: float) -> list[str]:
    """Forget those that have been silent for so long; the names of all that there were."""
    found = await store.hash(_key(store, kind))
    silent = [name for name, said in found.items() if time.time() - orjson.loads(said)["at"] > seconds]
    if silent:
        await store.guarded("HDEL", _key(store, kind), *silent)
    return [name.decode() for name in found]


def resident(pid: int | None) -> int:
    """Bytes of memory that a process holds; 0 where the system does not say, and for none."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _key(store: Store, kind: Kind) -> str:
    return f"{store.config.prefix}:{kind}"
