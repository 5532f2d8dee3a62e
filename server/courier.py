"""Sends what is owed to receivers: many at once, no more than a share for one host, and again after a failure.

Any number of couriers may run. What one has in hand is on a lease that it renews; a courier that dies is followed
by another, which sends under the same id.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from server.config import Config
from server.delivery import Messenger, Undelivered
from server.errors import ServiceUnavailable
from server.log import incident, log
from server.store import Store
from server.tally import tally
from server.webhooks import Delivery, Webhooks

_LOOK_SECONDS = 0.5
_AT_ONCE = 64
_SHARE = 4
"""Deliveries to one host at a time: one that hangs holds up no other."""
_GROWTH = 4
_LONGEST_SECONDS = 900.0
_RETRY_SECONDS = 0.5


class Courier:
    """The deliveries of one process."""

    def __init__(self, config: Config, store: Store) -> None:
        self.config = config
        self.store = store
        self.webhooks = Webhooks(store)
        self.messenger = Messenger(config, store)
        self._sending: dict[str, tuple[Delivery, asyncio.Task[None]]] = {}
        self._bases = set[str]()
        """Where something has become due or a place has become free."""
        self._look_at = 0.0
        self._rung = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until told to stop, then let what is under way come to its end."""
        aside = [asyncio.create_task(self._listen()), asyncio.create_task(self._keep())]
        stopped = asyncio.create_task(stop.wait())
        while not stop.is_set():
            await self._look(stopped)
        if sending := [task for _, task in self._sending.values()]:
            await asyncio.wait(sending, timeout=self.config.drain_timeout)
        # What is not at its end by now is sent again by another once the lease is over.
        for task in (*aside, *sending):
            task.cancel()
        await asyncio.gather(*aside, *sending, return_exceptions=True)
        await self.messenger.close()

    async def _look(self, stopped: asyncio.Task[bool]) -> None:
        """Take what is due where something may be, everywhere now and then; wait for news of more."""
        bases, self._bases = self._bases, set[str]()
        self._rung.clear()
        if (now := time.monotonic()) >= self._look_at:
            bases, self._look_at = set(self.store.bases), now + _LOOK_SECONDS
        with suppress(ServiceUnavailable):
            for base in bases:
                await self._collect(base)
        ringing = asyncio.create_task(self._rung.wait())
        await asyncio.wait({ringing, stopped}, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        ringing.cancel()

    async def _collect(self, base: str) -> None:
        room = _AT_ONCE - len(self._sending)
        if not room:
            return
        busy = Counter(delivery.host for delivery, _ in self._sending.values())
        for delivery in await self.webhooks.collect(base, room, _SHARE, busy):
            if delivery.id not in self._sending:
                self._sending[delivery.id] = delivery, asyncio.create_task(self._deliver(delivery))

    async def _deliver(self, delivery: Delivery) -> None:
        """One attempt, and what follows from it."""
        about = {
            "delivery": delivery.id, "task_uuid": delivery.task, "tenant": delivery.tenant, "host": delivery.host,
            "kind": delivery.kind, "attempt": delivery.attempt,
        }  # fmt: skip
        try:
            status = await self._attempt(delivery)
        except Undelivered as failure:
            again = not failure.final and delivery.attempt < self.config.webhook_attempts
            pause = self._pause(delivery.attempt, failure.after) if again else None
            tally.add("webhook_attempts", "given_up" if pause is None else "failed")
            log.warning("undelivered", **about, reason=failure.reason, again_s=pause)
            await _persevere(partial(self.webhooks.undelivered, delivery, failure.reason, pause))
        except ServiceUnavailable:
            tally.add("webhook_attempts", "put_off")
            log.warning("delivery_put_off", **about)  # without Redis nothing can be said of it: it waits for its lease
        else:
            tally.add("webhook_attempts", "delivered")
            log.info("delivered", **about, status=status)
            await _persevere(partial(self.webhooks.delivered, delivery))
        finally:
            del self._sending[delivery.id]
            self._ring(self.store.home(delivery.tenant))

    async def _attempt(self, delivery: Delivery) -> int:
        try:
            return await self.messenger.send(delivery)
        except (Undelivered, ServiceUnavailable):
            raise
        except Exception as bug:
            failure = incident("delivery_raised", bug, delivery=delivery.id, task_uuid=delivery.task)
            raise Undelivered(failure.message) from bug

    def _pause(self, attempt: int, asked: float) -> float:
        """Seconds until the next attempt: longer each time, uneven, and no less than the receiver asks for."""
        grown = self.config.webhook_pause * _GROWTH ** (attempt - 1) * random.uniform(0.8, 1.2)
        return round(min(max(grown, asked), _LONGEST_SECONDS), 3)

    def _ring(self, base: str) -> None:
        self._bases.add(base)
        self._rung.set()

    async def _listen(self) -> None:
        async for message in self.store.listen(*self.webhooks.channels):
            for base in [message.decode()] if message else self.store.bases:
                self._ring(base)

    async def _keep(self) -> None:
        """Renew what is in hand."""
        while True:
            await asyncio.sleep(self.config.lease / 3)
            with suppress(ServiceUnavailable):
                await self.webhooks.keep([delivery for delivery, _ in self._sending.values()])


async def _persevere(step: Callable[[], Awaitable[None]]) -> None:
    """Take a step when Redis lets it."""
    while True:
        try:
            return await step()
        except ServiceUnavailable:
            await asyncio.sleep(_RETRY_SECONDS)
