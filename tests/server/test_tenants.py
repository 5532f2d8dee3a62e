"""API keys, the tenants behind them, and their rate."""

from __future__ import annotations

import asyncio
import time

import pytest

from server.errors import InvalidApiKey, RateLimitExceeded, ScopeMissing
from server.store import Store
from server.tenants import Scope, Tenants, hashed, new_key, tenant_named


@pytest.fixture
async def tenants(store: Store) -> Tenants:
    return Tenants(store, store.config)


async def refused(tenants: Tenants, key: object) -> InvalidApiKey:
    with pytest.raises(InvalidApiKey) as found:
        await tenants.identify(key)
    return found.value


@pytest.mark.settings(API_KEYS="ann:k1, ann:k2,bob:k3")
async def test_configured(tenants):
    """Keys of the settings are known; two keys of one name are one tenant."""
    ann, same, bob = [await tenants.identify(key) for key in ("k1", "k2", "k3")]
    assert (ann.name, bob.name) == ("ann", "bob")
    assert ann == same != bob
    assert ann.id == tenant_named("ann").id


@pytest.mark.settings(API_KEYS="ann:k1")
@pytest.mark.parametrize("key", [None, "", 7, "k", "k11", "K1", "\ud800", "ann:k1", ["k1"]])
async def test_unknown(tenants, key):
    """Any other key is refused, whatever it is, and the refusal does not repeat it."""
    failure = await refused(tenants, key)
    assert failure.code == "invalidApiKey"
    assert not key or str(key) not in failure.message or str(key) == "k"


async def test_created(tenants, store, redis):
    """A created key is known from then on; what is stored is its hash and its last four characters."""
    key = await tenants.create("ann")
    assert await tenants.identify(key) == tenant_named("ann")
    (stored,) = (await redis.hgetall(f"{store.config.prefix}:keys")).items()
    assert stored[0].decode() == hashed(key)
    assert key.encode() not in b"".join(stored)
    (listed,) = await tenants.listed()
    assert (listed["name"], listed["hint"], listed["id"]) == ("ann", key[-4:], hashed(key)[:8])


@pytest.mark.settings(API_KEYS="ann:k1,bob:k2", DASH_KEYS="ann:k1,eve:k3")
async def test_scopes(tenants, store, redis):
    """A key is good for what it was made for: to run tasks, if nothing else is said or was said when it was stored."""
    made = [await tenants.create("ann", scopes) for scopes in ({Scope.DASH}, {Scope.DASH, Scope.TASKS})]
    await redis.hset(f"{store.config.prefix}:keys", hashed("old"), b'{"name": "old", "hint": "wxyz", "created": 1}')
    for key, scopes in {
        "k1": "tasks dash", "k2": "tasks", "k3": "dash", "old": "tasks", made[0]: "dash", made[1]: "tasks dash",
        await tenants.create("ann"): "tasks",
    }.items():  # fmt: skip
        for scope in Scope:
            if scope in scopes.split():
                assert await tenants.identify(key, scope)
            else:
                with pytest.raises(ScopeMissing, match=f"--scope {scope}"):
                    await tenants.identify(key, scope)
    assert [entry["scopes"] for entry in await tenants.listed()] == [
        ["tasks"], ["dash"], ["dash", "tasks"], ["tasks"]
    ]  # fmt: skip
    assert {tenant.name for tenant in (await tenants.known()).values()} == {"ann", "bob", "eve", "old"}


async def test_revoked(tenants):
    """A revoked key is refused; others of its name go on when it was named by its id."""
    first, second = await tenants.create("ann"), await tenants.create("ann")
    assert await tenants.revoke(hashed(first)[:8]) == 1
    assert await tenants.revoke(hashed(first)[:8]) == 0
    await refused(tenants, first)
    assert await tenants.identify(second)
    assert await tenants.revoke("ann") == 1
    await refused(tenants, second)
    assert [bool(entry.get("revoked")) for entry in await tenants.listed()] == [True, True]


def test_fresh_keys():
    """Keys are long, start with ta_ and never repeat."""
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(key.startswith("ta_") and len(key) > 40 for key in keys)


async def test_no_limit(tenants):
    """Without TASKARRAY_RATE_LIMIT a key may send as much as it likes."""
    for _ in range(100):
        await tenants.spend(tenant_named("ann"), 1000)


@pytest.mark.settings(RATE_LIMIT="5/s")
async def test_rate(tenants):
    """A key may send a second's worth at once, then waits as long as it is told; another key does not wait."""
    ann, bob = tenant_named("ann"), tenant_named("bob")
    for _ in range(5):
        await tenants.spend(ann, 1)
    with pytest.raises(RateLimitExceeded) as over:
        await tenants.spend(ann, 1)
    wait = over.value.details["retryAfter"]
    assert 0 < wait <= 0.2
    await tenants.spend(bob, 1)
    await asyncio.sleep(wait + 0.01)
    await tenants.spend(ann, 1)


@pytest.mark.settings(RATE_LIMIT="20/s")
async def test_rate_in_the_long_run(tenants):
    """Over time a key gets its rate, however it presses; a refused try costs nothing."""
    ann, passed, began = tenant_named("ann"), 0, time.monotonic()
    while time.monotonic() - began < 1.5:
        try:
            await tenants.spend(ann, 1)
            passed += 1
        except RateLimitExceeded:
            await asyncio.sleep(0.005)
    assert 20 + 20 * 1.5 * 0.7 <= passed <= 20 + 20 * 1.5 * 1.2


@pytest.mark.settings(RATE_LIMIT="60/min")
async def test_rate_by_the_minute(tenants):
    """A rate below one a second lets one through at a time, with the wait told."""
    ann = tenant_named("ann")
    await tenants.spend(ann, 1)
    with pytest.raises(RateLimitExceeded, match=r"again in (0\.9|1\.0) s"):
        await tenants.spend(ann, 1)
