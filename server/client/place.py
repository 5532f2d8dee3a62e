"""Which server a command works with: the one it is told of, the `serve` that runs here, or one of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from server.exits import configured, fail, wrong

if TYPE_CHECKING:
    from server.config import Config

Server = Annotated[
    str,
    typer.Option(
        "--server", envvar="TASKARRAY_SERVER",
        help="The server to work with. Without it: the `serve` that runs over this data folder, else one that is"
        " started for this command and ends with it.",
    ),
]  # fmt: skip
Key = Annotated[str, typer.Option("--key", envvar="TASKARRAY_KEY", show_envvar=True, help="An API key of that server.")]
_OWN = (
    "HOST", "PUBLIC_URL", "DATA", "REDIS_CLUSTER", "PREFIX", "SHARDS", "BLOBS", "API_KEYS", "DASH_KEYS", "RATE_LIMIT",
    "ORIGINS", "LOG_LEVEL", "SERVER", "KEY",
)  # fmt: skip
"""Settings of a server that one of the command's own does not take over."""


@dataclass(frozen=True)
class Place:
    """A server: its URL and a key. `own`: it was started for this command."""

    url: str
    key: str
    own: bool = False

    @property
    def socket(self) -> str:
        """Where its WebSocket is."""
        return "ws" + self.url.removeprefix("http") + "/v1"


@contextmanager
def reached(server: str, key: str, workers: int = 0) -> Generator[Place]:
    """The server to work with; one of the command's own has so many `workers` (0: one a core), unless the settings say
    how many. Ends the command where there is none."""
    from server.client.temporary import NotStarted, temporary
    from server.client.whereabouts import address

    settings = configured()
    running = address(settings.data)
    if server:
        url = _address(server)
        key = key or (_local_key(settings) if url == running else "")
        yield Place(url, key or wrong(f"The server at {url} needs a key: --key, or TASKARRAY_KEY."))
    elif running:
        yield Place(running, key or _local_key(settings) or wrong(f"The server at {running} needs a key: --key."))
    else:
        given = {"TASKARRAY_MODELS_DIR": str(settings.models_folder.absolute()), "TASKARRAY_MAX_SIDE": "0"}
        given |= {"TASKARRAY_WORKERS": str(workers)}
        given |= {name: value for name, value in os.environ.items() if _taken_over(name)}
        if sys.stderr.isatty():
            typer.echo("Starting a server for this command. Beside `taskarray serve` it begins at once.", err=True)
        try:
            with temporary(given) as (url, own):
                yield Place(url, own, own=True)
        except NotStarted as failure:
            fail(f"There is no server here, and {failure}")


def _taken_over(variable: str) -> bool:
    name = variable.removeprefix("TASKARRAY_")
    return name != variable and name.removesuffix("_FILE") not in _OWN


def _local_key(settings: Config) -> str:
    """A key that the server of these settings takes: one of theirs, else the one that it made for this machine."""
    if settings.api_keys:
        return settings.api_keys[0][1]
    told = settings.data / "local.key"
    return told.read_text().strip() if told.exists() else ""


def _address(told: str) -> str:
    """An address as people write it: perhaps without a scheme, perhaps that of the WebSocket. Ends the command for
    what is none."""
    text = told if "://" in told else f"http://{told}"
    scheme, _, rest = text.partition("://")
    found = {"ws": "http", "wss": "https", "http": "http", "https": "https"}.get(scheme.lower())
    try:
        fine = bool(found and urlsplit(f"//{rest}").hostname and urlsplit(f"//{rest}").port != 0)
    except ValueError:
        fine = False
    if not fine:
        wrong(f"--server: {told!r} is no address of a server, like http://127.0.0.1:8000.")
    return f"{found}://{rest}".rstrip("/").removesuffix("/v1")
