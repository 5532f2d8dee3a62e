"""What holds for every task type there is or will be: bad input costs its own task and nothing else.

A new task file is under these tests before its author has written one. `EXAMPLES` has what cannot be read from a
schema.
"""

from __future__ import annotations

import io
from typing import Any
from uuid import uuid4

import numpy
import pytest
from PIL import Image

from server.catalog import Catalog, read
from server.schema import references, spelled
from server.task import Task
from tests.client import new_task, request
from tests.harness import Installation
from tests.tasks.desk import data_uri, encoded

TASKS = {task.task_type: task for task in Catalog.discover().by_name.values()}
IMAGE = data_uri(Image.effect_noise((48, 40), 60).convert("RGB"))
EXAMPLES: dict[str, dict[str, Any]] = {
    "batch": {"of": str(uuid4())},
    "controlNetPreprocess": {"preProcessorType": "canny"},
    "imageInference": {"positivePrompt": "a cat", "model": "acme:1@1"},
    "imageUpload": {"image": IMAGE},
    "imageMasking": {"model": "runware:35@1"},
    "imageTransform": {"operations": [{"operation": "resize", "width": 20}]},
    "promptEnhance": {"prompt": "a cat", "promptMaxLength": 64, "promptVersions": 1},
}
WRONG: list[Any] = [{"a": 1}, [[]], "\u0000 no such thing", -(10**12), 10**30, 0.5, True]
INTERNAL = {"internalServerError", "processingFailed", "taskTimeout", "uploadFailed"}


def example(task: Task[Any, Any], image: str = IMAGE) -> dict[str, Any]:
    """Fields that the task accepts."""
    schema = task.params.model_json_schema(by_alias=True)
    fields = {"inputImage": image} if "inputImage" in schema["properties"] else {}
    for name in schema.get("required", []):
        fields[name] = EXAMPLES.get(task.task_type, {}).get(name, image)
    return {**fields, **EXAMPLES.get(task.task_type, {})}


def members(task: Task[Any, Any]) -> list[str]:
    return list(task.params.model_json_schema(by_alias=True)["properties"])


@pytest.mark.parametrize("name", TASKS)
def test_examples(name: str):
    """Every task can be asked for with what its schema requires."""
    found = read(TASKS[name], example(TASKS[name]))
    assert not isinstance(found, list), [refusal.as_dict() for refusal in found]


@pytest.mark.parametrize("name", TASKS)
async def test_wrong_parameters(name: str, installation: Installation):
    """Every parameter has values that are refused under its own name, and the socket lives on."""
    task = TASKS[name]
    sent = list[tuple[str, dict[str, Any]]]()
    for member in members(task):
        wrong = [value for value in WRONG if isinstance(read(task, example(task) | {member: value}), list)]
        assert wrong, f"{member} takes anything"
        sent += [(member, new_task(name, **example(task) | {member: value})) for value in wrong]
    async with installation.client() as client:
        for (member, _), frame in zip(sent, await client.ask(*(one for _, one in sent)), strict=True):
            told = [error.get("parameter", "") for error in frame["errors"]]
            assert any(parameter.partition(".")[0].partition("[")[0] == member for parameter in told), frame
            assert all(error["message"].endswith(".") for error in frame["errors"]), frame
        await client.ping()


@pytest.mark.parametrize("name", TASKS)
def test_nulls(name: str):
    """A parameter may have a value of null: then it is absent."""
    task = TASKS[name]
    fields = example(task)
    from server.api.v1 import level

    nothing = dict.fromkeys((member for member in members(task) if member not in fields), None)
    found = level({"taskType": name, "taskUUID": str(uuid4()), **fields, **nothing}).fields
    assert not isinstance(read(task, found), list)


@pytest.mark.parametrize("name", TASKS)
def test_unknown_parameters(name: str):
    """A parameter that nobody knows is ignored, and refused where the task asks for it."""
    task = TASKS[name]
    assert not isinstance(read(task, example(task) | {"zzz": 1}), list)
    assert [refusal.code for refusal in read(task, example(task) | {"zzz": 1}, strict=True)] == ["unknownParameter"]


def odd_pictures() -> dict[str, bytes]:
    grey = Image.effect_noise((40, 30), 80)
    ramp = numpy.tile(numpy.linspace(0, 65535, 64).astype(numpy.uint16), (48, 1))
    clear = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    return {
        "1x1": encoded(Image.new("RGB", (1, 1), "red")),
        "1x8192": encoded(Image.new("RGB", (1, 8192), "red")),
        "3000x2": encoded(Image.effect_noise((3000, 2), 80)),
        "grey": encoded(grey),
        "one bit": encoded(grey.convert("1")),
        "palette": encoded(grey.convert("P")),
        "16 bit": encoded(Image.fromarray(ramp)),
        "CMYK": encoded(grey.convert("CMYK"), format="JPEG"),
        "transparent": encoded(clear),
        "white": encoded(Image.new("RGB", (40, 30), "white")),
        "gif": encoded(grey.convert("P"), format="GIF"),
    }


PICTURES = odd_pictures()
WITH_IMAGES = [name for name, task in TASKS.items() if "inputImage" in members(task)]


@pytest.mark.parametrize("name", WITH_IMAGES)
async def test_odd_pictures(name: str, installation: Installation):
    """Whatever the picture, the task ends in a right picture or in an error that names what is wrong."""
    asked = {kind: new_task(name, **example(TASKS[name], data_uri(data))) for kind, data in PICTURES.items()}
    async with installation.client() as client:
        frames = await client.ask(*asked.values(), within=120)
        for kind, frame in zip(asked, frames, strict=True):
            await _right(kind, frame)
        await client.ping()


async def _right(kind: str, frame: dict[str, Any]) -> None:
    for error in frame.get("errors", ()):
        assert error["code"] not in INTERNAL, (kind, error)
        assert error["message"].endswith("."), (kind, error)
    for item in frame.get("data", ()):
        for url in (value for member, value in item.items() if member.endswith("URL")):
            body = (await request("GET", url)).body
            if not url.endswith(".svg"):
                Image.open(io.BytesIO(body)).load()


@pytest.mark.parametrize("name", WITH_IMAGES)
async def test_an_input_that_is_gone(name: str, installation: Installation):
    """An input that has expired or never was ends its own task by name; its neighbour in the array is untouched."""
    gone = new_task(name, **example(TASKS[name], str(uuid4())))
    fine = new_task("nothing")
    async with installation.client() as client:
        first, second = await client.ask(gone, fine)
    assert first["errors"][0]["code"] == "mediaNotFound"
    assert first["errors"][0]["parameter"] == "inputImage"
    assert "data" in second


@pytest.mark.parametrize("name", TASKS)
def test_references_are_found(name: str):
    """Every image that an example names is seen by the server, which brings it before the handler runs."""
    fields = example(TASKS[name])
    params = read(TASKS[name], fields)
    assert not isinstance(params, list)
    named = {spelled(place): value for place, value in references(params)}
    assert all(named.get(member) == value for member, value in fields.items() if value == IMAGE)
