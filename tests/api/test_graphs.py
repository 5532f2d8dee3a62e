"""Tasks that build on others: in one array, across messages, sockets and dialects."""

from __future__ import annotations

import asyncio
from itertools import pairwise, permutations
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.api.conftest import Beside
from tests.api.predictions import submit
from tests.api.test_http import post
from tests.client import Client, new_task
from tests.harness import Installation

DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


def paint(on: dict[str, Any] | str = "", **members: Any) -> dict[str, Any]:
    """A task that paints, and tells the UUID of the image that it was given."""
    inputs = {"inputImage": on if isinstance(on, str) else on["taskUUID"]} if on else {}
    return new_task("paints", **{"width": 8} | inputs | members)


def items(*frames: dict[str, Any]) -> list[dict[str, Any]]:
    """The first item of each frame."""
    for frame in frames:
        assert "data" in frame, frame
    return [frame["data"][0] for frame in frames]


def errors(*frames: dict[str, Any]) -> list[dict[str, Any]]:
    """The one error of each frame."""
    for frame in frames:
        assert len(frame.get("errors", ())) == 1, frame
    return [frame["errors"][0] for frame in frames]


def linked(frames: list[dict[str, Any]]) -> bool:
    """Whether each task was given the image that the one before it made."""
    made = items(*frames)
    return all(after["inputImageUUID"] == before["imageUUID"] for before, after in pairwise(made))


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_chain(client: Client, installation: Installation, order: tuple[int, ...]) -> None:
    """In whatever order the tasks stand in the array, each gets what the one before it made; over HTTP too."""
    for face in ("socket", "request"):
        upload = new_task("imageUpload", image=DOT)
        second = paint(upload)
        third = paint(second)
        tasks = [upload, second, third]
        sent = [tasks[place] for place in order]
        if face == "socket":
            frames = await client.ask(*sent)
        else:
            answer = await post(installation, sent)
            frames = [{"data": [item]} for item in answer.json["data"]]
        assert linked([frames[order.index(place)] for place in range(3)])


async def test_parent_that_runs(client: Client, installation: Installation) -> None:
    """The other task may still run: sent before, on this socket, on another one, or over HTTP; spelled in any case."""
    parent = new_task("lingers", seconds=0.5)
    await client.send([parent])
    await client.ping()
    here, there, posted = paint(parent), paint(parent["taskUUID"].upper()), paint(parent)
    await client.send([here])
    async with installation.client() as another:
        frames, answer = await asyncio.gather(another.ask(there), post(installation, [posted]))
    (made,) = items(*await client.answers(parent))
    for child in (*items(*await client.answers(here)), *items(*frames), answer.json["data"][0]):
        assert child["inputImageUUID"] == made["imageUUID"]


async def test_parent_that_has_ended(client: Client, installation: Installation) -> None:
    """It may have ended long ago, and its image stands for itself as ever."""
    parent = paint()
    (made,) = items(*await client.ask(parent))
    async with installation.client() as another:
        for reference in (parent["taskUUID"], f"{parent['taskUUID'].upper()}#1", made["imageUUID"]):
            (child,) = items(*await another.ask(paint(reference)))
            assert child["inputImageUUID"] == made["imageUUID"]


async def test_one_of_several_results(client: Client) -> None:
    """`UUID#n` is the nth of several results, counted from 1; without a number it is the first."""
    parent = paint(numberResults=3)
    children = [paint(f"{parent['taskUUID']}#{n}") for n in (3, 1, 2)]
    beyond, first = paint(f"{parent['taskUUID']}#4"), paint(parent)
    frames = await client.ask(*children, parent, beyond, first)
    made = [item["imageUUID"] for item in frames[3]["data"]]
    given = [item["inputImageUUID"] for item in items(*frames[:3], frames[5])]
    assert given == [made[2], made[0], made[1], made[0]]
    (refused,) = errors(frames[4])
    assert (refused["code"], refused["parameter"]) == ("invalidTaskReference", "inputImage")


async def test_order_alone(client: Client) -> None:
    """`dependsOn` has a task wait for the end of others, whatever they give."""
    slow, quick = new_task("sleeps", seconds=0.4), new_task("nothing")
    after = new_task("nothing", dependsOn=[slow["taskUUID"], quick["taskUUID"]])
    await client.send([after, slow, quick])
    assert [(await client.next())["data"][0]["taskUUID"] for _ in range(3)] == [
        task["taskUUID"] for task in (quick, slow, after)
    ]


async def test_refused_parent(client: Client) -> None:
    """What builds on a refused task is refused at once, with the first reason; the rest of the array is done."""
    wrong = paint(width=0)
    child = paint(wrong)
    grandchild = new_task("nothing", dependsOn=[child["taskUUID"]])
    frames = await client.ask(new_task("nothing"), grandchild, child, wrong)
    assert items(frames[0])[0]["text"] == "done"
    cause = {"taskUUID": wrong["taskUUID"], "code": "invalidWidth"}
    told = errors(*frames[1:])
    assert [error["code"] for error in told] == ["dependencyFailed", "dependencyFailed", "invalidWidth"]
    assert [error["cause"] for error in told[:2]] == [cause, cause]
    assert [error["parameter"] for error in told[:2]] == ["dependsOn[0]", "inputImage"]
    for task in (child, grandchild):
        assert (await client.fail("getResponse", taskUUID=task["taskUUID"]))["code"] == "taskNotFound"


