"""The way in to WebSocket /v1: who may connect, and the first message, which must authenticate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from server.api import v1
from server.api.wire import Wire
from server.config import Config
from server.errors import (
    ApiError,
    InvalidApiKey,
    MaxRequestSizeExceeded,
    OriginNotAllowed,
    RateLimitExceeded,
    ScopeMissing,
    ServiceUnavailable,
)
from server.errors import wire as as_wire
from server.gateway import Gateway
from server.log import incident, log
from server.prepare import Caller
from server.sessions import Resumed
from server.tally import tally
from server.tenants import Tenant

_LINGER_SECONDS = 1.0
"""After a refused key the socket stays open this long: some clients need the time to read why."""
FEATURES = frozenset({"binary", "events", "graph"})
"""What a socket may ask for with `features`: frames that a client of the plain protocol would not understand, and a
word that task graphs are known here."""
_FRAME_BYTES = 2**20
"""The new Python client hangs up on larger messages: its library's default."""
_LOCAL = ("localhost", "127.0.0.1", "::1")


def authenticated(config: Config, caller: Caller) -> v1.Frame:
    """The answer to a good key. No taskUUID in it: a client matches it by its taskType alone. Who asked for features
    is told which it has, and for how many seconds an answer can be asked for again."""
    about: dict[str, Any] = {"taskType": "authentication", "connectionSessionUUID": caller.session}
    if caller.features:
        about |= {"features": sorted(caller.features), "resultTTL": round(config.result_ttl)}
    return v1.data([about])


def returned(resumed: Resumed | None) -> v1.Frame:
    """What is told to a socket with events that named an earlier session: whether it goes on, and after which offset;
    one that is not known is gone with what was not delivered."""
    state = {"state": "resumed" if resumed else "new", "recovered": bool(resumed)}
    return {"events": [{"type": "session"} | state | {"from": resumed.confirmed if resumed else 0}]}


def base_url(config: Config, wire: Wire) -> str:
    """What image URLs begin with, for this client."""
    return config.public_url.rstrip("/") or wire.base_url


def origin_allowed(config: Config, origin: str, host: str) -> bool:
    """Whether a page of this origin may use the server. Who sends no origin is no browser, and passes on its key.

    On loopback the host must be a name of this machine, or else a page could have its own name point here.
    """
    if not origin or "*" in config.origins or origin in config.origins:
        return True
    public = urlsplit(config.public_url)
    try:
        name, page = urlsplit(f"//{host}").hostname, urlsplit(origin)
    except ValueError:
        return False
    if not page.hostname:
        return False
    if config.loopback:
        known = {*_LOCAL, public.hostname or _LOCAL[0]}
        return name in known and page.hostname in known
    return page.netloc in (host, public.netloc)


@asynccontextmanager
async def admitted(gateway: Gateway, wire: Wire) -> AsyncGenerator[bool]:
    """Accept the socket, or turn it away with a word why; counted until it has authenticated."""
    config, waiting = gateway.config, gateway.unauthenticated
    origin, host = wire.header("origin"), wire.header("host")
    if gateway.stopping:
        _log_away(wire, "serviceUnavailable")
        yield await wire.turn_away(ServiceUnavailable("The server restarts; come back in a moment."))
    elif not origin_allowed(config, origin, host):
        _log_away(wire, "originNotAllowed")
        yield await wire.turn_away(OriginNotAllowed(f"Origin {origin} is not allowed. Add it to TASKARRAY_ORIGINS."))
    elif waiting.get(wire.address, 0) >= config.max_unauthenticated_per_ip:
        tally.add("rate_limited", "address")
        _log_away(wire, "rateLimitExceeded")
        yield await wire.turn_away(RateLimitExceeded("Too many sockets of this address wait to authenticate."))
    else:
        waiting[wire.address] = waiting.get(wire.address, 0) + 1
        try:
            await wire.accept()
            yield True
        finally:
            waiting[wire.address] -= 1
            if not waiting[wire.address]:
                del waiting[wire.address]


@dataclass(frozen=True)
class Entered:
    """A socket that has authenticated. `asked`: it named an earlier session; `resumed`: and goes on with it; `objects`
    are the tasks that came in the same message."""

    caller: Caller
    asked: bool
    resumed: Resumed | None
    objects: list[dict[str, Any]]


