"""What keeps the code as it was meant to be: lint, types, import rules, sizes, fresh documents."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.docs import refreshed

ROOT = Path(__file__).parent.parent
SOURCES = [path for folder in ("server", "tasks") for path in sorted((ROOT / folder).rglob("*.py"))]
_FILE_LINES, _FUNCTION_LINES = 250, 40
_BANNED = {"utils", "helpers", "common", "base", "manager", "const"}


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_lint():
    """ruff finds nothing."""
    _run(sys.executable, "-m", "ruff", "check", "server", "tasks", "tests", "bench")


def test_format():
    """ruff would not change a line."""
    _run(sys.executable, "-m", "ruff", "format", "--check", "server", "tasks", "tests", "bench")


def test_types():
    """pyright in strict mode finds nothing in server and tasks."""
    _run(sys.executable, "-m", "pyright", "--pythonpath", sys.executable)


def test_imports():
    """Modules import downwards only; tasks see only what is theirs."""
    _run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_size(path: Path):
    """A file has at most 250 lines, a function 40, and no name says nothing."""
    text = path.read_text()
    assert text.count("\n") <= _FILE_LINES
    assert path.stem not in _BANNED
    for function in _functions(ast.parse(text)):
        length = (function.end_lineno or 0) - function.lineno + 1
        assert length <= _FUNCTION_LINES, f"{function.name} has {length} lines"


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstring(path: Path):
    """Every module says what it owns."""
    assert path.stem == "__init__" or ast.get_docstring(ast.parse(path.read_text()))


def test_readme_is_fresh():
    """The tables of the README say what the code says; `python -m server.docs` writes them."""
    readme = (ROOT / "README.md").read_text()
    assert readme == refreshed(readme)


def test_readme_opens_with_two_commands():
    """The README opens with the command that runs the server and the one that tests it, which CI calls."""
    blocks = (ROOT / "README.md").read_text().split("```")[1:4:2]
    assert "taskarray serve" in blocks[0]
    assert blocks[1].removeprefix("sh\n").strip() in (ROOT / ".ci" / "run").read_text()
