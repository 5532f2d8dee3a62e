"""What the predictions API keeps besides the tasks themselves: their list, tickets for uploads, requests to take up."""

from __future__ import annotations

import secrets
import time
from dataclasses import asdict, dataclass

import orjson

from server.store import Store

TICKET_SECONDS = 900
_LISTED = 10_000
_LISTED_SECONDS = 7 * 86400
_ERASED_SECONDS = 600
_DROPPED_SECONDS = 60


@dataclass(frozen=True)
class Listed:
    """A prediction in its list: the task, the model's name as sent, the task's state."""

    uuid: str
    model: str
    state: str


@dataclass(frozen=True)
class Ticket:
    """Leave to upload one file without a key. `uuid` is the image that it becomes."""

    uuid: str
    filename: str


class Predictions:
    """The records of one installation's predictions."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def foresee(self, tenant: str, uuid: str, model: str) -> None:
        """Put a task in the list, before it is submitted: what is never submitted is not shown."""
        now = time.time()
        await self.store.run(
            "foresee", self.store.home(tenant), tenant, uuid, model, round(now * 1000), _LISTED,
            round((now - _LISTED_SECONDS) * 1000), _LISTED_SECONDS,
        )  # fmt: skip

    async def listed(self, tenant: str, after: float | None, before: float | None) -> list[Listed]:
        """The predictions of the last seven days, newest first, from `after` up to `before`."""
        first, last = round((after or 0) * 1000), "inf" if before is None else round(before * 1000)
        flat = await self.store.run("listed", self.store.home(tenant), tenant, first, last)
        words = [word.decode() for word in flat]
        return [Listed(*entry) for entry in zip(words[::3], words[1::3], words[2::3], strict=True)]

    async def erase(self, tenant: str, uuid: str) -> bool:
        """Remove a finished task and what it made. False when there is none, or it has not ended."""
        return bool(await self.store.run("erase", self.store.home(tenant), tenant, uuid, _ERASED_SECONDS))

    async def erased(self, tenant: str, uuid: str) -> float | None:
        """When a task was taken that has been erased a while ago; None when there was none."""
        found = await self.store.guarded("GET", f"{self.store.home(tenant)}:erased:{tenant}:{uuid}")
        return int(found) / 1000 if found else None

    async def dropped(self, tenant: str, fingerprint: str, uuid: str) -> None:
        """Whoever asked for a task went away before the answer."""
        await self.store.run("dropped", self.store.home(tenant), tenant, fingerprint, uuid, _DROPPED_SECONDS)

    async def take_up(self, tenant: str, fingerprint: str) -> str | None:
        """The task of such a request whose client went away lately; each is taken up once."""
        found = await self.store.guarded("LPOP", f"{self.store.home(tenant)}:dropped:{tenant}:{fingerprint}")
        return found.decode() if found else None

    async def issue(self, tenant: str, ticket: Ticket) -> str:
        """Keep a ticket for a quarter of an hour; the token that stands for it."""
        token = secrets.token_urlsafe(24)
        key = f"{self.store.home(tenant)}:ticket:{tenant}:{token}"
        await self.store.guarded("SET", key, orjson.dumps(asdict(ticket)), "EX", TICKET_SECONDS)
        return token

    async def ticket(self, tenant: str, token: str) -> Ticket | None:
        """The ticket of a token; None when there is none."""
        found = await self.store.guarded("GET", f"{self.store.home(tenant)}:ticket:{tenant}:{token}")
        return Ticket(**orjson.loads(found)) if found else None

    async def counted(self, tenant: str) -> dict[tuple[int, str], int]:
        """Tasks that a tenant has had done, by day (since 1970, UTC) and task type."""
        found = await self.store.hash(f"{self.store.home(tenant)}:usage:{tenant}")
        days = [(name.decode().split("|"), int(count)) for name, count in found.items()]
        return {(int(day), task_type): count for (day, task_type), count in days}
