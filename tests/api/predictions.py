"""A hand-written client of the predictions API, and what every prediction must look like."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from typing import Any

from tests.client import Reply, request
from tests.harness import KEY, Installation

TERMINAL = ("completed", "failed", "deleted")


async def ask(where: Installation, method: str, path: str, body: Any = None, key: str = KEY, **headers: str) -> Reply:
    """The answer at a path below /api/v3, or below another prefix that it names."""
    path = path if path.startswith("/api") else f"/api/v3{path}"
    return await request(method, where.url + path, body, authorization=f"Bearer {key}", **headers)


async def data(where: Installation, method: str, path: str, body: Any = None, key: str = KEY) -> Any:
    """What a success says."""
    reply = await ask(where, method, path, body, key)
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "application/json"
    assert {name: reply.json[name] for name in reply.json if name != "data"} == {"code": 200, "message": "success"}
    return reply.json["data"]


async def submit(where: Installation, model: str, **inputs: Any) -> dict[str, Any]:
    """The prediction that a submission is answered with."""
    return checked(await data(where, "POST", f"/{model}", inputs))


async def ended(where: Installation, identifier: str, key: str = KEY) -> dict[str, Any]:
    """A prediction when it has ended."""
    async with asyncio.timeout(30):
        while (found := await data(where, "GET", f"/predictions/{identifier}/result", key=key))[
            "status"
        ] not in TERMINAL:
            await asyncio.sleep(0.05)
    return checked(found)


async def run(where: Installation, model: str, **inputs: Any) -> dict[str, Any]:
    """The prediction in sync mode."""
    return await submit(where, model, enable_sync_mode=True, **inputs)


async def refusal(
    where: Installation, method: str, path: str, body: Any = None, key: str = KEY
) -> tuple[int, int, str]:
    """The status, the code and the message of what is not taken."""
    return told(await ask(where, method, path, body, key))


def told(reply: Reply) -> tuple[int, int, str]:
    assert reply.status != 200
    assert set(reply.json) == {"code", "message", "error"}
    assert reply.json["message"] == reply.json["error"] != ""
    return reply.status, reply.json["code"], reply.json["message"]


def checked(shown: dict[str, Any]) -> dict[str, Any]:
    """A prediction has every member in exactly the type that the strictest client reads."""
    assert re.fullmatch("[0-9a-f]{32}", shown["id"])
    assert shown["status"] in ("created", "processing", *TERMINAL)
    for name, kind in {"model": str, "error": str, "code": int, "executionTime": int, "input": dict}.items():
        assert type(shown[name]) is kind, name
    assert shown["output"] == shown["outputs"]
    assert all(isinstance(output, str) for output in shown["outputs"])
    assert shown["has_nsfw_contents"] == [False] * len(shown["outputs"])
    assert list(shown["urls"]) == ["get"]
    assert shown["urls"]["get"].endswith(f"/api/v3/predictions/{shown['id']}/result")
    assert type(shown["timings"]["inference"]) is int
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", shown["created_at"])
    assert datetime.fromisoformat(shown["created_at"])
    return shown
