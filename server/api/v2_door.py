"""What every address of /v2 has in common: its methods, the id of a request, and failures in its own dialect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import uuid4

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from server.api.v2_errors import Failure, internal, translated
from server.errors import ApiError
from server.log import log

Action = Callable[[Request, str], Awaitable[Response]]
"""Answers a request, which becomes a task of this UUID, if any. Raises Failure, ApiError."""


class Door:
    """An address of /v2 as an ASGI application: one method, one action."""

    def __init__(self, method: str, action: Action) -> None:
        self.methods = {"GET": ("GET", "HEAD")}.get(method, (method,))
        self.action = action

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        uuid = uuid4()
        request_id = f"req_{uuid.hex}"
        response = await self._answer(Request(scope, receive), str(uuid), request_id)
        response.headers.update({"x-request-id": request_id, "cache-control": "no-store"})
        await response(scope, receive, send)

    async def _answer(self, request: Request, uuid: str, request_id: str) -> Response:
        try:
            if request.method not in self.methods:
                raise Failure(
                    405, "method_not_allowed", "Method not allowed.", headers={"allow": ", ".join(self.methods)}
                )
            return await self.action(request, uuid)
        except Failure as failure:
            return failure.response(request_id)
        except ApiError as failure:
            return translated(failure.as_dict()).response(request_id)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception as bug:
            log.error("request_failed", incident=request_id, path=request.url.path, exc_info=bug)
            return internal(f"Internal server error, incident {request_id}.").response(request_id)
