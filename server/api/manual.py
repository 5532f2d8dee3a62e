"""/docs, and /llms.txt: the manual of this server, written once and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from blake3 import blake3
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.api.web import security
from server.errors import NotFound
from server.gateway import Gateway


class Book(Protocol):
    """What is served: pages by their address, the index of the search, the index for language models."""

    @property
    def html(self) -> Mapping[str, bytes]: ...

    @property
    def search(self) -> bytes: ...

    @property
    def llms(self) -> bytes: ...


def routes(gateway: Gateway, written: Callable[[], Book]) -> list[Route]:
    """The addresses of the manual. `written` gives it, and takes a moment the first time."""
    headers = security(gateway.config.public_url)

    def answer(request: Request, content: bytes, kind: str) -> Response:
        tag = f'"{blake3(content).hexdigest()[:32]}"'
        known = tag in request.headers.get("if-none-match", "")
        told = headers | {"etag": tag}
        return Response(status_code=304, headers=told) if known else Response(content, headers=told, media_type=kind)

    async def page(request: Request) -> Response:
        book, path = await asyncio.to_thread(written), request.url.path.rstrip("/")
        if path not in book.html:
            raise NotFound(f"The manual has no page {path}. /docs lists those there are.")
        return answer(request, book.html[path], "text/html")

    async def search(request: Request) -> Response:
        return answer(request, (await asyncio.to_thread(written)).search, "application/json")

    async def llms(request: Request) -> Response:
        return answer(request, (await asyncio.to_thread(written)).llms, "text/plain")

    pages = ("/docs", "/docs/{page}", "/docs/tasks/{taskType}")
    return [
        Route("/docs/search.json", search, include_in_schema=False),
        Route("/llms.txt", llms, include_in_schema=False),
        *(Route(path + slash, page, include_in_schema=False) for path in pages for slash in ("", "/")),
    ]
