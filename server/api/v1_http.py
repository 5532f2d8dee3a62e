"""POST /v1: the same array over one request. The request is a session that lives for one answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from server.api import v1
from server.api.answers import ASKED, ack_frame, answered, check_frame, news, silent, steps_of, too_many
from server.api.body import bearer, read_body
from server.api.exchange import Exchange, exchange
from server.api.outcomes import outcome_frame
from server.errors import ApiError, InvalidRequest, ResponseTimeout, status_of
from server.gateway import Gateway
from server.graph import Step
from server.log import incident, log
from server.prepare import Prepared, Refused

_INLINE_BYTES = 64 * 1024
_Found = TypeVar("_Found")
Answer = v1.Frame | Callable[[], Awaitable[v1.Frame]]
"""A task's frame; or how to make it, where it may hold all the bytes of a result."""


class TaskArray:
    """The endpoint of POST /v1."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def __call__(self, request: Request) -> Response:
        try:
            answers: Sequence[Answer] = await self._answers(request)
        except ApiError as refusal:
            answers = [v1.errors([refusal.as_dict()], {})]
        except ClientDisconnect:
            return Response(status_code=499)
        return await _reply(answers, single=request.query_params.get("data") == "object")

    async def _answers(self, request: Request) -> Sequence[Answer]:
        """The frames that a socket would get, in the order of the array."""
        body = await read_body(request, self.gateway.config.max_message)
        key = bearer(request)
        if key:
            await self.gateway.tenants.identify(key)
        try:
            objects = v1.parse(body) if len(body) <= _INLINE_BYTES else await asyncio.to_thread(v1.parse, body)
        except ApiError as broken:
            log.info("message_refused", code=broken.code, bytes_in=len(body))
            return v1.unreadable(body, broken)
        if objects[0].get("taskType") == "authentication":
            key = key or objects[0].get("apiKey")
            objects = objects[1:]
        tenant = await self.gateway.tenants.identify(key)
        if not objects:
            raise InvalidRequest("There is nothing to do after the authentication. Send at least one task object.")
        async with exchange(self.gateway, request, tenant, dry=v1.dry(request.query_params.get("dryRun"))) as found:
            check = partial(self.gateway.dispatch.prepare, found.caller)
            steps = await asyncio.to_thread(steps_of, self.gateway.config, objects, check)
            steps, _ = self.gateway.dispatch.arranged(steps)
            return await asyncio.gather(*(self._answer(found, step) for step in steps))

    async def _answer(self, exchange: Exchange, sent: Step) -> Answer:
        if not isinstance(sent, dict):
            return await _attempted(partial(self._run, exchange, sent), sent.request.sent)
        match sent.get("taskType"):
            case "getResponse" | "getTaskDetails" as asked:
                if asked == "getResponse":
                    await news(self.gateway, exchange.caller, sent)
                return partial(answered, self.gateway, exchange.caller, sent)
            case str(asked) if asked in ASKED:
                return await answered(self.gateway, exchange.caller, sent)
            case "ping":
                return v1.pong(sent)
            case "authentication":
                return {}
            case _:
                return too_many(self.gateway.config, sent)

    async def _run(self, exchange: Exchange, prepared: Prepared | Refused) -> Answer:
        sent, config = prepared.request.sent, self.gateway.config
        if isinstance(prepared, Prepared) and prepared.dry:
            return await check_frame(self.gateway, exchange.caller, prepared)
        soon = isinstance(prepared, Prepared) and prepared.delivery == "async"
        hooked = isinstance(prepared, Prepared) and bool(prepared.job.webhook)
        end = await exchange.run(prepared, 0 if hooked else config.eager_ack if soon else config.sync_wait)
        if isinstance(end, Refused):
            return v1.errors(end.failures, sent)
        if hooked:
            return ack_frame(sent)
        if end is None:
            return ack_frame(sent) if soon else v1.errors([ResponseTimeout().as_dict()], sent)
        outcome = end.outcome or {}
        if silent(sent, outcome):
            return ack_frame(sent) if soon else {}
        about = {"status": "success"} if soon else {}
        make = partial(outcome_frame, self.gateway, exchange.caller, sent, outcome, end.oversized, **about)
        large = any(item.get("inline") for item in outcome.get("items", ()))
        return partial(_attempted, make, sent) if large else await make()


async def _attempted(work: Callable[[], Awaitable[_Found]], sent: dict[str, Any]) -> _Found | v1.Frame:
    """A step towards a task's frame. What goes wrong in it is told under the task, and costs no other."""
    try:
        return await work()
    except ApiError as away:
        return v1.errors([away.as_dict()], sent)
    except Exception as bug:
        return v1.errors([incident("step_failed", bug, hide=sent).as_dict()], sent)


async def _reply(answers: Sequence[Answer], *, single: bool) -> Response:
    """All answers in one body. Where several may be large, each is made when those before it have been taken."""
    begun, frames = list[v1.Frame](), _in_turn(answers)
    streamed = not single and sum(map(callable, answers)) > 1
    async for frame in frames:
        begun.append(frame)
        if streamed and frame.get("data"):
            return StreamingResponse(_written(begun, frames), media_type="application/json")
    return response(begun, single=single)


async def _in_turn(answers: Sequence[Answer]) -> AsyncGenerator[v1.Frame]:
    for answer in answers:
        yield await answer() if callable(answer) else answer


async def _written(begun: list[v1.Frame], frames: AsyncIterator[v1.Frame]) -> AsyncGenerator[bytes]:
    """The body in parts. What has been sent is let go of."""
    failures, before = list[dict[str, Any]](), b'{"data":['
    while (frame := begun.pop(0) if begun else await anext(frames, None)) is not None:
        failures += frame.get("errors", ())
        for item in frame.get("data", ()):
            yield before + orjson.dumps(item)
            before = b","
    yield b"]" + (b',"errors":' + orjson.dumps(failures) if failures else b"") + b"}"


def response(frames: list[v1.Frame], *, single: bool = False) -> Response:
    """All frames in one body, as clients need it: no empty `errors`, and with nothing done the first failure also
    as `error` and its status."""
    items = [item for frame in frames for item in frame.get("data", ())]
    failures = [failure for frame in frames for failure in frame.get("errors", ())]
    body: dict[str, Any] = {"data": items[0] if single and len(items) == 1 else items} if items else {}
    status, headers = 200, dict[str, str]()
    if failures:
        body["errors"] = failures
    if failures and not items:
        body["error"] = failures[0]
        status = status_of(failures[0]["code"])
        if wait := failures[0].get("retryAfter", 1 if status == 503 else 0):
            headers["retry-after"] = str(max(1, round(wait)))
    return Response(orjson.dumps(body or {"data": []}), status, headers, "application/json")
