"""How a command works with a server: until it is done, or stopped by Ctrl-C, which lets it end what it began."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any

from server.client.failures import Lost
from server.exits import fail

INTERRUPTED = 130
"""The exit code of a command that was stopped."""


def worked(step: Callable[[asyncio.Event], Coroutine[Any, Any, int]]) -> int:
    """Run a step to its end; its exit code. The first signal sets its event, the second one ends it at once."""

    async def run() -> int:
        stop, work = asyncio.Event(), asyncio.current_task()
        assert work, "this is one"

        def signalled() -> None:
            if stop.is_set():
                work.cancel()
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, signalled)
        return await step(stop)

    try:
        return asyncio.run(run())
    except Lost as lost:
        fail(str(lost))
    except asyncio.CancelledError:
        return INTERRUPTED
