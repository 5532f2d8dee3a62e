"""What an idle authenticated socket costs in memory: two thousand of them, held open."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import Executor
from contextlib import nullcontext

import uvloop

from bench.client import Socket
from bench.load import round_trips
from bench.report import Aim, Plan, Row, Table
from bench.subjects import KEY, Subject, ours, peer

_EACH, _AT_ONCE = 1000, 50
_SETTLE_SECONDS = 2.0
_PING = b'[{"taskType":"ping","ping":true}]'
_ALLOWED = str(4 * _EACH)
Slopes = tuple[list[float], list[float]]
"""Kilobytes per socket of the first and of the second thousand."""


def run(plan: Plan, elsewhere: Executor) -> Table:
    """The growth of the processes that hold the sockets, a thousand at a time, on fresh servers."""
    mine: Slopes = ([], [])
    theirs: Slopes = ([], [])
    redis: Slopes = ([], [])
    for _ in range(1 if plan.quick else plan.rounds):
        with ours(TASKARRAY_MAX_SOCKETS_PER_KEY=_ALLOWED) as server, peer() if plan.peer else nullcontext() as node:
            _wear_in(elsewhere, server)
            uvloop.run(_measure(server, {"gateway": mine, "redis": redis}))
            if node:
                _wear_in(elsewhere, node)
                uvloop.run(_measure(node, {"node": theirs}))
    both = [(first + second) / 2 for first, second in zip(*mine, strict=True)]
    peers = [(first + second) / 2 for first, second in zip(*theirs, strict=True)]
    rows = [
        Row("idle authenticated socket, mean of 2,000", "", "kB", both, aim=Aim("≤", 30, True)),
        Row("the same", "Node server", "kB", both, peers, Aim("<", 1)),
        Row("the first thousand", "Node server", "kB", mine[0], theirs[0]),
        Row("the second thousand", "Node server", "kB", mine[1], theirs[1]),
        Row("its session in Redis", "", "kB", [sum(pair) / 2 for pair in zip(*redis, strict=True)]),
    ]
    notes = [
        "Growth of the resident memory of the gateway process; of all the Node server's processes together.",
        "Each socket has authenticated; nothing else is sent. The Node server keeps no session that could be resumed.",
    ]
    return Table("Sockets", rows, notes)


def _wear_in(elsewhere: Executor, subject: Subject) -> None:
    """Some traffic, after which a heap has the size that it keeps: a fresh one still shrinks while sockets come."""
    for _ in range(2 * (os.cpu_count() or 1)):
        elsewhere.submit(round_trips, subject.url, KEY, _PING, 0.5).result()


async def _measure(subject: Subject, slopes: dict[str, Slopes]) -> None:
    sockets = [await Socket.connect(subject.url, KEY)]  # what the first socket loads is not the socket's
    resident = {role: subject.resident(role) for role in slopes}
    for thousand in range(2):
        for _ in range(_EACH // _AT_ONCE):
            sockets += await asyncio.gather(*(Socket.connect(subject.url, KEY) for _ in range(_AT_ONCE)))
        await asyncio.sleep(_SETTLE_SECONDS)
        for role, slope in slopes.items():
            before, resident[role] = resident[role], subject.resident(role)
            slope[thousand].append((resident[role] - before) / 1000 / _EACH)
    lost = sum(socket.ended.done() for socket in sockets)
    for socket in sockets:
        socket.close()
    await asyncio.sleep(0.5)
    if lost:
        raise RuntimeError(f"{lost} of the idle sockets were closed")
