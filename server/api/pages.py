"""What is not a task: is it alive, is it ready, what is it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.metadata import version

import orjson
from starlette.requests import Request
from starlette.responses import Response

from server.gateway import Gateway
from server.metrics import build


class Pages:
    """The endpoints for operators, and the address book at `/`."""

    def __init__(self, gateway: Gateway, openapi: Callable[[], bytes], asyncapi: Callable[[], bytes]) -> None:
        self.gateway = gateway
        self._was_ready = False
        self.described = {"/openapi.json": openapi, "/asyncapi.json": asyncapi}

    async def live(self, request: Request) -> Response:
        """The process answers. Never asks Redis."""
        return _json({"status": "live"})

    async def ready(self, request: Request) -> Response:
        """Every part that a task needs is there; 503 with the failing part else."""
        found = await self.gateway.readiness()
        failing = {part: sentence for part, sentence in found.items() if sentence}
        body = {"status": "ready" if not failing else "not ready", "parts": {p: s or "ok" for p, s in found.items()}}
        return _json(body, 503 if failing else 200)

    async def started(self, request: Request) -> Response:
        """Whether the gateway has been ready once; 503 before. What it needs may be slow to come up, and go later."""
        self._was_ready = self._was_ready or not any((await self.gateway.readiness()).values())
        return _json({"status": "started" if self._was_ready else "starting"}, 200 if self._was_ready else 503)

    async def version(self, request: Request) -> Response:
        """What runs here."""
        return _json({"name": "taskarray"} | build())

    async def discovery(self, request: Request) -> Response:
        """What this server is and where its doors are."""
        scraped = [] if self.gateway.config.metrics_port else ["/metrics"]
        return _json(
            {
                "name": "taskarray",
                "version": version("taskarray"),
                "faces": {
                    "/v1": "task array: WebSocket, and POST",
                    "/v2": "background removal: POST",
                    "/api/v3": "predictions: POST /api/v3/{model}, GET /api/v3/predictions/{id}",
                },
                "taskTypes": sorted(self.gateway.catalog.by_name),
                "openapi": "/openapi.json",
                "asyncapi": "/asyncapi.json",
                "health": ["/livez", "/readyz", "/startupz", *scraped],
            }
        )

    async def description(self, request: Request) -> Response:
        """The HTTP faces, or the socket, described for programs."""
        return Response(await asyncio.to_thread(self.described[request.url.path]), media_type="application/json")


def _json(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
