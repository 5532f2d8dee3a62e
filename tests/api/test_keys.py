"""API keys made and revoked while the server runs."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from tests.client import request
from tests.harness import Installation


async def keys(installation: Installation, *words: str) -> str:
    """What `taskarray keys …` prints."""
    command = [sys.executable, "-m", "server", "keys", *words]
    done = await asyncio.to_thread(
        subprocess.run, command, env=installation.environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def test_life_of_a_key(installation: Installation) -> None:
    """A key works from the moment it is made until it is revoked; its open sockets stay."""
    key = await keys(installation, "create", "late comer")
    async with installation.client(key=key) as client:
        done = await client.run("nothing")
        listed = [line for line in (await keys(installation, "list")).splitlines() if "late comer" in line]
        assert len(listed) == 1
        assert listed[0].endswith("active")
        assert key not in listed[0]
        await keys(installation, "revoke", "late comer")
        assert "revoked" in await keys(installation, "list")
        assert (await client.run("getResponse", taskUUID=done["taskUUID"]))["text"] == "done"
    with pytest.raises(KeyError):
        await installation.client(key=key).connect()
    refused = await request("POST", f"{installation.url}/v1", [], authorization=f"Bearer {key}")
    assert (refused.status, refused.json["error"]["code"]) == (401, "invalidApiKey")


async def test_replaced_without_a_gap(installation: Installation) -> None:
    """Two keys of one name are one customer: tasks of the old key are there for the new one."""
    old, new = await keys(installation, "create", "rotating"), await keys(installation, "create", "rotating")
    async with installation.client(key=old) as client:
        done = await client.run("nothing")
    async with installation.client(key=new) as client:
        assert (await client.run("getResponse", taskUUID=done["taskUUID"]))["text"] == "done"
        (conflict,) = await client.ask(done | {"taskType": "sleeps", "seconds": 0})
        assert conflict["errors"][0]["code"] == "conflictTaskUUID"


async def test_scopes(installation: Installation) -> None:
    """A key may be made for the board, alone or besides tasks; the list says for what each is."""
    await keys(installation, "create", "looks", "--scope", "dash")
    await keys(installation, "create", "does all", "--scope", "dash", "--scope", "tasks")
    listed = [line.split() for line in (await keys(installation, "list")).splitlines()]
    assert [line[-2:] for line in listed if "looks" in line or "does" in line] == [
        ["dash", "active"], ["dash+tasks", "active"]
    ]  # fmt: skip
