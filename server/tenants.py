"""API keys and the tenants behind them. A key is shown once and stored as its SHA-256.

A tenant is a name: two keys of one name see the same images and tasks, so that a key can be replaced without a
gap. What a key may do are its scopes. Keys are 256 random bits, so a fast hash is enough, and a slow one would be a
lever to stall the server.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

import orjson

from server.config import Config
from server.errors import InvalidApiKey, RateLimitExceeded, ScopeMissing
from server.store import Store
from server.tally import tally


class Scope(StrEnum):
    """What a key may do: run tasks and have their results; use the live board."""

    TASKS = "tasks"
    DASH = "dash"


_USUAL = (Scope.TASKS,)
"""The scopes of a key of which nothing else is said, as of all keys that were stored before there were others."""
_MISSING = {
    Scope.TASKS: "This key may look at the board and run no tasks.",
    Scope.DASH: "This key may run tasks and not use the board.",
}


@dataclass(frozen=True)
class Tenant:
    """Who a key belongs to. `id` stands in key names and image URLs and tells nothing of the key."""

    id: str
    name: str


def tenant_named(name: str) -> Tenant:
    """The tenant of a name."""
    return Tenant(hashlib.sha256(f"tenant:{name}".encode()).hexdigest()[:12], name)


def new_key() -> str:
    """A fresh API key."""
    return "ta_" + secrets.token_urlsafe(32)


def hashed(key: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


class Tenants:
    """The keys of this server, configured and stored."""

    def __init__(self, store: Store, config: Config) -> None:
        self.store = store
        self.rate = config.rate_limit
        self._configured = dict[str, tuple[Tenant, frozenset[str]]]()
        for scope, pairs in ((Scope.TASKS, config.api_keys), (Scope.DASH, config.dash_keys)):
            for name, key in pairs:
                tenant, scopes = self._configured.get(hashed(key), (tenant_named(name), frozenset[str]()))
                self._configured[hashed(key)] = tenant, scopes | {scope}
        self._stored = f"{config.prefix}:keys"

    async def identify(self, key: object, scope: Scope = Scope.TASKS) -> Tenant:
        """The tenant of a key that is good for this. Raises InvalidApiKey, ScopeMissing, or ServiceUnavailable when
        Redis does not answer."""
        if not isinstance(key, str) or not key:
            tally.add("auth_failures", "missing")
            raise InvalidApiKey("Send an API key as `apiKey` of the authentication task.", parameter="apiKey")
        digest = hashed(key)
        tenant, scopes = self._configured.get(digest) or await self._kept(digest)
        if scope not in scopes:
            tally.add("auth_failures", "scope")
            sentence = f"{_MISSING[scope]} Make another with `taskarray keys create NAME --scope {scope}`."
            raise ScopeMissing(sentence, parameter="apiKey")
        return tenant

    async def _kept(self, digest: str) -> tuple[Tenant, Collection[str]]:
        """A stored key's tenant and its scopes."""
        entry = await self.store.guarded("HGET", self._stored, digest)
        about: dict[str, Any] = orjson.loads(entry) if entry is not None else {}
        if not about or about.get("revoked"):
            tally.add("auth_failures", "revoked" if about else "unknown")
            raise InvalidApiKey(parameter="apiKey")
        return tenant_named(about["name"]), about.get("scopes", _USUAL)

    async def known(self) -> dict[str, Tenant]:
        """Every tenant that has or had a key, by its id."""
        found = [tenant for tenant, _ in self._configured.values()]
        found += [tenant_named(entry["name"]) for entry in await self.listed()]
        return {tenant.id: tenant for tenant in found}

    async def spend(self, tenant: Tenant, tasks: int) -> None:
        """Take `tasks` from the tenant's rate. Raises RateLimitExceeded with the seconds to wait."""
        if not self.rate:
            return
        burst = max(1.0, self.rate, float(tasks))
        wait = float(
            await self.store.run("spend", self.store.home(tenant.id), tenant.id, tasks, self.rate, burst, time.time())
        )
        if wait > 0:
            tally.add("rate_limited", "rate")
            raise RateLimitExceeded(f"Too many tasks for now. Send this one again in {wait:.1f} s.", retryAfter=wait)

    async def usage(self, tenant: Tenant) -> dict[str, dict[str, int]]:
        """Tasks that a tenant has had done, by UTC day: in all, today, and in the last 7 and 30 days."""
        today = int(time.time()) // 86400
        found = await self.store.hash(f"{self.store.home(tenant.id)}:usage:{tenant.id}")
        counted = [(today - int(name.partition(b"|")[0]), int(count)) for name, count in found.items()]
        spans = {"total": today + 1, "today": 1, "last7Days": 7, "last30Days": 30}
        return {
            span: {"credits": 0, "requests": sum(count for age, count in counted if age < days)}
            for span, days in spans.items()
        }

    async def daily(self, tenant: Tenant, days: int) -> list[dict[str, Any]]:
        """How many tasks of each type a tenant had on each of the last days (UTC), and how many seconds these ran; the
        newest day first."""
        home, today = self.store.home(tenant.id), int(time.time()) // 86400
        seconds = await self.store.hash(f"{home}:spent:{tenant.id}")
        found = list[dict[str, Any]]()
        for name, count in sorted((await self.store.hash(f"{home}:usage:{tenant.id}")).items()):
            number, _, task_type = name.decode().partition("|")
            if today - int(number) < days:
                day, ran = date(1970, 1, 1) + timedelta(days=int(number)), round(float(seconds.get(name, 0)), 3)
                found.append({"day": day.isoformat(), "taskType": task_type, "tasks": int(count), "seconds": ran})
        return sorted(found, key=lambda entry: entry["day"], reverse=True)

    async def webhook_secret(self, tenant: Tenant) -> str:
        """What the receiver of a tenant's webhooks checks their signatures with; made when it is first asked for."""
        key = f"{self.store.home(tenant.id)}:secret:{tenant.id}"
        fresh = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        await self.store.guarded("SET", key, fresh, "NX")
        return (await self.store.guarded("GET", key)).decode()

    async def create(self, name: str, scopes: Collection[Scope] = _USUAL) -> str:
        """A new key of a tenant, stored as its hash; the key is in nobody's hands but the caller's."""
        key = new_key()
        entry = {"name": name, "hint": key[-4:], "created": time.time(), "scopes": sorted(scopes)}
        await self.store.guarded("HSET", self._stored, hashed(key), orjson.dumps(entry))
        return key

    async def listed(self) -> list[dict[str, Any]]:
        """The stored keys, oldest first: name, the key's last four characters, scopes, times."""
        found = await self.store.hash(self._stored)
        usual = {"scopes": list(_USUAL)}
        entries = [usual | orjson.loads(entry) | {"id": digest.decode()[:8]} for digest, entry in found.items()]
        return sorted(entries, key=lambda entry: entry["created"])

    async def revoke(self, which: str) -> int:
        """Revoke the stored keys with that name or id; how many there were."""
        count = 0
        for digest, raw in (await self.store.hash(self._stored)).items():
            entry = orjson.loads(raw)
            if which in (entry["name"], digest.decode()[:8]) and not entry.get("revoked"):
                entry["revoked"] = time.time()
                await self.store.guarded("HSET", self._stored, digest, orjson.dumps(entry))
                count += 1
        return count
