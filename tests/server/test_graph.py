"""The tasks of one array that build on each other: what can be done of them, and in which order they are queued."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import uuid4

import pytest

from server.errors import DependencyFailed, InvalidParameter
from server.graph import arranged
from server.jobs import Reference
from server.prepare import Prepared, Refused, Request, refuse
from tests.server.jobs import new_job

Parents = Mapping[int, Sequence[int]]


def tasks(parents: Parents, uuids: Mapping[int, str] | None = None) -> list[Prepared]:
    """The prepared tasks 0, 1, … of an array, and the tasks that each one names."""
    uuids = uuids or {place: str(uuid4()) for place in parents}
    found = list[Prepared]()
    for place in sorted(parents):
        job = new_job(uuid=uuids[place])
        named = [Reference(uuids[above], f"inputImages[{at}]", bare=True) for at, above in enumerate(parents[place])]
        sent = {"taskType": "nothing", "taskUUID": uuids[place].upper()}
        found.append(Prepared(Request(sent, sent), job, "sync", "same", {}, named))
    return found


def codes(steps) -> dict[int, str]:
    """The places of those that were refused, with the first code of each."""
    return {place: step.failures[0]["code"] for place, step in enumerate(steps) if isinstance(step, Refused)}


def above(parents: Parents, place: int) -> set[int]:
    """Everything that a task builds on, itself too if it does."""
    found, left = set[int](), list(parents[place])
    while left:
        if (one := left.pop()) not in found:
            found.add(one)
            left += parents[one]
    return found


async def fall(step: Prepared) -> tuple[str, dict[str, str]]:
    """Why a task cannot be queued: the parameter that leads to the cause, and the cause."""
    with pytest.raises(DependencyFailed) as failed:
        await asyncio.wait_for(step.graph.turn(step), 1)
    return failed.value.parameter, failed.value.as_dict()["cause"]


async def test_strangers():
    """Tasks of an array that do not build on each other are left as they are, in their order."""
    steps = [*tasks({0: [], 1: []}), {"taskType": "ping"}]
    assert arranged(steps, 64, 16) == (steps, [0, 1, 2])
    assert codes(arranged(steps, 1, 1)[0]) == {}


@pytest.mark.parametrize("seed", range(10))
async def test_order(seed):
    """Every task of an array comes after those it builds on, wherever it stands in the array, and none is left out."""
    chance = random.Random(seed)
    for _ in range(30):
        count = chance.randint(2, 40)
        rank = chance.sample(range(count), count)
        parents = {
            place: [other for other in range(count) if rank[other] < rank[place] and chance.random() < 0.1]
            for place in range(count)
        }
        steps, order = arranged(tasks(parents), 64, 64)
        assert (sorted(order), codes(steps)) == (list(range(count)), {})
        assert all(order.index(parent) < order.index(place) for place in parents for parent in parents[place])


@pytest.mark.parametrize("seed", range(10))
async def test_circles(seed):
    """Tasks that wait for themselves are refused with invalidTaskReference, and only these; the others are ordered."""
    chance = random.Random(seed)
    for _ in range(30):
        count = chance.randint(1, 12)
        parents = {place: [other for other in range(count) if chance.random() < 0.15] for place in range(count)}
        steps, order = arranged(tasks(parents), 64, 64)
        circles = {place for place in parents if place in above(parents, place)}
        assert codes(steps) == dict.fromkeys(circles, "invalidTaskReference")
        others = parents.keys() - circles
        assert all(order.index(above) < order.index(place) for place in others for above in {*parents[place]} & others)


async def test_below_a_circle():
    """What builds on a circle ends with dependencyFailed and the code of the circle, before anything runs."""
    array = tasks({0: [1], 1: [0], 2: [1], 3: [2]})
    steps, _ = arranged(array, 64, 16)
    assert codes(steps) == dict.fromkeys((0, 1), "invalidTaskReference")
    cause = {"taskUUID": array[1].job.uuid, "code": "invalidTaskReference"}
    assert await fall(steps[2]) == ("inputImages[0]", cause)
    steps[2].graph.told(steps[2].job.uuid, DependencyFailed("It failed.", cause=cause).as_dict())
    assert await fall(steps[3]) == ("inputImages[0]", cause)


async def test_below_a_refusal():
    """What builds on a task of the array with a wrong parameter ends with dependencyFailed and that one's code."""
    parent, child = tasks({0: [], 1: [0]})
    refused = refuse(parent.request, [InvalidParameter("No.", parameter="width")])
    steps, _ = arranged([child, refused], 64, 16)
    assert await fall(steps[0]) == ("inputImages[0]", {"taskUUID": parent.job.uuid, "code": "invalidWidth"})


