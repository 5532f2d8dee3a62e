"""The commands: `taskarray serve`, its parts alone, and all the others joined to them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

from server.commands.batch import batch
from server.commands.config import app as config
from server.commands.health import asked
from server.commands.keys import app as keys
from server.commands.models import app as models
from server.commands.run import run
from server.commands.settings import settings as read_settings
from server.commands.webhooks import app as webhooks
from server.exits import fail, print_json

if TYPE_CHECKING:
    import asyncio

    from server.config import Config

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(keys, name="keys")
app.add_typer(config, name="config")
app.add_typer(models, name="models")
app.add_typer(webhooks, name="webhooks")
app.command()(run)
app.command()(batch)

Parent = Annotated[int, typer.Option(hidden=True)]


def _begin(process: str, parent: int) -> Config:
    """What every part does first: settings, logs, and the tie to the supervisor that started it."""
    from server import lifeline, log, telemetry

    settings = read_settings()
    log.start(settings, process)
    if parent:
        lifeline.die_with_parent(parent)
    if not settings.redis_url:
        fail(
            f"`taskarray {process}` needs REDIS_URL, the Redis that all parts share. `taskarray serve` starts its own."
        )
    telemetry.start(process)
    return settings


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Do what a part is for, to its end."""
    import uvloop

    from server import telemetry

    try:
        uvloop.run(work)
    finally:
        telemetry.stop()


def _until_stopped(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    import asyncio
    import signal

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await work(stop)

    _run(run())


@app.command()
def serve() -> None:
    """Start everything on this machine: Redis, the gateway, the workers, the sweeper."""
    import asyncio

    from server import log
    from server.config import ConfigError
    from server.embedded import EmbeddedError
    from server.serve import Supervisor

    settings = read_settings()
    log.start(settings, "serve")
    try:
        asyncio.run(Supervisor(settings).run())
    except (ConfigError, EmbeddedError) as wrong:
        fail(str(wrong))


@app.command()
def gateway(fd: Annotated[int, typer.Option(hidden=True)] = -1, parent: Parent = 0) -> None:
    """Start a gateway alone: sockets and HTTP. Needs REDIS_URL."""
    from server.access import check
    from server.app import serve_gateway
    from server.config import ConfigError

    settings = _begin("gateway", parent)
    try:
        check(settings)
        _run(serve_gateway(settings, fd if fd >= 0 else None))
    except ConfigError as wrong:
        fail(str(wrong))


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


@app.command()
def doctor(
    quick: Annotated[bool, typer.Option("--quick", help="Do not start a server to try it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Check this machine: Redis, disk, memory, models, and an upload and a cut-out from end to end."""
    from server.commands.doctor import examine

    found = list[dict[str, object]]()
    for part, problem, told in examine(read_settings(), quick=quick):
        found.append({"part": part, "ok": not problem, "told": problem or told})
        if not as_json:
            typer.echo(f"{'FAIL' if problem else 'ok  '}  {part}: {problem or told}")
    if as_json:
        print_json(found)
    raise typer.Exit(not all(one["ok"] for one in found))


@app.command()
def health(
    ready: Annotated[bool, typer.Option("--ready", help="Whether all is there that a task needs, too.")] = False,
) -> None:
    """Say whether the server of these settings answers; exit code 1 when it does not. For container health checks."""
    raise typer.Exit(asked(ready=ready))


@app.command()
def openapi() -> None:
    """Print what is spoken over HTTP as OpenAPI 3.1."""
    from server import openapi
    from server.catalog import Catalog

    print_json(openapi.document(Catalog.discover(read_settings().tasks)))


@app.command()
def asyncapi() -> None:
    """Print what is spoken on the socket as AsyncAPI 3.0."""
    from server import asyncapi
    from server.catalog import Catalog

    settings = read_settings()
    print_json(asyncapi.document(Catalog.discover(settings.tasks), settings.public_url))


@app.command()
def version() -> None:
    """Print the version of this program."""
    from importlib.metadata import version

    typer.echo(f"taskarray {version('taskarray')}")


def _show_version(asked: bool) -> None:
    if asked:
        version()
        raise typer.Exit


@app.callback()
def begin(
    shown: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="The version.")
    ] = False,
) -> None:
    """A server for arrays of image tasks."""
