"""Random graphs of tasks, a queue played by gateways and workers of the test, and what a plain oracle says of them."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass
from itertools import count
from uuid import uuid4

from server.dispatch import Dispatch
from server.errors import ProcessingFailed
from server.graph import arranged
from server.jobs import Claim, Outcome, Reference
from server.prepare import Caller, Prepared, Refused, Request
from server.tenants import Tenant
from tests.server.jobs import DONE, new_job

FAILS = ProcessingFailed("It may not be.").as_dict()


@dataclass
class Drawn:
    """A random graph: its tasks in a random order, who builds on whom, and what befalls one of them."""

    tenant: str
    parents: dict[str, list[Reference]]
    victim: str
    fate: str
    """`fails`, `cancelled`, or empty: nothing befalls it."""
    killed: bool
    """Whether a worker is killed over one of its tasks."""

    @classmethod
    def new(cls, chance: random.Random, number: int) -> Drawn:
        """Up to 12 tasks. An edge names a result, the task as one names an image, or only the order."""
        uuids = [str(uuid4()) for _ in range(chance.randint(1, 12))]
        dense = chance.choice([0.1, 0.3, 0.6])
        parents = {
            uuid: [
                Reference(above, "inputImage", *chance.choice([(1, False), (0, True), (0, False)]))
                for above in uuids[:place]
                if chance.random() < dense
            ]
            for place, uuid in enumerate(uuids)
        }
        fate = chance.choice(["fails", "fails", "cancelled", "cancelled", ""])
        return cls(f"t{number % 7}", parents, chance.choice(uuids), fate, killed=number % 10 == 0)

    def below(self, uuid: str) -> set[str]:
        """All that builds on a task."""
        found = {uuid}
        for child, references in self.parents.items():  # parents come first
            if found & {named.uuid for named in references}:
                found.add(child)
        return found - {uuid}

    def expected(self, *, cancelled: bool) -> dict[str, str]:
        """How each task must end: the plain oracle."""
        found = dict.fromkeys(self.parents, "succeeded")
        if cancelled:
            found |= dict.fromkeys({self.victim, *self.below(self.victim)}, "taskCancelled")
        elif self.fate == "fails":
            found |= dict.fromkeys(self.below(self.victim), f"dependencyFailed {self.victim} {FAILS['code']}")
            found[self.victim] = FAILS["code"]
        return found


class Play:
    """Gateways and workers of the test over one queue, and the book of what they did."""

    def __init__(self, dispatch: Dispatch, chance: random.Random) -> None:
        self.dispatch = dispatch
        self.queue = dispatch.queue
        self.chance = chance
        self.graphs: dict[str, Drawn] = {}
        self.clock = count()
        self.begun = defaultdict[str, list[int]](list)
        self.finished: dict[str, int] = {}
        self.refused: dict[str, dict] = {}
        self.cancelled: dict[str, str] = {}
        self._killed = set[int]()
        self._names = count()
        self._room = asyncio.Semaphore(40)

    async def all(self, graphs: list[Drawn], bases: list[str], workers: int) -> None:
        """Play graphs to their ends, with so many workers on each shard."""
        done = asyncio.Event()
        working = [asyncio.create_task(self.worker(done, base)) for base in bases for _ in range(workers)]
        await asyncio.gather(*map(self.graph, graphs))
        async with asyncio.timeout(20):
            while (await self.queue.depth())[0]:
                await asyncio.sleep(0.01)
        done.set()
        await asyncio.gather(*working)

    async def graph(self, graph: Drawn) -> None:
        """Send a graph in one array, its tasks in any order; somewhen in this its victim is cancelled, if it is."""
        self.graphs |= dict.fromkeys(graph.parents, graph)
        caller = Caller(Tenant(graph.tenant, graph.tenant), "session", "http://here")
        tasks = [
            Prepared(Request({"taskType": "nothing"}, {}), new_job(graph.tenant, uuid), "sync", "same", {}, references)
            for uuid, references in graph.parents.items()
        ]
        self.chance.shuffle(tasks)
        steps, order = arranged(tasks, 64, 16)
        async with self._room:
            await asyncio.gather(*(self._submit(caller, steps[place]) for place in order))

    async def _submit(self, caller: Caller, step: Prepared) -> None:
        answer = await self.dispatch.submit(caller, step)
        if isinstance(answer, Refused):
            (self.refused[step.job.uuid],) = answer.failures
        elif step.job.uuid == (graph := self.graphs[step.job.uuid]).victim and graph.fate == "cancelled":
            await self._cancel(graph)

    async def _cancel(self, graph: Drawn) -> None:
        if self.chance.random() < 0.3:  # too late
            while graph.victim not in self.finished:
                await asyncio.sleep(0.002)
        await asyncio.sleep(self.chance.choice([0, 0.01, 0.05, 0.1]))
        (self.cancelled[graph.victim],) = await self.queue.cancel(graph.tenant, [graph.victim])

    async def worker(self, done: asyncio.Event, base: str) -> None:
        """Take and finish; a worker that is killed comes back under another name, and its job is taken over."""
        name = f"w{next(self._names)}"
        while not done.is_set():
            claim = await self.queue.take(base, name)
            if claim is None:
                await asyncio.sleep(0.002)
            elif self._kills(claim):
                self.begun[claim.job.uuid].append(next(self.clock))
                name, dead = f"w{next(self._names)}", name
                if claim := await self.queue.inherited(base, name, dead):
                    await self._work(claim)
            else:
                await self._work(claim)

    def _kills(self, claim: Claim) -> bool:
        """Whether the worker of this claim is killed: once in every tenth graph."""
        graph = self.graphs[claim.job.uuid]
        if not graph.killed or id(graph) in self._killed or self.chance.random() < 0.3:
            return False
        self._killed.add(id(graph))
        return True

    async def _work(self, claim: Claim) -> None:
        uuid, graph = claim.job.uuid, self.graphs[claim.job.uuid]
        self.begun[uuid].append(next(self.clock))
        await asyncio.sleep(0)
        # What is there before the answer comes back is there for others already.
        ended = next(self.clock)
        fails = graph.fate == "fails" and uuid == graph.victim
        if await self.queue.finish(claim, Outcome(failure=FAILS) if fails else DONE, 0.01):
            assert uuid not in self.finished, "it ended twice"
            self.finished[uuid] = ended
