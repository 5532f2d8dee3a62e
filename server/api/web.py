"""What browsers get: the playground at `/`, the live board, and the files of `server/web` as they lie there.

The pages know nothing of a key: whoever opens them brings one, in the part of the address that is never sent.
"""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from server.api.pages import Pages
from server.gateway import Gateway

FOLDER = Path(__file__).parent.parent / "web"
_PAGES = {"/": "index.html", "/board": "board.html"}


def routes(gateway: Gateway, pages: Pages) -> list[Route | Mount]:
    """The addresses of the pages and of what they are made of."""
    web = Web(gateway)

    async def root(request: Request) -> Response:
        """A browser asks for HTML by name; whoever else comes is told of the doors."""
        wanted = "text/html" in request.headers.get("accept", "")
        answer = web.page(request) if wanted else await pages.discovery(request)
        answer.headers["vary"] = "accept"
        return answer

    async def board(request: Request) -> Response:
        return web.page(request)

    return [Route("/", root), Route("/board", board, include_in_schema=False), Mount("/web", web.files)]


class Web:
    """The static files, and what a browser may do with them."""

    def __init__(self, gateway: Gateway) -> None:
        self.headers = security(gateway.config.public_url)
        self.files = _Guarded(self.headers)

    def page(self, request: Request) -> Response:
        """The page at this address."""
        return FileResponse(FOLDER / _PAGES[request.url.path], headers=self.headers)


def security(public_url: str) -> dict[str, str]:
    """Headers of every page: nothing but our own files runs in it, and nobody frames it. Pictures may come from
    anywhere, since results of other servers can be looked at; they are fetched from here and the public address."""
    rules = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob: data: http: https:",
        f"connect-src 'self' {public_url}".strip(), "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    ]  # fmt: skip
    return {
        "content-security-policy": "; ".join(rules),
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        # Asked for again each time, by its ETag: a page and its modules are always of one version.
        "cache-control": "no-cache",
    }


class _Guarded:
    """Static files with these headers on every answer."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.files = StaticFiles(directory=FOLDER)
        self.headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self.headers]
            await send(message)

        await self.files(scope, receive, guarded)
