"""What is kept of tasks, for whoever asks about them."""

from __future__ import annotations

import time
from collections.abc import Sequence

import orjson

from server.jobs import Known, Standing
from server.store import Store


class Records:
    """The tasks of all shards."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.config = store.config

    async def first_drop(self, tenant: str, uuid: str) -> bool:
        """Whether no socket has dropped for a task yet; from now on one has. For tasks in test mode."""
        return bool(await self.store.run("drop_once", self.store.home(tenant), tenant, uuid.lower()))

    async def standings(self, tenant: str, uuids: Sequence[str]) -> list[Standing]:
        """How tasks of this tenant stand, as far as one can tell now."""
        lowered = [uuid.lower() for uuid in uuids]
        found = await self.store.run("standings", self.store.home(tenant), tenant, *lowered)
        return [
            Standing(
                state.decode() if state else "", float(progress) if progress else None,
                stage.decode() if stage else "", ahead,
            )
            for state, progress, stage, ahead in found
        ]  # fmt: skip

    async def known(self, tenant: str, uuid: str) -> Known | None:
        """What is kept of a task of this tenant; None when there is nothing."""
        names = (
            "request", "state", "delivery", "uuids", "progress", "stage", "outcome", "created", "seconds", "started",
            "worker", "oversized", "hash",
        )  # fmt: skip
        key = f"{self.store.home(tenant)}:task:{tenant}:{uuid.lower()}"
        found = await self.store.guarded("HMGET", key, *names)
        request, state, delivery, uuids, progress, stage, outcome, created, seconds, started, worker, over, hash = found
        if request is None:
            return None
        return Known(
            orjson.loads(request), state.decode(), delivery.decode(), orjson.loads(uuids),
            float(progress) if progress else None, stage.decode() if stage else "",
            orjson.loads(outcome) if outcome else None, int(created) / 1000, float(seconds or 0),
            int(started or 0) / 1000, worker.decode() if worker else "", int(over or 0), hash.decode(),
        )  # fmt: skip

    async def depth(self) -> tuple[int, float]:
        """How many jobs wait or run, and the age of the oldest in seconds."""
        depth, oldest = 0, (now := time.time())
        for base in self.store.bases:
            depth += await self.store.guarded("ZCARD", f"{base}:unfinished")
            first = await self.store.guarded("ZRANGE", f"{base}:unfinished", 0, 0, "WITHSCORES")
            if first:
                oldest = min(oldest, float(first[1]) / 1000)
        return depth, now - oldest
