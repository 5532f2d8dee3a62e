"""A finished task as the frame that its client gets, no larger than that client takes.

Some libraries hang up with 1009 on a message above their limit, come back and ask again. What a client has hung up on
comes with URLs in place of its bytes, and in the end as an error that says what to do.
"""

from __future__ import annotations

from typing import Any

from server.api import v1
from server.api.binary import announce
from server.errors import MediaNotFound, ValueTooLarge
from server.gateway import Gateway
from server.prepare import Caller

_GIVEN_UP = 3
_NEVER_TAKEN = (
    f"The client hung up {_GIVEN_UP} times on this answer: it is larger than the messages it takes. Send the task anew"
    " with outputType URL, or raise the client's limit."
)


async def outcome_frame(
    gateway: Gateway, caller: Caller, sent: dict[str, Any], outcome: dict[str, Any], oversized: int, **members: Any
) -> v1.Frame:
    """The frame of a finished task. `oversized`: how often a client hung up on it for its size."""
    if failure := outcome.get("failure"):
        return v1.errors([failure], sent, **members)
    if oversized >= _GIVEN_UP:
        return v1.errors([ValueTooLarge(_NEVER_TAKEN, parameter="outputType").as_dict()], sent, **members)
    try:
        frame = v1.data(await v1.items_of(gateway.blobs, sent, outcome, light=oversized > 0, **members))
        if caller.frame_bytes and len(v1.dumps(frame)) > caller.frame_bytes:
            frame = v1.data(await v1.items_of(gateway.blobs, sent, outcome, light=True, **members))
        if caller.features and outcome.get("cached"):
            frame["data"] = [item | {"cached": True} for item in frame["data"]]
        if "binary" in caller.features and not oversized:
            await announce(gateway.blobs, frame["data"], outcome["items"])
        return frame
    except MediaNotFound as gone:
        return v1.errors([gone.as_dict()], sent, **members)
