"""The task process: one task at a time, and whatever a handler does to it, the next task finds a good one."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.config import Config
from server.content import content
from server.runner import Crashed, Runner, TimedOut
from tests.programs import ends


@pytest.fixture(scope="module")
async def runner() -> AsyncIterator[Runner]:
    found = Runner(Config(tasks=("tests.misbehaving",)))
    yield found
    await found.end()


async def run(runner: Runner, task_type: str, within: float = 20, heard=None, **params: Any) -> dict[str, Any]:
    """One task; its answer."""
    order = {
        "task_uuid": "t1", "task_type": task_type, "params": params, "uuids": ["u1"], "scratch": tempfile.gettempdir(),
        "inputs": {}, "images_url": "http://here/im/t1", "limits": {},
    }  # fmt: skip
    return await runner.run(order, within, heard or (lambda *_: None))


async def pid(runner: Runner, megabytes: int = 0) -> int:
    """The process that a task runs in, and keeps so much memory in."""
    return int((await run(runner, "leaks", megabytes=megabytes))["items"][0]["text"])


async def test_answer(runner):
    """A handler's result comes back as the items of the answer, and the process serves the next task too."""
    assert (await run(runner, "nothing"))["items"] == [{"text": "done"}]
    assert await pid(runner) == await pid(runner) == runner.pid


async def test_image(runner):
    """An image that a handler stored comes back with its facts, under the UUID that was given out for it."""
    answer = await run(runner, "lingers", seconds=0)
    (image,) = answer["images"]
    assert Path(image["path"]).parent == Path(tempfile.gettempdir())
    file = Path(image.pop("path"))
    facts = {"format": "PNG", "mime": "image/png", "width": 1, "height": 1, "bytes": 70}
    assert image == {"uuid": "u1", "hashes": [content(file)]} | facts
    file.unlink()
    assert answer["items"] == [{"imageUUID": "u1", "imageURL": "http://here/im/t1/u1.png"}]


async def test_progress(runner):
    """Progress is heard while the task runs: growing, not more often than a few times a second."""
    heard = list[tuple[float, str]]()
    began = time.monotonic()
    await run(runner, "sleeps", heard=lambda *progress: heard.append(progress), seconds=1)
    fractions = [fraction for fraction, _ in heard]
    assert fractions == sorted(fractions)
    assert 2 <= len(heard) <= (time.monotonic() - began) / 0.2 + 1
    assert heard[0][1] == "sleeping"


@pytest.mark.parametrize("how", ["exit", "kill"])
async def test_crash(runner, how):
    """A process that ends in the middle of a task is a crash; the next task has a new one."""
    with pytest.raises(Crashed):
        await run(runner, "exits", how=how)
    assert (await run(runner, "nothing"))["items"]


async def test_killed_while_idle(runner):
    """A process that was killed between two tasks costs none of them."""
    first = await pid(runner)
    os.kill(first, signal.SIGKILL)
    await asyncio.sleep(0.1)
    assert await pid(runner) != first


@pytest.mark.parametrize("task", [{"task_type": "exits", "how": "hold lock"}, {"task_type": "sleeps", "seconds": 30}])
async def test_time_limit(runner, task):
    """A task that takes too long is ended with its process, though it holds the interpreter's lock."""
    first = await pid(runner)
    with pytest.raises(TimedOut):
        await run(runner, within=0.5, **task)
    assert ends(first)
    assert (await run(runner, "nothing"))["items"]


async def test_raise(runner, capfd):
    """A handler that raises is a failure with a number; what it raised is in the log under it, and nowhere else."""
    await runner.end()
    failure = (await run(runner, "exits", how="raise"))["failure"]
    assert failure["code"] == "internalServerError"
    assert "passwd" not in str(failure)
    incident = failure["message"].split()[-1].rstrip(".")
    (line,) = [line for line in capfd.readouterr().out.splitlines() if incident in line]
    assert "RuntimeError" in line
    await runner.end()


async def test_nonsense(runner):
    """A handler that returns something else than its result is a failure of the server."""
    assert (await run(runner, "exits", how="nonsense"))["failure"]["code"] == "internalServerError"


async def test_memory():
    """A process that has grown beyond TASKARRAY_WORKER_MEMORY is replaced after its task."""
    runner = Runner(Config(tasks=("tests.misbehaving",), worker_memory=256 * 2**20))
    first = await pid(runner, 1)
    assert await pid(runner, 400) == first
    assert ends(first)
    assert await pid(runner, 1) != first
    await runner.end()


async def test_cancel(runner):
    """A cancelled task is ended with its process; those that waited behind it are done."""
    process = await pid(runner)
    first = asyncio.create_task(run(runner, "sleeps", seconds=20))
    second = asyncio.create_task(run(runner, "nothing"))
    await asyncio.sleep(0.3)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert ends(process)
    assert (await second)["items"]


async def test_in_turn(runner):
    """Tasks that are given together are done one after the other by one process."""
    assert len(set(await asyncio.gather(*(pid(runner) for _ in range(5))))) == 1


async def test_cannot_start(capfd):
    """A process that cannot start is a crash, told at once and not after a time-out."""
    runner = Runner(Config(tasks=("no_such_package",)))
    async with asyncio.timeout(20):
        with pytest.raises(Crashed, match="cannot start"):
            await runner.warm()
    assert "no_such_package" in capfd.readouterr().out


async def test_no_orphan(runner):
    """The process ends when its worker lets go of it."""
    process = await pid(runner)
    await runner.end()
    assert ends(process)
    assert runner.pid is None
