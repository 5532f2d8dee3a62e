"""What the live board asks, with a key of the scope `dash`: its feed, one task of anybody's, its end, the same again.

Everything here tells and takes names, UUIDs and numbers: no image, no key and no payload goes either way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from server.api import v1
from server.api.again import rerun
from server.api.body import bearer
from server.api.v1_http import response
from server.api.viewers import Viewers
from server.board import Board
from server.errors import ApiError, InvalidParameter, ServiceUnavailable, TaskNotFound
from server.gateway import Gateway
from server.log import log
from server.lookup import find, uuid_of
from server.prepare import Refused
from server.tenants import Scope, Tenant

_LEAST = 4
Act = Callable[[Request, Tenant], Awaitable[Response]]
"""What a request of an operator is answered with. Raises ApiError."""


def routes(gateway: Gateway) -> list[Route]:
    """The addresses behind the board."""
    face = Face(gateway)
    return [
        Route("/board/feed", face.kept(face.feed)),
        Route("/board/tasks/{taskUUID}", face.kept(face.search)),
        Route("/board/tasks/{tenant}/{taskUUID}/cancel", face.kept(face.cancel), methods=["POST"]),
        Route("/board/tasks/{tenant}/{taskUUID}/rerun", face.kept(face.rerun), methods=["POST"]),
    ]


class Face:
    """The actions of the board."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.board = Board(gateway.store, gateway.tenants)
        self.viewers = Viewers(gateway, self.board)

    def kept(self, act: Act) -> Callable[[Request], Awaitable[Response]]:
        """An action as a route has it: only for keys with the scope."""

        async def answer(request: Request) -> Response:
            try:
                return await act(request, await self.gateway.tenants.identify(bearer(request), Scope.DASH))
            except ApiError as refusal:
                return response([v1.errors([refusal.as_dict()], {})])

        return answer

    async def feed(self, request: Request, operator: Tenant) -> Response:
        """How the installation does, as server-sent events: `state` every second, `tasks` as these run, `trouble`.

        It ends when the gateway stops, and soon after the key is revoked.
        """
        if self.gateway.stopping:
            raise ServiceUnavailable("The server restarts; come back in a moment.")
        self.viewers.admit()
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        news = self.viewers.follow(partial(self._may_look, bearer(request)))
        return StreamingResponse(news, 200, headers, "text/event-stream")

    async def search(self, request: Request, operator: Tenant) -> Response:
        """Tasks of any key, by their UUID or the beginning of it."""
        text = request.path_params["taskUUID"]
        if len(text.replace("-", "")) < _LEAST or len(text) > 36:
            sentence = f"Give a taskUUID, or at least the first {_LEAST} characters of one."
            raise InvalidParameter(sentence, parameter="taskUUID")
        found = await find(self.board, text)
        if not found.tasks:
            raise TaskNotFound(
                "No task of any key has that taskUUID, or it is no longer kept. By a beginning only those are found"
                " that have not ended, or ended lately.",
                parameter="taskUUID",
            )
        return _data(found.tasks, partly=found.partly)

    async def cancel(self, request: Request, operator: Tenant) -> Response:
        """End a task of anybody's that has not ended."""
        tenant, uuid = _named(request)
        (became,) = await self.gateway.queue.cancel(tenant, [uuid])
        if became == "notFound":
            raise TaskNotFound(parameter="taskUUID")
        log.info("board_cancelled", operator=operator.name, tenant=tenant, task_uuid=uuid, became=became)
        return _data([{"taskUUID": uuid, "status": became}])

    async def rerun(self, request: Request, operator: Tenant) -> Response:
        """Do the same work again for the same key, as a new task that nobody waits for."""
        tenant, uuid = _named(request)
        fresh = await rerun(self.gateway, request, await self._tenant(tenant), uuid)
        if isinstance(fresh, Refused):
            return response([v1.errors(fresh.failures, {})])
        log.info("board_rerun", operator=operator.name, tenant=tenant, task_uuid=uuid, again=fresh)
        return _data([{"taskUUID": fresh, "of": uuid}])

    async def _may_look(self, key: str | None) -> bool:
        """Whether a key is still good for the board. A Redis that is away says nothing of it."""
        try:
            await self.gateway.tenants.identify(key, Scope.DASH)
        except ApiError as refusal:
            return isinstance(refusal, ServiceUnavailable)
        return True

    async def _tenant(self, id: str) -> Tenant:
        return (await self.gateway.tenants.known()).get(id) or Tenant(id, "")


def _named(request: Request) -> tuple[str, str]:
    return request.path_params["tenant"], uuid_of(request.path_params["taskUUID"])


def _data(items: list[dict[str, Any]], **members: Any) -> Response:
    return Response(orjson.dumps({"data": items} | members), media_type="application/json")