async def test_failed_parent(client: Client) -> None:
    """What builds on a task that fails ends with it, with the first reason; so does what comes after."""
    failing = new_task("regrets", image=DOT, how="refuse")
    child, silent = paint(failing), paint(failing, returnOutput=False)
    grandchild = new_task("nothing", dependsOn=[silent["taskUUID"]])
    late = paint(failing)
    first, *told = errors(*await client.ask(failing, child, silent, grandchild), *await client.ask(late))
    for error in told:
        assert error["code"] == "dependencyFailed"
        assert error["cause"] == {"taskUUID": failing["taskUUID"], "code": first["code"]}


async def test_circles(client: Client) -> None:
    """Tasks that wait for themselves are refused before anything is done, and so are those that build on them."""
    one, two, alone = paint(), paint(), paint()
    one["inputImage"], two["dependsOn"] = two["taskUUID"], [one["taskUUID"]]
    alone["inputImage"] = f"{alone['taskUUID']}#1"
    upon = paint(one)
    told = errors(*await client.ask(upon, one, two, alone))
    assert [error["code"] for error in told] == ["dependencyFailed", *["invalidTaskReference"] * 3]
    assert told[0]["cause"]["code"] == "invalidTaskReference"
    await client.run("nothing")


async def test_unknown(client: Client, other: Client) -> None:
    """Another key's task is as unknown as one that there is not; a bare UUID could be an image's."""
    foreign, running = paint(), new_task("sleeps", seconds=0.3)
    await other.ask(foreign)
    await other.send([running])
    found = list[list[tuple[str, str, str]]]()
    for uuid in (foreign["taskUUID"], running["taskUUID"], str(uuid4())):
        tasks = new_task("nothing", dependsOn=[uuid]), paint(f"{uuid}#1"), paint(uuid)
        *frames, unharmed = await client.ask(*tasks, new_task("nothing"))
        told = errors(*frames)
        assert "data" in unharmed
        found.append([(error["code"], error["parameter"], error["message"].replace(uuid, "…")) for error in told])
    assert found[0] == found[1] == found[2]
    assert [told[:2] for told in found[0]] == [
        ("invalidTaskReference", "dependsOn[0]"),
        ("invalidTaskReference", "inputImage"),
        ("mediaNotFound", "inputImage"),
    ]


@pytest.mark.parametrize("number", ["", "#1"])
async def test_no_image(client: Client, number: str) -> None:
    """A task that gives no image cannot be named as one."""
    parent = new_task("nothing")
    (told,) = errors(*(await client.ask(parent, paint(parent["taskUUID"] + number)))[1:])
    assert (told["code"], told["parameter"]) == ("invalidTaskReference", "inputImage")


async def test_limits(beside: Beside) -> None:
    """How many tasks of an array may build on each other, and how many one on the other, are settings."""
    async with beside(MAX_GRAPH_TASKS="4", MAX_GRAPH_DEPTH="3").client() as client:
        chain = [new_task("nothing")]
        for _ in range(3):
            chain.append(new_task("nothing", dependsOn=[chain[-1]["taskUUID"]]))
        frames = await client.ask(*chain)
        assert [item["text"] for item in items(*frames[:3])] == ["done"] * 3
        (deep,) = errors(frames[3])
        assert (deep["code"], deep["max"], "TASKARRAY_MAX_GRAPH_DEPTH" in deep["message"]) == (
            "invalidTaskReference", 3, True,
        )  # fmt: skip
        root = new_task("nothing")
        wide = [new_task("nothing", dependsOn=[root["taskUUID"]]) for _ in range(4)]
        frames = await client.ask(root, *wide, *(new_task("nothing") for _ in range(10)))
        (many,) = errors(frames[4])
        assert (many["code"], many["max"], "TASKARRAY_MAX_GRAPH_TASKS" in many["message"]) == (
            "invalidTaskReference", 4, True,
        )  # fmt: skip
        assert len(items(*frames[:4], *frames[5:])) == 14


async def test_parent_of_another_dialect(client: Client, installation: Installation) -> None:
    """A prediction is a task: its id, written as a UUID, names it."""
    made = await submit(installation, "taskarray/lingers", seconds=0.3)
    parent = str(UUID(made["id"]))
    (child,) = items(*await client.ask(paint(parent)))
    (item,) = items(*await client.ask(new_task("getResponse", taskUUID=parent)))
    assert child["inputImageUUID"] == item["imageUUID"]


async def test_deleted_image(client: Client) -> None:
    """A result that was deleted is not found; it stands for nothing else."""
    parent = paint()
    (made,) = items(*await client.ask(parent))
    await client.run("mediaStorage", operation="delete", media=made["imageUUID"])
    (told,) = errors(*await client.ask(paint(parent)))
    assert (told["code"], told["parameter"]) == ("mediaNotFound", "inputImage")
