"""Builds the gateway once: config → services → routes → a uvicorn server. Nothing else."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import cache
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from server import asyncapi, manual, openapi
from server.api import board, schemas, tasks, v2_removal, v3_routes, web
from server.api import manual as docs
from server.api.files import ImageFile
from server.api.metrics import Scrapes
from server.api.pages import Pages
from server.api.protocol import Protocol
from server.api.v1_http import TaskArray
from server.api.v1_socket import Socket
from server.api.v1_uploads import RawUpload
from server.config import Config
from server.errors import ApiError, MethodNotAllowed, NotFound, wire
from server.gateway import Gateway
from server.listening import BACKLOG, listen
from server.log import incident, log

_LOCAL_PAGES = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"


def build(gateway: Gateway) -> Starlette:
    """The ASGI application over a gateway's services."""
    # Nobody may ever ask for the documents, and they take a moment to write.
    http = cache(lambda: orjson.dumps(openapi.document(gateway.catalog)))
    sockets = cache(lambda: orjson.dumps(asyncapi.document(gateway.catalog, gateway.config.public_url)))
    book = cache(lambda: manual.written(gateway.catalog, gateway.config))
    pages, sockets_of_v1, array = Pages(gateway, http, sockets), Socket(gateway), TaskArray(gateway)

    routes: list[BaseRoute] = [
        Route("/livez", pages.live),
        Route("/healthz", pages.live),
        Route("/readyz", pages.ready),
        Route("/startupz", pages.started),
        Route("/version", pages.version),
        *([] if gateway.config.metrics_port else [_scraped(gateway)]),
        Route("/openapi.json", pages.description),
        Route("/asyncapi.json", pages.description),
        Route("/v1/uploads/{taskUUID}", RawUpload(gateway).__call__, methods=["PUT"]),
        Route("/im/{tenant}/{name}", ImageFile(gateway).__call__, methods=["GET", "HEAD"]),
    ]
    for path in ("/v1", "/v1/"):
        routes += [Route(path, array.__call__, methods=["POST"]), WebSocketRoute(path, sockets_of_v1)]
    routes += web.routes(gateway, pages) + docs.routes(gateway, book)
    for face in (board, schemas, tasks, v2_removal, v3_routes):
        routes += face.routes(gateway)
    handlers: dict[Any, Any] = {ApiError: _refused, Exception: _broken, 404: _nowhere, 405: _nowhere}
    app = Starlette(
        routes=routes, middleware=[_cors(gateway.config)], exception_handlers=handlers, lifespan=_lifespan(gateway)
    )
    app.router.redirect_slashes = False
    return app


def _lifespan(gateway: Gateway) -> Callable[[Starlette], AbstractAsyncContextManager[dict[str, Any]]]:
    """What runs around the requests, and what each of them is lent."""

    async def vouch(key: str) -> bool:
        try:
            await gateway.tenants.identify(key)
        except ApiError:
            return False
        return True

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[dict[str, Any]]:
        await gateway.start()
        yield {"vouch": vouch}
        await gateway.stop()

    return lifespan


def _scraped(gateway: Gateway) -> Route:
    return Route("/metrics", Scrapes(gateway).metrics)


def _cors(config: Config) -> Middleware:
    return Middleware(
        CORSMiddleware,
        allow_origins=config.origins,
        allow_origin_regex=_LOCAL_PAGES if config.loopback else None,
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=["*"],
        expose_headers=["Range", "Retry-After"],
    )


async def _refused(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, ApiError)
    return Response(orjson.dumps({"error": wire(failure.as_dict())}), failure.status, media_type="application/json")


async def _broken(request: Request, failure: Exception) -> Response:
    return await _refused(request, incident("request_failed", failure, path=request.url.path))


async def _nowhere(request: Request, failure: Any) -> Response:
    sentence = f"{request.method} {request.url.path} is nothing here. GET / lists the doors of this server."
    kind = MethodNotAllowed if failure.status_code == MethodNotAllowed.status else NotFound
    body = orjson.dumps({"error": wire(kind(sentence).as_dict())})
    return Response(body, kind.status, failure.headers, "application/json")


def _metrics_server(gateway: Gateway) -> Server:
    """What answers on the port that only Prometheus is to reach."""
    return Server(
        uvicorn.Config(
            Starlette(routes=[_scraped(gateway)]), lifespan="off", log_config=None, access_log=False,
            http="httptools", timeout_graceful_shutdown=1,
        )
    )  # fmt: skip


class Server(uvicorn.Server):
    """uvicorn, which leaves the signals to us: we drain first."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def serve_gateway(config: Config, listening: int | None = None) -> None:
    """Run a gateway until SIGTERM or SIGINT; then drain. A second signal ends it at once.

    `listening` is the descriptor of a socket that listens already. Raises ConfigError where a port is taken.
    """
    main = listen(config, config.host, config.port) if listening is None else socket.socket(fileno=listening)
    aside = None
    if config.metrics_port:
        aside = listen(config, config.metrics_host or config.host, config.metrics_port, "metrics_port")
    gateway = Gateway(config)
    Protocol.large, Protocol.small = config.max_message, config.max_message_unauthenticated
    options = uvicorn.Config(
        build(gateway), ws=Protocol, loop="uvloop", http="httptools", ws_max_size=config.max_message,
        ws_per_message_deflate=False, ws_ping_interval=20, ws_ping_timeout=20, lifespan="on", log_config=None,
        access_log=False, timeout_graceful_shutdown=5, backlog=BACKLOG,
    )  # fmt: skip
    server = Server(options)
    stopping: list[asyncio.Task[None]] = []

    async def stop() -> None:
        log.info("draining")
        await gateway.drain()
        server.should_exit = True

    def signalled() -> None:
        if stopping:
            server.force_exit = server.should_exit = True
        else:
            stopping.append(asyncio.create_task(stop()))

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, signalled)
    beside = _metrics_server(gateway)
    async with asyncio.TaskGroup() as group:
        if aside:
            group.create_task(beside.serve([aside]))
        await server.serve([main])
        beside.should_exit = True
