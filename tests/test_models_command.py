"""`taskarray models`, as an operator sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

TABLE = """
[[model]]
air = "acme:1@2"
name = "Acme matting"
kind = "matting"
file = "acme.onnx"
engine = "onnx"
source = "Acme Inc."
licence = "MIT"
"""


@pytest.fixture
def taskarray(tmp_path: Path):
    """Runs `taskarray models …` over a table and a folder of this test's own; (exit code, what was printed)."""
    (tmp_path / "table.toml").write_text(TABLE)
    (tmp_path / "models").mkdir()

    def run(*words: str, **settings: str) -> tuple[int, str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TASKARRAY_")}
        own = {"TASKARRAY_MODELS": str(tmp_path / "table.toml"), "TASKARRAY_MODELS_DIR": str(tmp_path / "models")}
        command = [sys.executable, "-m", "server", *words]
        done = subprocess.run(command, env=environment | own | settings, capture_output=True, text=True)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    return run


def small_network() -> bytes:
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("input", "output")]
    graph = helper.make_graph([helper.make_node("Relu", ["input"], ["output"])], "small", value[:1], value[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return model.SerializeToString()


def test_list(taskarray, tmp_path: Path):
    """The list says what is there, what is not, which file is wanted and where it belongs."""
    code, printed = taskarray("models", "list")
    assert code == 0
    assert str(tmp_path / "models") in printed
    assert "missing    acme:1@2" in printed
    assert "acme.onnx" in printed
    assert "Acme matting; Acme Inc.; MIT" in printed
    (tmp_path / "models" / "acme.onnx").write_bytes(b"weights")
    assert "installed  acme:1@2" in taskarray("models", "list")[1]


def test_verify(taskarray, tmp_path: Path):
    """Verify loads what is installed and tells of each what it takes; a file that does not load is an exit code."""
    assert taskarray("models", "verify")[0] == 0
    onnx.save(onnx.load_from_string(small_network()), tmp_path / "models" / "acme.onnx")
    code, printed = taskarray("models", "verify")
    assert code == 0
    assert "takes input[1, 3, 8, 8]; gives output[1, 3, 8, 8]" in printed
    (tmp_path / "models" / "acme.onnx").write_bytes(b"not a network")
    code, printed = taskarray("models", "verify")
    assert code == 1
    assert "broken  acme:1@2" in printed


@pytest.mark.parametrize("words", [("models", "list"), ("worker",)])
def test_a_table_that_cannot_be_read(taskarray, tmp_path: Path, words: tuple[str, ...]):
    """A table with a mistake stops every command with one sentence that names it."""
    (tmp_path / "bad.toml").write_text("[[model]]\nair = 'x'\n")
    code, printed = taskarray(*words, TASKARRAY_MODELS=str(tmp_path / "bad.toml"), REDIS_URL="redis://127.0.0.1:1")
    assert code == 1
    assert "bad.toml cannot be read" in printed
