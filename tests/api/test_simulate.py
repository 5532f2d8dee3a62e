"""Faults on demand: on a server in test mode a task suffers what it asks for before its work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.errors import CODES
from tests.api.conftest import Beside
from tests.api.test_reuse import repeats, runs
from tests.client import Client, new_task, request
from tests.harness import KEY


@pytest.fixture
async def tester(beside: Beside) -> AsyncIterator[Client]:
    """A client of a gateway in test mode."""
    async with beside(TEST_MODE="1").client() as found:
        yield found


def simulated(**faults: Any) -> dict[str, Any]:
    return new_task("nothing", simulate=faults)


async def test_delay(tester: Client):
    """A delay comes before the work, and delays no other task."""
    began, slow = time.monotonic(), [simulated(delayMs=600) for _ in range(6)]
    frames = await tester.ask(*slow, new_task("nothing"))
    assert all("data" in frame for frame in frames)
    assert 0.6 <= time.monotonic() - began < 3.5


@pytest.mark.parametrize("code", ["taskTimeout", "serviceUnavailable", "rateLimitExceeded", "invalidApiKey"])
async def test_error(beside: Beside, code: str):
    """A failure that is asked for is that of its code, with the status that it has."""
    url = f"{beside(TEST_MODE='1').url}/v1"
    reply = await request("POST", url, [simulated(error=code)], authorization=f"Bearer {KEY}")
    (error,) = reply.json["errors"]
    assert (error["code"], error["message"]) == (code, "Simulated failure.")
    assert reply.status == CODES[code].status


@pytest.mark.parametrize(
    ("code", "parameter"),
    [("invalidImage", "image"), ("missingInputImage", "inputImage"), ("invalidCFGScale", "CFGScale")],
)
async def test_error_of_a_parameter(tester: Client, code: str, parameter: str):
    """So is one that is made of a parameter's name."""
    (frame,) = await tester.ask(simulated(error=code))
    assert (frame["errors"][0]["code"], frame["errors"][0]["parameter"]) == (code, parameter)


async def test_no_such_error(tester: Client):
    """A code that this server does not have is refused, with those that it has."""
    (frame,) = await tester.ask(simulated(error="timeoutProvider"))
    (error,) = frame["errors"]
    assert (error["code"], error["parameter"]) == ("invalidError", "simulate.error")
    assert "taskTimeout" in error["allowedValues"]


async def test_progress(tester: Client):
    """The percentages are told in their order over the delay, as of a stage of their own."""
    task = simulated(delayMs=1200, progress=[10, 60, 90]) | {"deliveryMethod": "async"}
    await tester.send([task])
    seen = list[int]()
    async with asyncio.timeout(10):
        while True:
            await tester.send([new_task("getResponse", taskUUID=task["taskUUID"])])
            item = (await tester.answer(task["taskUUID"]))["data"][0]
            if item.get("status") == "success":
                break
            if "progress" in item and item["progress"] not in seen:
                assert item["stage"] == "simulated"
                seen.append(item["progress"])
    assert seen == [10, 60, 90]


async def test_a_delay_that_is_stopped(tester: Client):
    """A task that is given up during its delay ends at once and holds nothing up."""
    began = time.monotonic()
    (frame,) = await tester.ask(simulated(delayMs=30_000) | {"deadlineMs": 300})
    assert frame["errors"][0]["code"] == "deadlineExceeded"
    await tester.run("nothing")
    assert time.monotonic() - began < 5


async def test_never_from_the_cache(tester: Client, tmp_path: Path):
    """A task with a simulated fault is neither answered from an earlier result nor remembered."""
    marker = tmp_path / "marker"
    for faults in ({}, {"simulate": {"delayMs": 1}}, {"simulate": {"delayMs": 1}}, {}):
        (frame,) = await tester.ask(repeats(marker, **faults))
        assert "data" in frame
    assert runs(marker) == 3


async def test_only_in_test_mode(client: Client):
    """A server that is not in test mode refuses to simulate anything."""
    (frame,) = await client.ask(simulated(delayMs=1))
    assert frame["errors"][0]["code"] == "invalidSimulate"
