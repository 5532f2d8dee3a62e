"""Lets the tests use PyPI `runware-sdk` 1.8.0. Run by that client's own interpreter."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from runware import RunOptions, Runware, file_to_data_uri

from tests.clients.remote import serve


class Client:
    """One `Runware` of this package, through its public methods. `transport="rest"` speaks HTTP."""

    def __init__(self, url: str, key: str, **options: Any) -> None:
        http = url.replace("ws://", "http://")
        self.runware = Runware(api_key=key, ws_base_url=url, http_base_url=http, **options)

    async def open(self) -> dict[str, Any]:
        await self.runware.connect()
        return await self.state()

    async def close(self) -> None:
        await self.runware.close()

    async def state(self) -> dict[str, Any]:
        socket = self.runware._ws_transport
        return {"session": socket.session_id if socket else None}

    async def upload(self, image: str, **members: Any) -> dict[str, Any]:
        if Path(image).suffix == ".png" and not image.startswith("http"):
            image = file_to_data_uri(image)
        (item,) = await self.runware.image_upload({"image": image, **members})
        return {"uuid": item["imageUUID"], "url": item["imageURL"], "task": item["taskUUID"]}

    async def store(self, media: str) -> dict[str, Any]:
        (item,) = await self.runware.media_storage({"operation": "upload", "media": media})
        return {"uuid": item["mediaUUID"], "url": item["mediaURL"], "task": item["taskUUID"]}

    async def delete(self, media: str) -> dict[str, Any]:
        (item,) = await self.runware.media_storage({"operation": "delete", "media": media})
        return item

    async def details(self, task: str) -> dict[str, Any]:
        (item,) = await self.runware.get_task_details({"taskUUID": task})
        return item

    async def run(self, **task: Any) -> dict[str, Any]:
        """Any task at all: its items, and what was told of its progress."""
        progress = list[Any]()
        told = RunOptions(on_progress=lambda item: progress.append(item["progress"]))
        return {"items": await self.runware.run(task, told), "progress": progress}

    async def hum(self, duration: float, results: int = 1, delivery: str = "sync", task: str | None = None) -> Any:
        asked = {"taskType": "audioInference", "duration": duration, "numberResults": results, "taskUUID": task}
        return [_audio(item) for item in await self.runware.run(asked | {"deliveryMethod": delivery})]

    async def response(self, task: str) -> list[dict[str, Any]]:
        return await self.runware.get_response({"taskUUID": task})


def _audio(item: dict[str, Any]) -> dict[str, Any]:
    return {"uuid": item["audioUUID"], "url": item["audioURL"], "task": item["taskUUID"]}


if __name__ == "__main__":
    asyncio.run(serve(Client))
