import os
import signal
from typing import Literal

from server.task import Annotated, Context, Field, Params, Result, task


class Exits(Params):
    how: Annotated[Literal["exit", "kill", "kill worker", "raise", "nonsense", "hold lock", "memory"], Field()]


class Never(Result):
    text: str


@task("exits", seconds=3)
def exits(params: Exits, context: Context) -> Never:
    """End in one of the ways in which a handler must not."""
    match params.how:
        case "exit":
            os._exit(3)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "kill worker":
            os.kill(os.getppid(), signal.SIGKILL)
            signal.pause()
        case "raise":
            raise RuntimeError("secret: /etc/passwd")
        case "nonsense":
            return {"not": "a result"}  # type: ignore[return-value]
        case "hold lock":
            sum(range(10**12))
        case "memory":
            hoard = bytearray(400 * 2**20)
            return Never(text=str(len(hoard)))
    return Never(text="never")
