"""The tasks that have a batchUUID in common: which they are, and how they stand."""

from __future__ import annotations

from server.store import Store


async def batch(store: Store, tenant: str, uuid: str) -> list[str]:
    """The UUIDs of the tasks in a batch, in the order of their receipt."""
    found = await store.guarded("ZRANGE", f"{store.home(tenant)}:batch:{tenant}:{uuid.lower()}", 0, -1)
    return [member.decode() for member in found]


async def members(store: Store, tenant: str, uuid: str) -> list[tuple[str, str, str, str, float]]:
    """Those that a task about a batch has waited for: UUID, type as sent, state, the failure's code, the seconds it
    ran (`task.Member`)."""
    found = await store.run("members", store.home(tenant), tenant, uuid)
    words = [[word.decode() for word in member] for member in found]
    return [(member, kind, state, code, float(seconds)) for member, kind, state, code, seconds in words]
