"""The one channel: its address and query, how it closes, and what may be sent on it when."""

from __future__ import annotations

from server.api.entrance import FEATURES
from server.asyncapi.messages import ANSWERED, ASKED, GIVEN, MESSAGES, TAKEN
from server.openapi.parts import Part, members, text

CLOSES = {
    1009: "A message was larger than it may be (before authentication: `TASKARRAY_MAX_MESSAGE_UNAUTHENTICATED`).",
    1012: "The server restarts. Come back at once, with the session.",
    1013: "Too slow a reader, or something that the server stands on does not answer. Come back in a moment.",
    4401: "The key was not accepted. Do not come back with it.",
    4408: "Nothing authenticated the socket in time, or nothing was heard on it for long.",
    4409: "The session goes on on another socket. Do not come back with it.",
}
"""The codes with which the server closes a socket."""
_ABOUT = (
    "Text frames are JSON. The first message authenticates. A frame of the server is about one task and has either"
    " `data` or `errors`; `events` come only to sockets that asked for the feature, and binary frames likewise. A"
    " session outlives its socket: who authenticates again with its `connectionSessionUUID` gets what was missed."
)
_QUERY: Part = {
    "data": text("`object`: where there is one item, `data` is this item.", enum=["object"]),
    "features": text(f"Features, with commas between: {', '.join(sorted(FEATURES))}. The same as in the first object."),
    "dryRun": text("Every task is checked and none is done, as with `validateOnly`.", enum=["1", "true"]),
    "sdk": text("The name of the client's library."),
}


def channel() -> Part:
    """The channel with all its messages."""
    closes = "\n".join(f"| {code} | {meaning} |" for code, meaning in CLOSES.items())
    return {
        "address": "/v1",
        "title": "Task array",
        "description": f"{_ABOUT}\n\nHow the server closes a socket:\n\n| code | why |\n|---|---|\n{closes}",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in MESSAGES},
        "bindings": {"ws": {"method": "GET", "query": members(**_QUERY), "bindingVersion": "0.1.0"}},
    }


def operations() -> dict[str, Part]:
    """What a client may send, each with what may come back; and what comes by itself."""
    replies = {name: [f"{name}Answer"] if f"{name}Answer" in ANSWERED else ["result"] for name in ASKED}
    replies["authentication"].append("authenticationRefused")
    asked = {
        name: _operation("receive", [name], TAKEN[name], reply=[*answers, "errors"])
        for name, answers in replies.items()
    }
    return asked | {
        "tasks": _operation("receive", ["tasks"], TAKEN["tasks"], reply=["result", "errors", "resultFrame"]),
        "binaryUpload": _operation("receive", ["binaryUpload"], TAKEN["binaryUpload"], reply=["result", "errors"]),
        "uploadFrame": _operation("receive", ["uploadFrame"], TAKEN["uploadFrame"]),
        "events": _operation("send", ["events"], GIVEN["events"]),
    }


def _operation(action: str, names: list[str], message: Part, reply: list[str] | None = None) -> Part:
    found: Part = {
        "action": action,
        "channel": {"$ref": "#/channels/v1"},
        "summary": message["summary"],
        "messages": _references(names),
    }
    if reply:
        found["reply"] = {"channel": {"$ref": "#/channels/v1"}, "messages": _references(reply)}
    return found


def _references(names: list[str]) -> list[Part]:
    return [{"$ref": f"#/channels/v1/messages/{name}"} for name in names]
