"""The command line: `python -m bench [part…]` runs the named parts, or all of them, and prints their tables."""

from __future__ import annotations

import multiprocessing
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Annotated

import typer

from bench import engine, giants, graphs, removal, sockets, tasks, uploads
from bench.report import Plan, machine, node

PARTS = {
    "uploads": uploads.run,
    "engine": engine.run,
    "graphs": graphs.run,
    "sockets": sockets.run,
    "giants": giants.run,
    "tasks": tasks.run,
    "removal": removal.run,
}
"""Each takes the plan and a process in which to make load, and gives a table."""
_QUICK, _FULL = 1.0, 5.0


def main(
    parts: Annotated[list[str] | None, typer.Argument(help=f"Any of: {', '.join(PARTS)}. None is all.")] = None,
    seconds: Annotated[float, typer.Option(help=f"Length of one window; {_FULL:g} s, or {_QUICK:g} s if quick.")] = 0,
    rounds: Annotated[int, typer.Option(help="Windows of each kind; what is printed are medians.")] = 3,
    quick: Annotated[bool, typer.Option("--quick", help="Short windows, to see that everything runs.")] = False,
    no_peer: Annotated[bool, typer.Option("--no-peer", help="Leave the Node server out.")] = False,
) -> None:
    """Measure the server against its limits, and against one written by hand, in one run."""
    chosen = parts or list(PARTS)
    if unknown := [name for name in chosen if name not in PARTS]:
        raise typer.BadParameter(f"{', '.join(unknown)}: the parts are {', '.join(PARTS)}.")
    _allow_many_files()
    plan = Plan(seconds or (_QUICK if quick else _FULL), rounds, quick, peer=bool(node()) and not no_peer)
    print(f"{machine()}; node {node() or 'not here'}\n", flush=True)
    begin = time.monotonic()
    # A fresh process for each part's load: one that has grown must not slow the next.
    for name in chosen:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as elsewhere:
            print(PARTS[name](plan, elsewhere).text(), end="\n\n", flush=True)
    print(
        "Figures are medians over the rounds; a ratio is the median of the rounds' own ratios, beside it their range."
    )
    print(f"{time.monotonic() - begin:.0f} s, {plan.rounds} rounds of {plan.seconds:g} s")


def _allow_many_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    typer.run(main)
