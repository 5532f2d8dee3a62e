from server.task import Context, Params, Result, task


class Nothing(Params):
    """Takes nothing."""


class Done(Result):
    text: str


@task("nothing")
def nothing(params: Nothing, context: Context) -> Done:
    """Do nothing at all."""
    return Done(text="done")
