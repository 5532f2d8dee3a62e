"""`taskarray keys`: who may use this server."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from server.exits import fail, print_json, wrong

app = typer.Typer(no_args_is_help=True, help="API keys.")


def _with_tenants(step: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
    """Do something with the stored keys."""
    from server.commands.errand import errand
    from server.tenants import Tenants

    return errand(lambda store: step(Tenants(store, store.config)))


@app.command()
def create(
    name: str,
    scope: Annotated[
        list[str] | None, typer.Option(help="What it may do: tasks (the default), dash (the board); once for each.")
    ] = None,
) -> None:
    """Make a key. It is shown once and stored as a hash; keys of one name share images and tasks."""
    from server.tenants import Scope

    try:
        scopes = {Scope(word) for word in scope or [Scope.TASKS]}
    except ValueError:
        wrong(f"--scope is one of {', '.join(Scope)}.")
    typer.echo(_with_tenants(lambda tenants: tenants.create(name, scopes)))


@app.command("list")
def show(as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False) -> None:
    """The stored keys, without the keys themselves."""
    found = _with_tenants(lambda tenants: tenants.listed())
    if as_json:
        print_json(found)
        return
    for entry in found:
        created = datetime.fromtimestamp(entry["created"], UTC).strftime("%Y-%m-%d %H:%M")
        state = "revoked" if entry.get("revoked") else "active"
        scopes = "+".join(entry["scopes"])
        typer.echo(f"{entry['id']}  {entry['name']:20}  …{entry['hint']}  {created} UTC  {scopes:10}  {state}")


@app.command()
def revoke(which: Annotated[str, typer.Argument(help="The key's id or name, as `keys list` shows.")]) -> None:
    """Revoke keys. Sockets that are open stay; nothing new is let in."""
    if not _with_tenants(lambda tenants: tenants.revoke(which)):
        fail(f"There is no active key {which!r}. `taskarray keys list` shows them.")
