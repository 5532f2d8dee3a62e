"""Models: the table, the folder, what stands in for what is missing, and the advice."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.errors import InvalidParameter, ModelNotFound
from server.models import Models

TABLE = """
[[model]]
air = "acme:1@2"
aliases = ["old:7@1"]
name = "Acme matting"
kind = "matting"
file = "acme.onnx"
engine = "onnx"
options = { size = 32 }
source = "Acme"
default = true

[[model]]
air = "acme:2@1"
name = "Acme depth"
kind = "depth"
file = "depth.onnx"
engine = "onnx"

[[model]]
air = "acme:3@1"
name = "Astray"
kind = "matting"
file = "../astray.onnx"
engine = "onnx"
"""


@pytest.fixture
def models(tmp_path: Path):
    def make(*installed: str, missing: str = "fallback", table: str = TABLE) -> Models:
        (tmp_path / "table.toml").write_text(table)
        folder = tmp_path / "models"
        folder.mkdir(exist_ok=True)
        for name in installed:
            (folder / name).write_bytes(b"weights")
        return Models(tmp_path / "table.toml", folder, missing)  # type: ignore[arg-type]

    return make


@pytest.mark.parametrize("air", ["acme:1@2", "acme:1", "old:7@1", "old:7", None])
def test_installed(models, air: str | None):
    """An installed model is found by its name, with and without version, by its aliases, and as the default."""
    model = models("acme.onnx").choose(air, "matting")
    assert (model.air, model.options, model.path.read_bytes()) == ("acme:1@2", {"size": 32}, b"weights")


@pytest.mark.parametrize("air", ["acme:1@2", "acme:9@9", "runware:109@1", 5])
def test_fallback(models, air: str | int):
    """A model that is not installed or not known gives way to the built-in engine, where that is wished."""
    assert models().choose(air, "matting") is None


def test_another_version_is_another_model(models):
    """A version that the table does not have is not answered by one that it has."""
    assert models("acme.onnx").choose("acme:1@3", "matting") is None


def test_errors(models):
    """Where it is not wished, the refusal says which file to put where, or how to add the model."""
    with pytest.raises(ModelNotFound, match=r"put acme\.onnx \(Acme\) into the folder TASKARRAY_MODELS_DIR"):
        models(missing="error").choose("acme:1@2", "matting")
    with pytest.raises(ModelNotFound, match=r"Add a \[\[model\]\]"):
        models(missing="error").choose("acme:9@9", "matting")
    assert models(missing="error").choose("taskarray:saliency@1", "matting") is None
    assert models(missing="error").choose(None, "matting") is None


def test_required(models):
    """Where there is no built-in engine, a missing model is an error whatever the settings say."""
    with pytest.raises(ModelNotFound, match="needs a depth model, and none is installed"):
        models().choose(None, "depth", required=True)
    with pytest.raises(ModelNotFound, match=r"depth\.onnx"):
        models().choose("acme:2@1", "depth", required=True)
    assert models("depth.onnx").choose(None, "depth", required=True).air == "acme:2@1"


def test_the_operators_choice(models):
    """Where a task names no model, one of the operator's table goes before the shipped table's default."""
    found = models("depth.onnx", "depth-anything-v2-small.onnx").choose(None, "depth", required=True)
    assert found.air == "acme:2@1"


def test_another_kind(models):
    """A model of another kind is refused by what it is."""
    with pytest.raises(InvalidParameter, match=r"acme:2@1 is of kind depth; .* of kind matting") as refused:
        models("depth.onnx").choose("acme:2@1", "matting")
    assert refused.value.parameter == "model"
    with pytest.raises(InvalidParameter, match=r"taskarray:faces@1 is of kind detector; .* of kind upscaler"):
        models().choose("taskarray:faces@1", "upscaler")


def test_outside_the_folder(models, tmp_path: Path):
    """A file outside the folder is not installed, however the table or a link leads to it."""
    (tmp_path / "astray.onnx").write_bytes(b"weights")
    found = models()
    assert found.choose("acme:3@1", "matting") is None
    (tmp_path / "models" / "acme.onnx").symlink_to(tmp_path / "astray.onnx")
    assert found.choose("acme:1@2", "matting") is None


def test_listed(models):
    """The list says of every model whether it is installed; the shipped table stands under the operator's."""
    listed = {about["air"]: about for about in models("acme.onnx").listed()}
    assert (listed["acme:1@2"]["installed"], listed["acme:2@1"]["installed"]) == (True, False)
    assert "runware:109@1" in listed


WHOLE = "[[model]]\nair = 'x'\nname = 'x'\nkind = 'depth'\nengine = 'onnx'\n"


@pytest.mark.parametrize(
    "table",
    [
        "[[model]", "[[model]]\nair = 'x'\n", "x = 1\n", "[[model]]\nwhat = 1\n", WHOLE, WHOLE + "file = 5\n",
        WHOLE + "file = 'x'\naliases = 'y'\n", WHOLE + "file = 'x'\noptions = 1\n",
    ],
)  # fmt: skip
def test_bad_tables(models, table: str):
    """A table that cannot be read is told by its name."""
    with pytest.raises(ValueError, match=r"table\.toml cannot be read"):
        models(table=table)
