import os

from server.task import Annotated, Context, Field, Params, Result, task

_KEPT: list[bytes] = []


class Leaks(Params):
    megabytes: Annotated[int, Field(ge=0, le=1000)]


class Leaked(Result):
    text: str


@task("leaks")
def leaks(params: Leaks, context: Context) -> Leaked:
    """Keep memory after the task, and tell the process that does."""
    _KEPT.append(os.urandom(2**20) * params.megabytes)
    return Leaked(text=str(os.getpid()))
