"""One task of any tenant, for operators: found by its UUID or the beginning of it, and what it was asked to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from server.board import Board, Known, Shown, known_by

_MOST = 20
_SEARCHED = 2000
"""Tasks of each shard whose UUIDs are compared with a beginning: so many of the oldest, so many of the newest."""
_TENANTS = 5000


@dataclass(frozen=True)
class Found:
    """Tasks, and whether there may be others that were not looked at."""

    tasks: list[Shown]
    partly: bool


async def find(board: Board, text: str) -> Found:
    """The tasks with this UUID, whoever's they are; or those whose UUID begins so, among the ones that have not ended
    and the ones that ended last. Raises ServiceUnavailable."""
    wanted = uuid_of(text)
    if wanted:
        tenants = list(await board.tenants.known())
        named = [(tenant, wanted) for tenant in tenants[:_TENANTS]] + await _beginning(board, wanted)
        return Found(await board.stories(dict.fromkeys(named)), len(tenants) > _TENANTS)
    named = await _beginning(board, text)
    return Found(await board.stories(named[:_MOST]), True)


def uuid_of(text: str) -> str:
    """A UUID as tasks are known by it, however it is written; empty for what is none. Predictions have theirs without
    dashes."""
    try:
        return str(UUID(text))
    except ValueError:
        return ""


async def _beginning(board: Board, text: str) -> list[Known]:
    found = list[bytes]()
    for base in board.store.bases:
        found += await board.store.guarded("LRANGE", f"{base}:newest", 0, -1)
        for command in ("ZRANGE", "ZREVRANGE"):
            found += await board.store.guarded(command, f"{base}:unfinished", 0, _SEARCHED - 1)
    return list(dict.fromkeys(_matching(found, text)))


def _matching(members: Iterable[bytes], text: str) -> Iterable[Known]:
    wanted = text.replace("-", "").lower()
    for member in members:
        tenant, uuid = known_by(member.decode())
        if uuid.replace("-", "").startswith(wanted):
            yield tenant, uuid
