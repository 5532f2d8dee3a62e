"""Whatever a task object holds, it gets one answer that finds its way back, and the connection stays."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.client import Client, new_task, request
from tests.harness import KEY, Installation
from tests.pictures.files import encoded

DOT = base64.b64encode(encoded(Image.new("L", (1, 1)), "PNG")).decode()
VALID: list[dict[str, Any]] = [
    new_task("nothing"),
    new_task("nothing", settings={"a": 1}, inputs={"b": 2}, includeCost=True),
    new_task("imageUpload", image=DOT),
    new_task("imageUpload", image=f"data:image/png;base64,{DOT}", deliveryMethod="async"),
    new_task("mediaStorage", operation="upload", media=DOT),
    new_task("mediaStorage", operation="delete", media=str(uuid4())),
    new_task("audioInference", duration=0, numberResults=2, strict=True),
    new_task("regrets", image=DOT, how="refuse"),
    new_task("getResponse"),
    new_task("getTaskDetails"),
    new_task("taskCancel", targets=[str(uuid4())]),
    new_task("nothing", validateOnly=True),
    new_task("ping", ping=True),
]
NASTY = [
    "", " ", "\0", "\ufeff", "\u2028", "\u202e", "😀" * 50, "é" * 300, "null", "NaN", "__proto__", "constructor", "*",
    "'; DROP TABLE", "../../etc/passwd", "file:///etc/passwd", "http://127.0.0.1:1/", "http://[::1", "http://",
    "data:,", "data:image/png;base64,", "data:;base64,====", DOT, "/9j/", "UklGR", str(UUID(int=0)), str(uuid4()),
    str(uuid4()).upper(), "images/x/y/z", "staged:staged/x/y", "%s%n", "\r\nX: y", "A" * 5000, "{s0}", "x:{s0}:jobs",
]  # fmt: skip
NAMES = [
    "taskType", "taskUUID", "deliveryMethod", "includeCost", "webhookURL", "strict", "settings", "inputs", "image",
    "media", "operation", "numberResults", "how", "ping", "status", "code", "error", "apiKey", "tenant", "session",
    "uuids", "staged", "base_url", "params", "seed", "", "__class__", "model_config", "self", "Image", "image_uuid",
]  # fmt: skip
LARGE = [2**63, 2**64, 10**300, -(10**300), 1e308, 5e-324]

texts = st.sampled_from(NASTY) | st.text(st.characters(codec="utf-8"), max_size=60)
names = st.sampled_from(NAMES) | texts
finite = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.integers(-5, 25) | st.integers(-(2**70), 2**70) | st.sampled_from(LARGE) | finite
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
junk = st.dictionaries(names, values, max_size=6)


@st.composite
def mutations(draw: st.DrawFn) -> dict[str, Any]:
    """A valid task under a fresh UUID, of which some members are gone, changed, added or put elsewhere."""
    task = draw(st.sampled_from(VALID)) | {"taskUUID": str(uuid4())}
    for _ in range(draw(st.integers(0, 3))):
        # A duration could be one that takes long.
        own = st.sampled_from(["taskType", "taskUUID", *sorted(task.keys() - {"duration"})])
        name = draw(own | own | names)
        match draw(st.sampled_from(["change", "change", "drop", "nest", "wrap"])):
            case "drop":
                task.pop(name, None)
            case "change":
                task[name] = draw(texts | values)
            case "nest":
                where = draw(st.sampled_from(["settings", "inputs"]))
                task[where] = {name: task.pop(name, None)}
            case "wrap":
                task[name] = [task.get(name)]
    return task


def routable(task_or_item: dict[str, Any]) -> tuple[str | None, str | None]:
    """What a client finds its task by: only strings come back, and come back as they were."""
    found = [task_or_item.get(name) for name in ("taskUUID", "taskType")]
    return tuple(name if isinstance(name, str) else None for name in found)  # type: ignore[return-value]


def known(sent: object) -> dict[str, Any]:
    """An element as a task object: what is none is nameless."""
    return sent if isinstance(sent, dict) else {}


def apart(sent: list[Any]) -> list[Any]:
    """The elements without those that are the same task again, or that are about the connection itself."""
    found = dict[object, Any]()
    for place, item in enumerate(sent):
        uuid = known(item).get("taskUUID")
        if known(item).get("taskType") != "authentication":
            found.setdefault(uuid.lower() if isinstance(uuid, str) else place, item)
    return list(found.values())


def expected(sent: list[Any]) -> Counter[tuple[str | None, str | None]]:
    return Counter(routable(known(item)) for item in sent)


arrays = st.lists(mutations() | mutations() | junk | values, min_size=1, max_size=8).map(apart).filter(bool)
many = settings(max_examples=120, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
async def line(installation: Installation) -> AsyncIterator[Client]:
    """One socket for all examples: none of them may cost it."""
    async with installation.client() as found:
        yield found


@many
@given(sent=arrays)
async def test_socket(line: Client, sent: list[Any]) -> None:
    """Every element of any array gets exactly one frame, under its taskUUID and taskType where they are strings."""
    await line.send(sent)
    frames = [await line.next(30) for _ in sent]
    for frame in frames:
        assert frame.keys() in ({"data"}, {"errors"}), frame
    shown = [next(iter(frame.values())) for frame in frames]
    assert all(len({routable(item) for item in items}) == 1 for items in shown)
    assert Counter(routable(items[0]) for items in shown) == expected(sent)
    for frame in frames:
        for error in frame.get("errors", ()):
            assert error["code"] != "internalServerError", error
            assert error["message"]
    await line.ping()


@settings(many, max_examples=25)
@given(sent=arrays)
async def test_http(installation: Installation, sent: list[Any]) -> None:
    """Over HTTP every element of any array has its items or errors in the one answer."""
    answer = await request("POST", f"{installation.url}/v1", sent, authorization=f"Bearer {KEY}")
    body = answer.json
    assert answer.status == 200 if "data" in body else answer.status in (400, 404, 413, 503, 504)
    told = Counter(routable(item) for member in ("data", "errors") for item in body.get(member, ()))
    assert told.keys() == expected(sent).keys()
    assert not any(error["code"] == "internalServerError" for error in body.get("errors", ()))


@settings(many, max_examples=40)
@given(message=st.binary(max_size=200) | texts | values.map(repr) | values.map(repr).map(str.encode))
async def test_no_json(line: Client, message: str | bytes) -> None:
    """Any message at all, JSON or not, as text or as bytes, gets an answer, and the connection stays."""
    await line.send(message)
    assert (await line.next()).keys() in ({"data"}, {"errors"})
    ping = new_task("ping")
    await line.send([ping])
    while await line.next() != {"data": [ping | {"pong": True}]}:
        pass
