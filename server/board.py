"""The live board: how the whole installation does, read from Redis for whoever looks.

It shows names, numbers and times, and nothing of what tasks were asked or answered. Its work is bounded: of many
tasks some are looked at one by one, and it is said of how many.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import orjson

from server.presence import present
from server.store import Store
from server.tenants import Tenant, Tenants

SAMPLE = 500
"""Tasks that have not ended and are looked at one by one, of all shards together."""
RUNNING, RECENT, KEYS = 100, 50, 50
"""How many running tasks, tasks that ended last and keys are told of."""
_MINUTES = 60
_AT_ONCE = 500
"""Tasks that one step looks up: Redis does nothing else meanwhile."""
_NAMES_SECONDS = 10.0
_STAGES = ("queued", "fetch", "decode", "run", "encode", "store")
_EARLY_MS = 5
"""Clocks of two machines may differ by this: an answer does not go out before there is one."""

Shown = dict[str, Any]
Survey = Mapping[str, Any]
Known = tuple[str, str]
"""A task: its tenant's id and its UUID."""


class Board:
    """What one gateway knows of all."""

    def __init__(self, store: Store, tenants: Tenants) -> None:
        self.store = store
        self.tenants = tenants
        self._names = dict[str, Tenant]()
        self._names_until = 0.0
        self._ended = dict[Known, Shown]()

    async def state(self) -> Shown:
        """Everything that is shown, as it is now. Raises ServiceUnavailable."""
        surveys = await self._surveys()
        workers, gateways = await asyncio.gather(present(self.store, "workers"), present(self.store, "gateways"))
        await self.know(tenant for survey in surveys for tenant, *_ in survey["running"])
        running = sorted((task for survey in surveys for task in self._running(survey)), key=_since)[:RUNNING]
        sockets = Counter[str]()
        for gateway in gateways.values():
            sockets.update(gateway["sockets"])
        now = time.time()
        return {
            "at": round(now * 1000),
            "figures": _figures(surveys, gateways.values(), now),
            "minutes": _minutes(surveys, now),
            "keys": await self._keys(surveys, sockets),
            "types": _types(surveys),
            "sample": {"looked": _sum(surveys, "sampled"), "of": _sum(surveys, "total")},
            "workers": [_worker(name, about, running) for name, about in sorted(workers.items())],
            "gateways": [_gateway(name, about) for name, about in sorted(gateways.items())],
            "running": running,
            "ended": await self._newest(surveys, gateways.values()),
            "webhooks": {"due": _sum(surveys, "due"), "givenUp": _sum(surveys, "dead")},
        }

    async def know(self, ids: Iterable[str]) -> None:
        """Have the names of tenants at hand. They are read again when one is not known, though not all the time."""
        if self._names_until <= time.monotonic() and not self._names.keys() >= set(ids):
            self._names = await self.tenants.known()
            self._names_until = time.monotonic() + _NAMES_SECONDS

    def tenant(self, id: str) -> Shown:
        """A tenant by the name of its keys; one without keys has only its id."""
        found = self._names.get(id)
        return {"id": id, "name": found.name if found else ""}

    async def stories(self, tasks: Collection[Known]) -> list[Shown]:
        """How tasks stand or ended, as far as they are known."""
        by_home = dict[str, list[Known]]()
        for task in tasks:
            by_home.setdefault(self.store.home(task[0]), []).append(task)
        await self.know(tenant for tenant, _ in tasks)
        found = list[Shown]()
        for home, mine in by_home.items():
            for first in range(0, len(mine), _AT_ONCE):
                some = mine[first : first + _AT_ONCE]
                told = await self.store.run("stories", home, *(word for task in some for word in task))
                rows = zip(some, orjson.loads(told), strict=True)
                found += [self._story(task, about) for task, about in rows if about]
        return found

    async def _surveys(self) -> list[Survey]:
        each = max(1, SAMPLE // len(self.store.bases))
        told = await asyncio.gather(*(self.store.run("survey", base, each, RUNNING) for base in self.store.bases))
        return [orjson.loads(survey) for survey in told]

    def _running(self, survey: Survey) -> list[Shown]:
        found = list[Shown]()
        for tenant, uuid, task_type, worker, attempt, (progress, stage, started, created) in survey["running"]:
            task = {"tenant": self.tenant(tenant), "taskUUID": uuid, "taskType": task_type, "worker": worker}
            times = {"created": int(created or 0), "started": int(started or 0), "attempt": attempt}
            found.append(task | times | _progress(progress, stage))
        return found

    async def _keys(self, surveys: list[Survey], sockets: Counter[str]) -> Shown:
        """What each key has waiting or running, and its sockets; those with the most first."""
        tasks, waiting = Counter[str](), Counter[str]()
        for survey in surveys:
            flat = survey["shares"] or []
            tasks.update({tenant: int(share) for tenant, share in zip(flat[::2], flat[1::2], strict=True)})
            waiting.update(dict(survey["lines"] or ()))
        ids = sorted({*tasks, *sockets}, key=lambda id: (-tasks[id], -sockets[id], id))
        await self.know(ids[:KEYS])
        rows = [
            {"tenant": self.tenant(id), "tasks": tasks[id], "waiting": waiting[id], "sockets": sockets[id]}
            for id in ids[:KEYS]
        ]
        return {"rows": rows, "more": max(0, len(ids) - KEYS)}

    async def _newest(self, surveys: list[Survey], gateways: Collection[Shown]) -> list[Shown]:
        """The tasks that ended last, newest first. What is known of one does not change, and is not read again."""
        named = [known_by(member) for survey in surveys for member in survey["newest"]]
        fresh = [task for task in named if task not in self._ended]
        for story in await self.stories(fresh):
            if "ended" in story:
                self._ended[story["tenant"]["id"], story["taskUUID"]] = story
        self._ended = {task: self._ended[task] for task in named if task in self._ended}
        sent = {uuid: at * 1000 for gateway in gateways for uuid, at in gateway["sent"]}
        newest = sorted(self._ended.values(), key=lambda story: story["ended"], reverse=True)[:RECENT]
        return [_sent(story, sent.get(story["taskUUID"], 0)) for story in newest]

    def _story(self, task: Known, about: list[Any]) -> Shown:
        kind, state, created, started, ended, seconds, worker, by, progress, stage, outcome = about
        story = {"tenant": self.tenant(task[0]), "taskUUID": task[1], "taskType": kind, "state": state}
        story |= {"created": int(created), "worker": worker or _worker_of(by or "")}
        if not ended:
            return story | {"started": int(started or 0)} | _progress(progress, stage)
        spent = outcome.get("spent") or _rough(int(created), int(started or ended), int(ended))
        spans = {stage: spent[f"{stage}Ms"] for stage in _STAGES if spent.get(f"{stage}Ms")}
        failure = {name: outcome[name] for name in ("code", "parameter") if outcome.get(name)}
        times = {"ended": int(ended), "seconds": float(seconds), "cached": bool(outcome.get("cached"))}
        return story | times | failure | {"spans": spans}


def known_by(member: str) -> Known:
    """A task as lists of tasks name it."""
    tenant, _, uuid = member.rpartition(":")
    return tenant, uuid


def _figures(surveys: list[Survey], gateways: Collection[Shown], now: float) -> Shown:
    total, running = _sum(surveys, "total"), _sum(surveys, "claimed")
    waiting = _sum(surveys, "untaken") + sum(count for survey in surveys for _, count in survey["lines"] or ())
    oldest = [float(survey["oldest"]) for survey in surveys if survey.get("oldest")]
    return {
        "sockets": sum(sum(gateway["sockets"].values()) for gateway in gateways),
        "sessions": sum(gateway["sessions"] for gateway in gateways),
        "waiting": waiting,
        "held": max(0, total - waiting - running),
        "running": running,
        "oldestMs": max(0, round(now * 1000 - min(oldest))) if oldest else 0,
    }


def _minutes(surveys: list[Survey], now: float) -> Shown:
    """How many tasks ended in each of the last minutes, the one that runs last. `last`: in the last 60 s, of which
    the part in the minute before is estimated."""
    counted, minute = Counter[str](), int(now // 60)
    for survey in surveys:
        flat = survey["minutes"] or []
        counted.update({name: int(count) for name, count in zip(flat[::2], flat[1::2], strict=True)})
    found: Shown = {"first": (minute - _MINUTES) * 60_000, "last": {}}
    for word in ("succeeded", "failed", "cancelled"):
        found[word] = [counted[f"{at}|{word}"] for at in range(minute - _MINUTES, minute + 1)]
        found["last"][word] = round(found[word][-1] + found[word][-2] * (1 - now % 60 / 60))
    return found


def _types(surveys: list[Survey]) -> list[Shown]:
    found = dict[str, Counter[str]]()
    for survey in surveys:
        for kind, states in dict(survey["types"]).items():
            found.setdefault(kind, Counter()).update(states)
    rows = [
        {"taskType": kind, "waiting": states["queued"], "held": states["held"], "running": states["running"]}
        for kind, states in found.items()
    ]
    return sorted(rows, key=lambda row: (-row["waiting"] - row["held"] - row["running"], row["taskType"]))


def _worker(name: str, about: Shown, running: list[Shown]) -> Shown:
    tasks = [task["taskUUID"] for task in running if task["worker"] == name]
    # A worker of an earlier version does not say.
    memory = {"memory": about.get("memory", 0), "taskMemory": about.get("taskMemory", 0)}
    return {"name": name, "heard": round(about["at"] * 1000), "tasks": tasks} | memory


def _gateway(name: str, about: Shown) -> Shown:
    shown = {member: about[member] for member in ("host", "pid", "memory", "sessions", "draining")}
    return {"name": name, "heard": round(about["at"] * 1000), "sockets": sum(about["sockets"].values())} | shown


def _rough(created: int, started: int, ended: int) -> Shown:
    """Where the time went of a task that no worker has ended."""
    return {"queuedMs": max(0, started - created), "runMs": max(0, ended - started)}


def _worker_of(by: str) -> str:
    """The worker in what a task remembers of its end: the worker's name and its claim (13 digits, a dash, digits)."""
    head, dash, _ = by.rpartition("-")
    return head[:-13] if dash else ""


def _progress(progress: str | bool, stage: str | bool) -> Shown:
    told: Shown = {"progress": round(float(progress) * 100)} if progress else {}
    return told | ({"stage": stage} if stage else {})


def _since(task: Shown) -> int:
    return task["started"] or task["created"]


def _sent(story: Shown, at: float) -> Shown:
    """With how long after its end the answer was on its way, where a gateway has said so."""
    late = at - story["ended"]
    return story if late < -_EARLY_MS else story | {"spans": story["spans"] | {"send": round(max(0.0, late), 1)}}


def _sum(surveys: list[Survey], name: str) -> int:
    return sum(survey[name] for survey in surveys)