async def test_turn():
    """A task is not queued before those of its array that it builds on are."""
    (parent, child), _ = arranged(tasks({0: [], 1: [0]}), 64, 16)
    waiting = asyncio.ensure_future(child.graph.turn(child))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    parent.graph.told(parent.job.uuid, None)
    await asyncio.wait_for(waiting, 1)


async def test_depth():
    """Of a chain that is too long those beyond the limit are refused with it, and the first ones are done."""
    steps, _ = arranged(tasks({0: [], **{place: [place - 1] for place in range(1, 18)}}), 64, 16)
    assert codes(steps) == dict.fromkeys((16, 17), "invalidTaskReference")
    assert [step.failures[0]["max"] for step in steps[16:]] == [16, 16]
    assert "TASKARRAY_MAX_GRAPH_DEPTH" in steps[16].failures[0]["message"]


async def test_count():
    """Of too many tasks that build on each other those beyond the limit are refused; strangers do not count."""
    parents = {0: [], **{place: [0] for place in range(1, 66)}, 66: []}
    steps, _ = arranged(tasks(parents), 64, 16)
    assert codes(steps) == dict.fromkeys((64, 65), "invalidTaskReference")
    assert (steps[64].failures[0]["max"], steps[66].graph) == (64, None)


async def test_below_a_limit():
    """What builds on a task beyond a limit ends with dependencyFailed."""
    steps, _ = arranged(tasks({0: [2], 1: [], 2: [1]}), 2, 16)
    assert codes(steps) == {2: "invalidTaskReference"}
    assert (await fall(steps[0]))[1]["code"] == "invalidTaskReference"


async def test_twice():
    """A task that stands in an array twice waits for its parents both times, and goes after itself."""
    first, parent, second = tasks({0: [1], 1: [], 2: [1]}, {0: (uuid := str(uuid4())), 1: str(uuid4()), 2: uuid})
    steps, order = arranged([first, parent, second], 64, 16)
    assert order == [1, 0, 2]
    waiting = asyncio.ensure_future(steps[2].graph.turn(steps[2]))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    steps[1].graph.told(parent.job.uuid, None)
    await asyncio.wait_for(waiting, 1)


async def test_large_arrays():
    """A thousand tasks that build on each other as much as they may cost their gateway no time that others miss."""
    chain = {place: [place + 1] for place in range(999)} | {999: []}
    dense = {place: list(range(max(0, place - 64), place)) for place in range(1000)}
    for parents in (chain, dense, chain | {999: [0]}):
        array, began = tasks(parents), time.process_time()
        steps, _ = arranged(array, 64, 16)
        assert time.process_time() - began < 5
        assert len(codes(steps)) >= 1000 - 64


def batches(pairs: list[tuple[str, str]]) -> list[Prepared]:
    """Tasks, each of a batch and about one."""
    found = tasks({place: [] for place in range(len(pairs))})
    return [
        replace(step, job=replace(step.job, batch=batch, of=of)) for step, (batch, of) in zip(found, pairs, strict=True)
    ]


async def test_batches():
    """A task about a batch comes after the batch's tasks, of which it may be one itself; two that wait for each other's
    batch are refused, and a chain of batches may be no longer than one of tasks."""
    steps, order = arranged(batches([("", "a"), ("a", ""), ("a", "a"), ("b", "a"), ("", "b")]), 64, 16)
    assert (codes(steps), order) == ({}, [1, 0, 2, 3, 4])
    steps, _ = arranged(batches([("a", "b"), ("b", "a"), ("", "a"), ("c", "")]), 64, 16)
    assert codes(steps) == dict.fromkeys((0, 1), "invalidTaskReference")
    steps, _ = arranged(batches([(f"{place}", f"{place - 1}") for place in range(20)]), 64, 16)
    assert codes(steps) == dict.fromkeys(range(16, 20), "invalidTaskReference")


async def test_large_batches():
    """A thousand tasks with as many batches, or two that wait for each other, cost their gateway no time that others
    miss."""
    halves = [("a", "")] * 500 + [("", "a")] * 500
    ring = [(f"{place}", f"{(place + 1) % 1000}") for place in range(1000)]
    for pairs in (halves, [("a", "a")] * 1000, [("a", "b"), ("b", "a")] * 500, ring, ring[:-1]):
        array, began = batches(pairs), time.process_time()
        arranged(array, 64, 16)
        assert time.process_time() - began < 5
