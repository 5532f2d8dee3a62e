"""How a command ends that cannot do what it was asked for: with a sentence, and 1 for a failure, 2 for wrong usage. And
how one tells programs what it found.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from server.config import Config


def fail(sentence: str) -> NoReturn:
    """End the command: it was right, and could not be done."""
    typer.echo(sentence, err=True)
    raise typer.Exit(1)


def wrong(sentence: str) -> NoReturn:
    """End the command: it was not meant like this."""
    typer.echo(sentence, err=True)
    raise typer.Exit(2)


def configured() -> Config:
    """The settings of this process. What is wrong with them ends the command."""
    from server.config import ConfigError, read_config

    try:
        return read_config()
    except ConfigError as unreadable:
        fail(str(unreadable))


def print_json(found: object) -> None:
    """What was found, for programs."""
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
