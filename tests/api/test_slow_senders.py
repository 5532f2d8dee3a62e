"""Clients that begin a request and do not go on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from server.api import body


async def test_silence(monkeypatch: pytest.MonkeyPatch):
    """A client that sends nothing for long in the middle of a body is taken for gone, so that it holds no memory."""
    monkeypatch.setattr(body, "_SILENT_SECONDS", 0.05)
    parts = iter([b"first", b"second"])

    async def receive() -> dict[str, Any]:
        part = next(parts, None)
        if part is None:
            await asyncio.sleep(30)
        return {"type": "http.request", "body": part, "more_body": True}

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    found = list[bytes]()
    with pytest.raises(ClientDisconnect):
        async for chunk in body.arriving(request):
            found.append(chunk)
    assert found == [b"first", b"second"]


async def test_a_whole_body():
    """A body that comes to its end is given as it came."""
    parts = iter([(b"first", True), (b"second", False)])

    async def receive() -> dict[str, Any]:
        part, more = next(parts)
        return {"type": "http.request", "body": part, "more_body": more}

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    assert await body.read_body(request, 100) == b"firstsecond"
