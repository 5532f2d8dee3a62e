"""validateOnly and ?dryRun: a task is checked as always, and nothing is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.api.conftest import Beside
from tests.api.predictions import run
from tests.api.test_http import DOT
from tests.client import Client, new_task, request
from tests.harness import KEY, Installation


def check(task_type: str = "paints", **members: Any) -> dict[str, Any]:
    """A task that is only to be checked."""
    return new_task(task_type, validateOnly=True, **members)


def valid(frame: dict[str, Any]) -> bool:
    """Whether a frame says that its task is right; else it is one error."""
    if "errors" in frame:
        assert len(frame["errors"]) == 1
        return False
    (item,) = frame["data"]
    assert item["valid"] is True
    return True


async def codes(client: Client, *tasks: dict[str, Any]) -> list[str]:
    """The code of each task's refusal; empty where it is right."""
    return ["" if valid(frame) else frame["errors"][0]["code"] for frame in await client.ask(*tasks)]


async def test_right(client: Client, tmp_path: Path) -> None:
    """A right task has one item, which tells how long such tasks take here; it is not done, nobody knows it, and it
    can be sent in earnest after."""
    await client.run("sleeps", seconds=0.1)
    marker = tmp_path / "runs"
    task = check("sleeps", seconds=0, marker=str(marker))
    (frame,) = await client.ask(task)
    (item,) = frame["data"]
    assert 0 < item.pop("estimatedSeconds") < 60
    assert item == {"taskType": "sleeps", "taskUUID": task["taskUUID"], "valid": True, "cost": 0}
    assert (await client.fail("getResponse", taskUUID=task["taskUUID"]))["code"] == "taskNotFound"
    assert not marker.exists()
    (frame,) = await client.ask(task | {"validateOnly": False})
    assert frame["data"][0]["text"] == "slept 0.0"
    assert marker.exists()


@pytest.mark.parametrize(
    "members",
    [{"deliveryMethod": "async"}, {"webhookURL": "http://127.0.0.1:9/"}, {"returnOutput": False}, {"inputImage": DOT}],
)
async def test_one_answer(client: Client, members: dict[str, Any]) -> None:
    """However its result was to come, the answer comes at once and is the only one."""
    (frame,) = await client.ask(check(**members))
    assert valid(frame)
    await client.ping()


async def test_wrong(client: Client) -> None:
    """What is wrong is refused in the same words as in earnest, all of it at once."""
    wrong = {"width": 0, "noise": 1, "strict": True, "unheardOf": 1}
    for task in (check(**wrong), check("unknown"), check(priority=11), check(inputImage="cat.jpg")):
        (dry,) = await client.ask(task)
        (earnest,) = await client.ask(task | {"validateOnly": False})
        assert dry == earnest
    await client.ping()


async def test_used_before(client: Client) -> None:
    """The UUID of another task is a conflict; of the same task it is not, since that could be sent again."""
    task = new_task("nothing")
    await client.ask(task)
    same = task | {"validateOnly": True}
    assert await codes(client, same) == [""]
    assert await codes(client, same | {"includeCost": True}) == ["conflictTaskUUID"]
    assert "valid" not in (await client.ask(task))[0]["data"][0]


@pytest.mark.parametrize(("query", "dry"), [("dryRun=1", True), ("sdk=js&dryRun=true", True), ("dryRun=0", False)])
async def test_address(installation: Installation, query: str, dry: bool) -> None:
    """?dryRun in an address says so for all tasks of a socket or a request; what is no task is answered as always."""
    about = new_task("accountManagement")
    async with installation.client(query=f"?{query}") as client:
        frames = await client.ask(new_task("nothing"), about, new_task("nothing", validateOnly=False))
    answer = await request(
        "POST", f"{installation.url}/v1?{query}", [new_task("nothing"), about], authorization=f"Bearer {KEY}"
    )
    found = [frames[0]["data"][0], frames[2]["data"][0], answer.json["data"][0]]
    assert ["valid" in item for item in found] == [dry] * 3
    assert ["text" in item for item in found] == [not dry] * 3
    assert frames[1]["data"][0]["organizationName"] == answer.json["data"][1]["organizationName"] == "tester"


