"""`taskarray batch`: one task on every picture of a folder tree."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from server.client.place import Key, Server, reached
from server.commands.run import Settings
from server.exits import wrong


def batch(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the pictures are, in folders of any depth.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Where the results go, under the same names.")],
    task: Annotated[str, typer.Option(help="What is done with each.")] = "removeBackground",
    settings: Settings = None,
    concurrency: Annotated[
        int, typer.Option(min=0, max=256, help="Pictures under way at once; 0: two for each core.")
    ] = 0,
    watch: Annotated[bool, typer.Option("--watch", help="Go on with what comes later, until Ctrl-C.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Do what is done already, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each picture.")] = False,
    server: Server = "",
    key: Key = "",
) -> None:
    """Have one task done on every picture of a folder tree.

    A picture whose result is in OUT and newer is skipped: what was interrupted goes on when it is started again. The
    results have the names of the pictures, with the extension of what is made: PNG, unless --set outputFormat=WEBP.
    --set takes the name of a file where a picture may stand, such as a watermark. Uploads and results are deleted
    from the server as soon as they are here.

    The exit code is 1 if a picture failed, 2 if the command was not meant like that, 130 after Ctrl-C.
    """
    from server.client.course import Course
    from server.client.work import worked

    if not folder.is_dir():
        wrong(f"There is no folder {folder}.")
    if out.resolve() == folder.resolve():
        wrong("OUT must be another folder than DIR: the results would be pictures to work on.")
    if out.exists() and not out.is_dir():
        wrong(f"{out} is a file. Results need a folder.")
    at_once = concurrency or 2 * (os.cpu_count() or 1)
    with reached(server, key) as place:
        course = Course(folder, out, task, settings or [], at_once, watch=watch, overwrite=overwrite, as_json=as_json)
        raise typer.Exit(worked(lambda stop: course.run(place, stop)))
