"""Lets the tests use PyPI `runware` 0.5.24. Run by that client's own interpreter."""

from __future__ import annotations

import asyncio
from typing import Any

from runware import (
    IAudioInference,
    IImageBackgroundRemoval,
    IImageUpscale,
    IInputs,
    IModelSearch,
    IVectorize,
    Runware,
)

from tests.clients.remote import serve


class Client:
    """One `Runware` of this package, through its public methods."""

    def __init__(self, url: str, key: str, **options: Any) -> None:
        self.runware = Runware(api_key=key, url=url, **options)
        self.pongs = 0

    async def open(self) -> dict[str, Any]:
        self.runware.addListener(check=lambda frame: "pong" in str(frame), lis=self._pong)
        await self.runware.connect()
        return await self.state()

    async def close(self) -> None:
        await self.runware.disconnect()

    def _pong(self, frame: dict[str, Any]) -> None:
        self.pongs += 1

    async def state(self) -> dict[str, Any]:
        return {"session": self.runware._connectionSessionUUID, "pongs": self.pongs}

    async def upload(self, image: str) -> dict[str, Any]:
        found = await self.runware.uploadImage(image)
        return {"uuid": found.imageUUID, "url": found.imageURL, "task": found.taskUUID}

    async def store(self, media: str) -> dict[str, Any]:
        found = await self.runware.uploadMedia(media)
        return {"uuid": found.mediaUUID, "task": found.taskUUID}

    async def details(self, task: str) -> dict[str, Any]:
        found = await self.runware.getTaskDetails(task)
        return {"request": found.request, "response": found.response}

    async def remove(self, **request: Any) -> list[dict[str, Any]]:
        found = await self.runware.imageBackgroundRemoval(IImageBackgroundRemoval(**request))
        return [_image(item) for item in found]

    async def upscale(self, **request: Any) -> list[dict[str, Any]]:
        return [_image(item) for item in await self.runware.imageUpscale(IImageUpscale(**request))]

    async def vectorize(self, image: str) -> list[dict[str, Any]]:
        request = IVectorize(inputs=IInputs(image=image), model="recraft:1@1")
        return [_image(item) for item in await self.runware.imageVectorize(request)]

    async def search(self, **request: Any) -> dict[str, Any]:
        found = await self.runware.modelSearch(IModelSearch(**request))
        return {"total": found.totalResults, "results": [item.air for item in found.results]}

    async def hum(self, duration: float, results: int = 1, delivery: str = "sync", task: str | None = None) -> Any:
        """A task whose results are several. An async one gives its taskUUID."""
        asked = IAudioInference(
            model="double:1@1", duration=duration, numberResults=results, deliveryMethod=delivery, taskUUID=task
        )
        found = await self.runware.audioInference(asked)
        return [_audio(item) for item in found] if isinstance(found, list) else {"task": found.taskUUID}

    async def response(self, task: str, results: int = 1) -> list[dict[str, Any]]:
        return [_audio(item) for item in await self.runware.getResponse(task, results)]


def _image(item: Any) -> dict[str, Any]:
    return {"uuid": item.imageUUID, "url": item.imageURL, "base64": item.imageBase64Data, "task": item.taskUUID}


def _audio(item: Any) -> dict[str, Any]:
    return {"uuid": item.audioUUID, "url": item.audioURL, "task": item.taskUUID}


if __name__ == "__main__":
    asyncio.run(serve(Client))
