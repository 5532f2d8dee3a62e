"""The command line: `taskarray serve`, and its parts alone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from server.config import Config, ConfigError, read_config
from server.embedded import EmbeddedError
from server.models_cli import app as models
from server.models_cli import table
from server.webhooks_cli import app as webhooks

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A server for arrays of image tasks.",
)
keys = typer.Typer(no_args_is_help=True, help="API keys.")
config = typer.Typer(no_args_is_help=True, help="The settings.")
app.add_typer(keys, name="keys")
app.add_typer(config, name="config")
app.add_typer(models, name="models")
app.add_typer(webhooks, name="webhooks")

Parent = Annotated[int, typer.Option(hidden=True)]


def _settings() -> Config:
    try:
        settings = read_config()
        table(settings)
        return settings
    except ConfigError as wrong:
        _fail(str(wrong))


def _fail(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)


def _begin(process: str, parent: int) -> Config:
    """What every part does first: settings, logs, and the tie to the supervisor that started it."""
    from server import lifeline, log

    settings = _settings()
    log.start(settings, process)
    if parent:
        lifeline.die_with_parent(parent)
    if not settings.redis_url:
        _fail(
            f"`taskarray {process}` needs REDIS_URL, the Redis that all parts share. `taskarray serve` starts its own."
        )
    return settings


def _until_stopped(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    import uvloop

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await work(stop)

    uvloop.run(run())


@app.command()
def serve() -> None:
    """Start everything on this machine: Redis, the gateway, the workers, the sweeper."""
    from server import log
    from server.serve import Supervisor

    settings = _settings()
    log.start(settings, "serve")
    try:
        asyncio.run(Supervisor(settings).run())
    except (ConfigError, EmbeddedError) as wrong:
        _fail(str(wrong))


@app.command()
def gateway(fd: Annotated[int, typer.Option(hidden=True)] = -1, parent: Parent = 0) -> None:
    """Start a gateway alone: sockets and HTTP. Needs REDIS_URL."""
    import uvloop

    from server.access import check
    from server.app import serve_gateway

    settings = _begin("gateway", parent)
    try:
        check(settings)
    except ConfigError as wrong:
        _fail(str(wrong))
    uvloop.run(serve_gateway(settings, fd if fd >= 0 else None))


@app.command()
def worker(
    name: Annotated[str, typer.Option(hidden=True)] = "",
    inherit: Annotated[str, typer.Option(hidden=True)] = "",
    parent: Parent = 0,
) -> None:
    """Start a worker alone: it claims tasks and does the pixels. Needs REDIS_URL."""
    from server.worker import Worker

    settings = _begin("worker", parent)
    _until_stopped(lambda stop: Worker(settings, name=name, inherit=inherit).run(stop))


@app.command()
def sweep(parent: Parent = 0) -> None:
    """Start a sweeper alone: it deletes what has expired and sends webhooks. Needs REDIS_URL."""
    from server.sweeper import Sweeper

    settings = _begin("sweep", parent)
    _until_stopped(lambda stop: Sweeper(settings).run(stop))


def _with_tenants(step: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
    """Do something with the stored keys."""
    from server.errand import errand
    from server.tenants import Tenants

    return errand(lambda store: step(Tenants(store, store.config)))


@keys.command("create")
def keys_create(name: str) -> None:
    """Make a key. It is shown once and stored as a hash; keys of one name share images and tasks."""
    typer.echo(_with_tenants(lambda tenants: tenants.create(name)))


@keys.command("list")
def keys_list() -> None:
    """The stored keys, without the keys themselves."""
    for entry in _with_tenants(lambda tenants: tenants.listed()):
        created = datetime.fromtimestamp(entry["created"], UTC).strftime("%Y-%m-%d %H:%M")
        state = "revoked" if entry.get("revoked") else "active"
        typer.echo(f"{entry['id']}  {entry['name']:20}  …{entry['hint']}  {created} UTC  {state}")


@keys.command("revoke")
def keys_revoke(which: Annotated[str, typer.Argument(help="The key's id or name, as `keys list` shows.")]) -> None:
    """Revoke keys. Sockets that are open stay; nothing new is let in."""
    if not _with_tenants(lambda tenants: tenants.revoke(which)):
        _fail(f"There is no active key {which!r}. `taskarray keys list` shows them.")


@config.command("show")
def config_show() -> None:
    """Every setting with its value in force, and where that comes from."""
    for variable, value, source in _settings().shown(os.environ):
        typer.echo(f"{variable}={value}" + ("" if source == "default" else f"   # {source}"))


@config.command("check")
def config_check() -> None:
    """Say whether the settings are right; every problem at once."""
    from server.access import check

    try:
        check(_settings())
    except ConfigError as wrong:
        _fail(str(wrong))
    typer.echo("The settings are right.")


@app.command()
def doctor() -> None:
    """Check this machine: Redis, disk, image libraries, and one upload from end to end."""
    from server.doctor import examine

    settings = _settings()
    failed = False
    for part, problem, told in examine(settings):
        failed = failed or bool(problem)
        typer.echo(f"{'FAIL' if problem else 'ok  '}  {part}: {problem or told}")
    raise typer.Exit(int(failed))


def main() -> None:
    """The console command."""
    if Path.cwd() not in map(Path, sys.path):
        sys.path.append(str(Path.cwd()))  # task packages of the user's own (TASKARRAY_TASKS) lie here
    app()


if __name__ == "__main__":
    main()
