"""What a key asks about its tasks in a request of its own: DELETE /v1/tasks/{uuid}, GET /v1/usage."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.api import v1
from server.api.body import bearer
from server.api.v1_http import response
from server.errors import ApiError, InvalidParameter, TaskNotFound
from server.gateway import Gateway
from server.tenants import Tenant

DAYS = 30
MOST_DAYS = 400

Ask = Callable[[Gateway, Request, Tenant], Awaitable[list[dict[str, Any]]]]
"""What a request of a tenant is answered with, as items. Raises ApiError."""


def routes(gateway: Gateway) -> list[Route]:
    """The addresses of these requests."""
    return [
        Route("/v1/tasks/{taskUUID}", _answered(gateway, cancel), methods=["DELETE"]),
        Route("/v1/usage", _answered(gateway, usage), methods=["GET"]),
    ]


async def cancel(gateway: Gateway, request: Request, tenant: Tenant) -> list[dict[str, Any]]:
    """End a task that has not ended."""
    uuid = request.path_params["taskUUID"]
    (became,) = await gateway.queue.cancel(tenant.id, [uuid])
    if became == "notFound":
        raise TaskNotFound(parameter="taskUUID")
    return [{"taskUUID": uuid, "status": became}]


async def usage(gateway: Gateway, request: Request, tenant: Tenant) -> list[dict[str, Any]]:
    """How many tasks were done on each of the last days (UTC), and how many seconds they ran; the newest day first."""
    asked = request.query_params.get("days", str(DAYS))
    if not asked.isdecimal() or len(asked) > 3 or not 1 <= int(asked) <= MOST_DAYS:
        sentence = f"days is a whole number from 1 to {MOST_DAYS}."
        raise InvalidParameter(sentence, parameter="days", type="integer", min=1, max=MOST_DAYS)
    return await gateway.tenants.daily(tenant, int(asked))


def _answered(gateway: Gateway, ask: Ask) -> Callable[[Request], Awaitable[Response]]:
    """A request as a route has it, answered in the shape of POST /v1."""

    async def answer(request: Request) -> Response:
        try:
            tenant = await gateway.tenants.identify(bearer(request))
            frame = v1.data(await ask(gateway, request, tenant))
        except ApiError as refusal:
            frame = v1.errors([refusal.as_dict()], request.path_params)
        return response([frame])

    return answer
