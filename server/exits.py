"""How a command ends that cannot do what it was asked for: with a sentence, and 1 for a failure, 2 for wrong usage. And
how one tells programs what it found.
"""

from __future__ import annotations

import json
from typing import NoReturn

import typer


def fail(sentence: str) -> NoReturn:
    """End the command: it was right, and could not be done."""
    typer.echo(sentence, err=True)
    raise typer.Exit(1)


def wrong(sentence: str) -> NoReturn:
    """End the command: it was not meant like this."""
    typer.echo(sentence, err=True)
    raise typer.Exit(2)


def print_json(found: object) -> None:
    """What was found, for programs."""
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
