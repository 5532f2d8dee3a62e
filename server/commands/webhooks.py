"""`taskarray webhooks`: what is owed to receivers, what was given up and why, and sending that again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from server.exits import fail, print_json

if TYPE_CHECKING:
    from server.store import Store
    from server.webhooks import Standing

app = typer.Typer(no_args_is_help=True, help="Deliveries to webhooks and upload addresses.")


async def _listed(store: Store) -> list[Standing]:
    from server.webhooks import Webhooks

    return [standing async for standing in Webhooks(store).listed()]


@app.command("list")
def show(as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False) -> None:
    """What is due and what was given up, with the last reason. The query of a URL may be secret and is not shown."""
    from server.commands.errand import errand

    found = errand(_listed)
    if as_json:
        print_json([_facts(standing) for standing in found])
        return
    for standing in found:
        delivery, distance = standing.delivery, abs(round(time.time() - standing.at))
        state = (
            f"dead {distance} s" if standing.dead else f"due in {distance} s" if standing.at > time.time() else "due"
        )
        typer.echo(
            f"{delivery.id}  {state:14}  {delivery.attempt} tries  {delivery.kind:10}  task {delivery.task}  "
            f"{delivery.url.partition('?')[0]}  {standing.reason}"
        )


def _facts(standing: Standing) -> dict[str, Any]:
    delivery = standing.delivery
    return {
        "id": delivery.id, "kind": delivery.kind, "task": delivery.task, "url": delivery.url.partition("?")[0],
        "attempt": delivery.attempt, "dead": standing.dead, "at": standing.at, "reason": standing.reason,
    }  # fmt: skip


@app.command()
def replay(
    which: Annotated[str, typer.Argument(metavar="ID", help="A delivery that was given up.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Every delivery that was given up.")] = False,
) -> None:
    """Send again what was given up, with all its attempts before it."""
    from server.commands.errand import errand
    from server.webhooks import Webhooks

    if bool(which) == everything:
        fail("Say which: the ID of a delivery, as `taskarray webhooks list` shows it, or --all.")

    async def step(store: Store) -> int:
        chosen = [standing.delivery.id for standing in await _listed(store) if standing.dead] if everything else [which]
        return sum([await Webhooks(store).replay(delivery) for delivery in chosen])

    count = errand(step)
    if not count and not everything:
        fail(f"No delivery {which!r} was given up. `taskarray webhooks list` shows those that were.")
    typer.echo(f"{count} due again.")
