"""Lets the tests use PyPI `wavespeed`, any version. Run by that client's own interpreter."""

from __future__ import annotations

import asyncio
from typing import Any

from wavespeed import Client as Wavespeed

from tests.clients.remote import serve


class Client:
    """One `Client` of this package, through its public methods."""

    def __init__(self, url: str, key: str, **options: Any) -> None:
        self.wavespeed = Wavespeed(api_key=key, base_url=url, **options)

    async def open(self) -> None:
        """It connects when it has something to send."""

    async def close(self) -> None:
        """It keeps nothing open."""

    async def run(self, model: str, given: dict[str, Any], sync: bool = False) -> list[str]:
        options = {"enable_sync_mode": sync, "poll_interval": 0.1}
        return (await asyncio.to_thread(self.wavespeed.run, model, given, **options))["outputs"]

    async def upload(self, path: str) -> str:
        return await asyncio.to_thread(self.wavespeed.upload, path)


if __name__ == "__main__":
    asyncio.run(serve(Client))
