import time
from pathlib import Path

from server.task import Annotated, Context, Field, Params, Result, task


class Sleeps(Params):
    seconds: Annotated[float, Field(ge=0, le=60)]
    marker: str = ""


class Slept(Result):
    text: str


@task("sleeps", seconds=8)
def sleeps(params: Sleeps, context: Context) -> Slept:
    """Sleep, with progress, and write a line to a marker file at each start."""
    if params.marker:
        with Path(params.marker).open("a") as file:
            file.write("started\n")
    steps = max(1, round(params.seconds / 0.1))
    for step in range(steps):
        time.sleep(params.seconds / steps)
        context.progress((step + 1) / steps, "sleeping")
    return Slept(text=f"slept {params.seconds}")