async def test_http(installation: Installation) -> None:
    """Over HTTP too, what is right and what is wrong stand in one answer."""
    tasks = [check(), new_task("nothing"), check(width=0)]
    answer = await request("POST", f"{installation.url}/v1", tasks, authorization=f"Bearer {KEY}")
    assert [(item["taskUUID"], item.get("valid")) for item in answer.json["data"]] == [
        (tasks[0]["taskUUID"], True),
        (tasks[1]["taskUUID"], None),
    ]
    assert [(error["taskUUID"], error["code"]) for error in answer.json["errors"]] == [
        (tasks[2]["taskUUID"], "invalidWidth")
    ]


async def test_not_counted(beside: Beside) -> None:
    """It takes nothing from a key's rate."""
    async with beside(RATE_LIMIT="5/s", API_KEYS="unrated:unrated-key").client(key="unrated-key") as client:
        assert await codes(client, *(check() for _ in range(40))) == [""] * 40
        assert await client.run("nothing")


async def test_graph(client: Client) -> None:
    """A whole array of tasks that build on each other is checked, in any order; so is each result that is named."""
    first = check(numberResults=2)
    second = check(inputImage=f"{first['taskUUID']}#2")
    third = check(inputImage=second["taskUUID"], dependsOn=[first["taskUUID"]])
    beyond = check(inputImage=f"{first['taskUUID']}#3")
    assert await codes(client, beyond, third, second, first) == ["invalidTaskReference", "", "", ""]
    wrong = check(width=0)
    above = check(inputImage=wrong["taskUUID"])
    top = check(dependsOn=[above["taskUUID"]])
    frames = await client.ask(top, above, wrong)
    cause = {"taskUUID": wrong["taskUUID"], "code": "invalidWidth"}
    assert [frame["errors"][0]["code"] for frame in frames] == ["dependencyFailed", "dependencyFailed", "invalidWidth"]
    assert [frame["errors"][0].get("cause") for frame in frames] == [cause, cause, None]
    one, two = check(), check()
    assert (
        await codes(client, one | {"dependsOn": [two["taskUUID"]]}, two | {"inputImage": one["taskUUID"]})
        == ["invalidTaskReference"] * 2
    )


async def test_graph_with_others(client: Client) -> None:
    """What a checked task names outside its array must be there; nothing is done that builds on a checked one."""
    done, failed = new_task("paints", width=8), new_task("exits", how="raise")
    await client.ask(done, failed)
    assert await codes(
        client,
        check(inputImage=done["taskUUID"], dependsOn=[done["taskUUID"]]),
        check(inputImage=f"{done['taskUUID']}#2"),
        check(dependsOn=[str(uuid4())]),
        check(dependsOn=[failed["taskUUID"]]),
    ) == ["", "invalidTaskReference", "invalidTaskReference", "dependencyFailed"]
    dry, earnest = check(), new_task("paints", width=8)
    built, upon = new_task("paints", inputImage=dry["taskUUID"]), check(inputImage=earnest["taskUUID"])
    frames = await client.ask(upon, built, dry, earnest)
    error = frames[1]["errors"][0]
    assert (error["code"], error["parameter"]) == ("invalidTaskReference", "inputImage")
    assert [frame.get("data", [{}])[0].get("valid") for frame in frames] == [True, None, True, None]
    assert "imageUUID" in frames[3]["data"][0]


async def test_other_dialects(installation: Installation) -> None:
    """It is a word of the task array: a model that is run with it runs."""
    shown = await run(installation, "taskarray/nothing", validateOnly=True)
    assert (shown["status"], shown["outputs"]) == ("completed", ["done"])
