import builtins

from server.errors import CODES, InvalidParameter, MissingParameter
from server.task import Context, Params, Result, task

SENTENCE = "It may not be. Send something else."
SECRET = "hunter2 in /srv/private/secret.py"


class Refuses(Params):
    failure: str


class Refused(Result):
    text: str


@task("refuses", seconds=10)
def refuses(params: Refuses, context: Context) -> Refused:
    """Raise a failure of the server's own by the name of its class, or any other exception with a secret."""
    for kind in CODES.values():
        if kind.__name__ == params.failure:
            named = issubclass(kind, InvalidParameter | MissingParameter)
            raise kind(SENTENCE, parameter="failure") if named else kind(SENTENCE)
    raise getattr(builtins, params.failure)(SECRET)
