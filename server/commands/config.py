"""`taskarray config`: the settings in force, what is wrong with them, and a file of them to begin with."""

from __future__ import annotations

import os
import textwrap

import typer

from server.commands.settings import settings
from server.exits import fail

app = typer.Typer(no_args_is_help=True, help="The settings.")

_HEAD = """\
# Settings of taskarray, for `docker run --env-file`, a compose file or a shell. What is commented out stands at its
# default. `taskarray config check` says whether they are right.
"""
_LINE = 110


@app.command()
def show() -> None:
    """Every setting with its value in force, and where that comes from."""
    for variable, value, source in settings().shown(os.environ):
        typer.echo(f"{variable}={value}" + ("" if source == "default" else f"   # {source}"))


@app.command()
def check() -> None:
    """Say whether the settings are right; every problem at once."""
    from server.access import check
    from server.config import ConfigError

    try:
        check(settings())
    except ConfigError as wrong:
        fail(str(wrong))
    typer.echo("The settings are right.")


@app.command()
def init() -> None:
    """Print a file of settings with fresh keys: `taskarray config init > .env`."""
    from server.config import Config, spelled, variable_of
    from server.tenants import new_key

    fresh = {"api_keys": f"main:{new_key()}", "dash_keys": f"board:{new_key()}"}
    typer.echo(_HEAD)
    for name, setting in Config.model_fields.items():
        typer.echo("\n".join(f"# {line}" for line in textwrap.wrap(setting.description or "", _LINE)))
        value = fresh.get(name) or spelled(setting.default, setting)
        typer.echo(f"{'' if name in fresh else '#'}{variable_of(name)}={value}\n")
