"""What every answer of the predictions API has in common: the envelope, the failures in its words, who asks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from server.api.body import bearer, read_body
from server.api.v3_prediction import sentence, task_code
from server.errors import ApiError, InvalidRequest, MethodNotAllowed
from server.gateway import Gateway
from server.log import incident
from server.tenants import Tenant

_WORDS = {
    "invalidApiKey": "invalid authentication",
    "rateLimitExceeded": "Too Many Requests",
    "taskNotFound": "prediction not found",
    "conflictTaskUUID": "This address has taken another file already. Ask for a new one.",
}
_INLINE_BYTES = 64 * 1024
_PARAMETER = range(1400, 1403)

Endpoint = Callable[[Gateway, Request, Tenant], Awaitable[Any]]
"""What answers a request of a tenant: the `data` of a success, or a whole Response. Raises ApiError."""
Keyless = Callable[[Gateway, Request], Awaitable[Any]]
"""The same for a request that needs no key."""


def keyed(endpoint: Endpoint) -> Keyless:
    """An endpoint behind a key. `X-API-Key` is taken as well."""

    async def answer(gateway: Gateway, request: Request) -> Any:
        tenant = await gateway.tenants.identify(bearer(request) or request.headers.get("x-api-key"))
        return await endpoint(gateway, request, tenant)

    return answer


def answered(gateway: Gateway, endpoint: Keyless) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint as a route has it: whatever happens in it is said in this API's words."""

    async def answer(request: Request) -> Response:
        try:
            found = await endpoint(gateway, request)
        except ApiError as refusal:
            return refused([refusal.as_dict()])
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception as bug:
            return refused([incident("request_failed", bug, path=request.url.path).as_dict()])
        return found if isinstance(found, Response) else success(found)

    return answer


def success(data: Any) -> Response:
    """The envelope of what went well. Clients take exactly 200 for it."""
    return _json({"code": 200, "message": "success", "data": data}, 200)


def refused(failures: list[dict[str, Any]], model: str = "") -> Response:
    """The envelope of what was not taken. `error` is a string, and there is no `data`, on which clients crash."""
    first = failures[0]
    status: int = first["status"]
    message = _WORDS.get(first["code"]) or " ".join(sentence(failure, model) for failure in failures)
    known = task_code(first["code"])
    code = known if status == 400 and "parameter" in first and known in _PARAMETER else status
    headers = {"retry-after": str(max(1, round(first.get("retryAfter", 1))))} if status in (429, 503) else {}
    return _json({"code": code, "message": message, "error": message}, status, headers)


def forbidden(message: str) -> Response:
    """The envelope of what this caller may not do."""
    return _json({"code": 403, "message": message, "error": message}, 403)


def exactly(error: str) -> Response:
    """A bad request of which the documented body is this one member."""
    return _json({"error": error}, 400)


def address(gateway: Gateway, request: Request) -> str:
    """The address that URLs of this server begin with."""
    return gateway.config.public_url.rstrip("/") or str(request.base_url).rstrip("/")


async def body_object(gateway: Gateway, request: Request) -> dict[str, Any]:
    """The body, a JSON object; no body is an empty one. Raises InvalidRequest, MaxRequestSizeExceeded."""
    body = await read_body(request, gateway.config.max_message)
    try:
        read = body or b"{}"
        found = orjson.loads(read) if len(read) < _INLINE_BYTES else await asyncio.to_thread(orjson.loads, read)
    except orjson.JSONDecodeError as broken:
        raise InvalidRequest(f"The body is not JSON: {broken.msg} at position {broken.pos}.") from None
    if not isinstance(found, dict):
        raise InvalidRequest("The body is a JSON object with the inputs of the model.")
    return found


async def misused(gateway: Gateway, request: Request) -> Any:
    """The answer to a method that an address does not have: every path is a model's, and takes POST."""
    raise MethodNotAllowed(f"{request.method} does nothing at {request.url.path}. Models are run by POST.")


def _json(body: object, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, "application/json")