async def authenticate(gateway: Gateway, wire: Wire) -> Entered | None:
    """Wait for a good key; None when refused."""
    try:
        async with asyncio.timeout(gateway.config.auth_timeout):
            while (message := await wire.receive()) is not None:
                objects = await _first_objects(gateway.config, wire, message)
                if objects is not None:
                    return await _entered(gateway, wire, objects)
    except TimeoutError:
        tally.add("auth_failures", "timeout")
        await _refuse(wire, InvalidApiKey("Nothing authenticated this socket in time.", parameter="apiKey"), 4408)
    return None


async def _first_objects(config: Config, wire: Wire, message: str | bytes) -> list[dict[str, Any]] | None:
    """A message that begins with an authentication; any other is answered and the socket may try again."""
    try:
        objects = v1.parse(message)
    except ApiError as broken:
        for frame in v1.unreadable(message, broken):
            await wire.send(v1.dumps(frame))
        return None
    if objects[0].get("taskType") == "authentication":
        return objects
    early = InvalidApiKey('Authenticate first: [{"taskType": "authentication", "apiKey": …}].', parameter="apiKey")
    for sent in objects:
        await wire.send(v1.dumps(v1.errors([early.as_dict()], sent)))
    if len(message) > config.max_message_unauthenticated:
        limit = config.max_message_unauthenticated
        await wire.send(
            v1.dumps(v1.errors([MaxRequestSizeExceeded(f"Before authentication, {limit} bytes.").as_dict()], {}))
        )
        wire.close(1009, "message too big before authentication")
    return None


async def _entered(gateway: Gateway, wire: Wire, objects: list[dict[str, Any]]) -> Entered | None:
    asked = objects[0]
    try:
        tenant = await gateway.tenants.identify(asked.get("apiKey"))
        if gateway.sockets.get(tenant.id, 0) >= gateway.config.max_sockets_per_key:
            tally.add("rate_limited", "sockets")
            raise InvalidApiKey("This key holds as many sockets as it may (TASKARRAY_MAX_SOCKETS_PER_KEY).")
        features = _features(wire, asked)
        session, resumed = await _session(gateway, tenant, asked.get("connectionSessionUUID"), "events" in features)
    except (InvalidApiKey, ScopeMissing) as refusal:
        await _refuse(wire, refusal, 4401)
        return None
    except Exception as broken:
        away = broken if isinstance(broken, ApiError) else incident("authentication_broken", broken)
        failure = as_wire(away.as_dict(), taskType="authentication")
        await wire.send(v1.dumps({"errors": [failure], "error": failure}))
        wire.close(1013, "try again")
        return None
    wire.trust()
    most = _FRAME_BYTES if wire.client.startswith("runware-python") else 0
    if asked.get("connectionSessionUUID"):
        gateway.metrics.recoveries.labels("true" if resumed else "false").inc()
    caller = Caller(tenant, session, base_url(gateway.config, wire), features, wire.dry, most)
    return Entered(caller, bool(asked.get("connectionSessionUUID")), resumed, objects[1:])


def _features(wire: Wire, asked: dict[str, Any]) -> frozenset[str]:
    """What this socket asked for beyond the protocol of the official clients, as far as we have it."""
    named = asked.get("features")
    words = [word for word in named if isinstance(word, str)] if isinstance(named, list) else []
    return FEATURES & {*words, *wire.features}


async def _session(gateway: Gateway, tenant: Tenant, asked: object, events: bool) -> tuple[str, Resumed | None]:
    """The session that was asked for if it is known and this tenant's, else a new one: never a failure."""
    if isinstance(asked, str) and asked:
        resumed = await gateway.sessions.resume(tenant.id, asked, events=events)
        if resumed:
            return asked.lower(), resumed
    return await gateway.sessions.open(tenant.id, events=events), None


def _log_away(wire: Wire, code: str) -> None:
    log.info("socket_turned_away", address=wire.address, client=wire.client, code=code)


async def _refuse(wire: Wire, refusal: ApiError, code: int) -> None:
    log.info("authentication_refused", address=wire.address, client=wire.client, code=refusal.code)
    await wire.send(v1.dumps(v1.refused_authentication(refusal)))
    await asyncio.sleep(_LINGER_SECONDS)
    wire.close(code, "authentication failed")
