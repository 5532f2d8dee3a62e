"""`taskarray run`: one task on a file, or an array of tasks, and the results in files."""

from __future__ import annotations

import functools
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from server.client.place import Key, Server, reached
from server.exits import wrong

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the task; once for each. Lists are JSON."),
]

_HELP = """
Have one task done, or an array of tasks.

[bold]taskarray run TASKTYPE IN OUT[/]: one task on a file, the result in another, whose extension says its file type.

  taskarray run removeBackground in.jpg out.png
  taskarray run upscale in.jpg out.webp --set upscaleFactor=4
  taskarray run caption in.jpg

A task that only may have a picture takes OUT alone; two files are IN and OUT to it as well:

  taskarray run imageInference out.png --set positivePrompt="a red fox"

Several results go to out-1.png, out-2.png, …; words are printed, or written to OUT. IN may be a URL. Wherever a
picture may stand, --set takes the name of a file.

[bold]taskarray run TASKS.json[/]: a whole array (- reads it from standard input). Where a picture may stand, it may
have the name of a file, which begins in the folder of the JSON file. --out DIR keeps the pictures, by number and task.

The exit code is 1 if a task failed, 2 if the command was not meant like that.
"""


def run(
    what: Annotated[str, typer.Argument(metavar="TASKTYPE | TASKS.json", help="What is to be done.")],
    files: Annotated[list[str] | None, typer.Argument(metavar="[IN] [OUT]", help="The files, see above.")] = None,
    settings: Settings = None,
    out: Annotated[Path | None, typer.Option(help="Of an array: the folder for pictures.", metavar="DIR")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answers as JSON.")] = False,
    server: Server = "",
    key: Key = "",
) -> None:
    """Have one task done, or an array of tasks."""
    if what == "-" or what.lower().endswith(".json"):
        if files or settings:
            wrong("An array of tasks has its files and parameters in it. --out DIR is where its pictures go.")
        _run_array(what, out, server, key, as_json=as_json)
    if out:
        wrong("--out is for arrays. Say where the result goes as the last file.")
    _look(files or [])
    _run_one(what, files or [], settings or [], server, key, as_json=as_json)


run.__doc__ = _HELP


def _run_array(what: str, out: Path | None, server: str, key: str, *, as_json: bool) -> NoReturn:
    from server.client.carrying import carry_out
    from server.client.orders import read_array
    from server.client.plan import STREAM, of_array
    from server.client.work import worked

    folder = Path() if what == STREAM else Path(what).parent
    try:
        text = sys.stdin.buffer.read() if what == STREAM else Path(what).read_bytes()
    except OSError as failure:
        wrong(f"{what} cannot be read: {failure.strerror}.")
    tasks = read_array(text, "What came in" if what == STREAM else what)
    with reached(server, key) as place:
        plan = of_array(tasks, folder, out)
        raise typer.Exit(worked(lambda stop: carry_out(place, stop, lambda schemas: plan, as_json=as_json)))


def _look(files: list[str]) -> None:
    """What can be known to be wrong before a server is asked."""
    if len(files) > 2:
        wrong("One task takes IN and OUT. For a whole folder there is `taskarray batch`.")
    for target in files[1:]:
        if not Path(target).parent.is_dir():
            wrong(f"There is no folder {Path(target).parent}.")


def _run_one(name: str, files: list[str], settings: list[str], server: str, key: str, *, as_json: bool) -> NoReturn:
    from server.client.carrying import carry_out
    from server.client.plan import of_one
    from server.client.work import worked

    with tempfile.TemporaryDirectory(prefix="taskarray-") as folder, reached(server, key, workers=1) as place:
        scratch = Path(folder)
        planned = functools.partial(of_one, name=name, files=files, settings=settings, scratch=scratch, asked=as_json)
        code = worked(lambda stop: carry_out(place, stop, planned, as_json=as_json))
        for streamed in sorted(scratch.glob("out*")):
            with streamed.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
        raise typer.Exit(code)
