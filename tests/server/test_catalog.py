"""The catalogue: task types found by walking their folders, and params read as their schema says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import pytest

from server.catalog import Catalog, read
from server.errors import UnsupportedTaskType
from server.task import Annotated, Context, Field, Params, Result, Schema, rule, task

TASK = '''
from server.task import Context, Params, Result, task

class Takes(Params):
    pass

class Gives(Result):
    text: str

@task({name!r}, aliases={aliases!r})
def run(params: Takes, context: Context) -> Gives:
    """Do something."""
    return Gives(text="done")
'''


class Size(Schema):
    side: int


class Taken(Params):
    input_image: str
    steps: Annotated[int, Field(ge=1, le=10)] = 5
    mode: Literal["fast", "good"] = "fast"
    width: int | None = None
    parts: list[int] = []  # noqa: RUF012
    times: Literal[2, 3] = 2
    model: str | int | None = None
    size: Size | None = None

    @rule("width")
    def even(self) -> bool:
        """width must be even."""
        return self.width is None or self.width % 2 == 0


class Given(Result):
    text: str


@task("takes", aliases=("take",))
def takes(params: Taken, context: Context) -> Given:
    """Take things."""
    return Given(text="done")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    """Writes a package of task files; its name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(**files: str) -> str:
        name = f"tasks_of_{request.node.name.partition('[')[0]}"
        (tmp_path / name).mkdir()
        for file, text in {"__init__": "", **files}.items():
            (tmp_path / name / f"{file}.py").write_text(text)
        return name

    yield write
    for name in [name for name in sys.modules if name.startswith("tasks_of_")]:
        del sys.modules[name]


def refusals(**fields: object) -> dict[str, str]:
    """What is wrong with fields: code by parameter."""
    found = read(takes, {"inputImage": "x"} | fields)
    assert isinstance(found, list), found
    return {refusal.parameter: refusal.code for refusal in found}


def test_own_tasks():
    """The folder tasks is always in the catalogue, each task under every name."""
    catalog = Catalog.discover()
    assert catalog.named("imageUpload").task_type == "imageUpload"
    for found in catalog.by_name.values():
        assert all(catalog.named(name) is found for name in (found.task_type, *found.aliases))


def test_further_packages(package):
    """Further packages add their tasks, under their aliases too."""
    name = package(one=TASK.format(name="one", aliases=("uno", "un")), two=TASK.format(name="two", aliases=()))
    catalog = Catalog.discover((name,))
    assert catalog.named("uno") is catalog.named("one")
    assert {"one", "uno", "un", "two", "imageUpload"} <= set(catalog.by_name)


@pytest.mark.parametrize("name", ["nothing-like-it", "IMAGEUPLOAD", "", None, 7, ["imageUpload"], {}])
def test_unsupported(name):
    """An unknown taskType is refused with the known ones."""
    with pytest.raises(UnsupportedTaskType, match="imageUpload") as refused:
        Catalog.discover().named(name)
    assert refused.value.parameter == "taskType"


def test_declared_twice(package):
    """Two files with one name stop the server at its start."""
    name = package(one=TASK.format(name="one", aliases=()), two=TASK.format(name="two", aliases=("one",)))
    with pytest.raises(ValueError, match="'one'"):
        Catalog.discover((name,))


@pytest.mark.parametrize(
    "text",
    ["", TASK.format(name="a", aliases=()) + "\nagain = run\nother = type(run)(**{**vars(run), 'task_type': 'b'})\n"],
)
def test_one_task_a_file(package, text):
    """A task file declares exactly one task."""
    with pytest.raises(ValueError, match="a task file declares one"):
        Catalog.discover((package(one=text),))


def test_read():
    """Fields in their wire spelling become params, with defaults where nothing was said."""
    found = read(takes, {"inputImage": "x", "steps": 7})
    assert found == Taken(input_image="x", steps=7)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"steps": 0}, {"steps": "invalidSteps"}),
        ({"steps": 11}, {"steps": "invalidSteps"}),
        ({"steps": "5"}, {"steps": "invalidSteps"}),
        ({"steps": True}, {"steps": "invalidSteps"}),
        ({"steps": 5.5}, {"steps": "invalidSteps"}),
        ({"mode": "slow"}, {"mode": "invalidMode"}),
        ({"inputImage": 7}, {"inputImage": "invalidInputImage"}),
        ({"parts": [1, "2"]}, {"parts[1]": "invalidParts"}),
        ({"width": 3}, {"width": "invalidWidth"}),
        ({"model": {"a": 1}}, {"model": "invalidModel"}),
        ({"size": {}}, {"size.side": "missingSide"}),
        ({"steps": 0, "mode": "slow"}, {"steps": "invalidSteps", "mode": "invalidMode"}),
    ],
    ids=str,
)
def test_wrong(fields, wrong):
    """Every wrong parameter is named in its wire spelling, all at once."""
    assert refusals(**fields) == wrong


def test_missing():
    """A required parameter that is absent is missing."""
    (refusal,) = read(takes, {})
    assert (refusal.code, refusal.parameter) == ("missingInputImage", "inputImage")


def test_told():
    """A refusal tells what the parameter may be."""
    ((steps,), (mode,)) = [read(takes, {"inputImage": "x", **fields}) for fields in ({"steps": 11}, {"mode": "slow"})]
    assert steps.details["max"] == 10
    assert mode.details["allowedValues"] == ["fast", "good"]
    (times,) = read(takes, {"inputImage": "x", "times": 4})
    assert times.details["allowedValues"] == [2, 3]
    (size,) = read(takes, {"inputImage": "x", "size": "large"})
    assert (size.message, size.details["type"]) == ("size: input should be an object.", "object")
    (width,) = read(takes, {"inputImage": "x", "width": 3})
    assert width.message == "width must be even."


def test_unknown_parameters():
    """Unknown parameters are ignored, and refused when the task asks to be read strictly."""
    fields = {"inputImage": "x", "stepz": 7, "input_image": "y"}
    assert read(takes, fields) == Taken(input_image="x")
    found = read(takes, fields, strict=True)
    assert sorted((refusal.code, refusal.parameter) for refusal in found) == [
        ("unknownParameter", "input_image"),
        ("unknownParameter", "stepz"),
    ]
