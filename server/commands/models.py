"""`taskarray models`: which models there are, which are installed, whether they load, what to put where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from server.commands.settings import settings, table
from server.exits import print_json

app = typer.Typer(no_args_is_help=True, help="Model weights: what is installed, and what to put where.")


@app.command("list")
def show(as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False) -> None:
    """Every model of the table: its name, its kind, its file, and whether it is there."""
    models = table(settings())
    if as_json:
        print_json({"folder": str(models.folder), "missing": models.missing, "models": models.listed()})
        return
    typer.echo(f"Weights lie in {models.folder} (TASKARRAY_MODELS_DIR).")
    for entry in (entry for entry in models.entries if entry.file):
        state = "installed" if models.path(entry) else "missing  "
        typer.echo(f"{state}  {entry.air:<40} {entry.kind:<13} {entry.file}")
        typer.echo(
            f"           {entry.name}; {entry.source or 'no source given'}; {entry.licence or 'no licence given'}"
        )
    if models.missing == "fallback":
        typer.echo(
            "A missing model that has a built-in engine beside it is answered by that (TASKARRAY_MISSING_MODEL)."
        )


@app.command()
def verify() -> None:
    """Load every installed model; the exit code is 1 when one does not load."""
    models = table(settings())
    installed = [(entry, path) for entry in models.entries if (path := models.path(entry))]
    failures = 0
    for entry, path in installed:
        try:
            typer.echo(f"ok      {entry.air:<40} {_loaded(path)}")
        except Exception as failure:  # whatever a loader raises is the answer here
            failures += 1
            reason = str(failure).partition("\n")[0]
            typer.echo(f"broken  {entry.air:<40} {path}: {reason}")
    typer.echo(f"{len(installed)} of the models in the table are installed in {models.folder}.")
    raise typer.Exit(1 if failures else 0)


def _loaded(path: Path) -> str:
    """What a model's file or folder turns out to be. Raises what its loader raises."""
    checks: dict[str, Callable[[Path], str]] = {".onnx": _onnx, ".safetensors": _safetensors}
    if path.is_dir():
        return "folder with " + ", ".join(sorted(part.name for part in path.iterdir())[:6])
    return checks.get(path.suffix, lambda file: f"{file.stat().st_size} bytes")(path)


def _onnx(path: Path) -> str:
    from server.engines.onnx import session

    model = session(path)
    takes, gives = ([f"{each.name}{each.shape}" for each in side] for side in (model.get_inputs(), model.get_outputs()))
    return f"takes {', '.join(takes)}; gives {', '.join(gives[:3])}"


def _safetensors(path: Path) -> str:
    """The file begins with the length of a JSON header, little end first."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length < path.stat().st_size or file.read(1) != b"{":
            raise ValueError("this is no safetensors file")
    return f"safetensors, {path.stat().st_size} bytes"
