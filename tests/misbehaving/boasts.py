"""Its words try to be more than words in the pages that show them."""

from __future__ import annotations

from typing import Literal

from server.task import Annotated, Context, Field, Params, Result, task


class Boasts(Params):
    """<script>alert("params")</script>"""

    claim: Annotated[
        str,
        Field(description="<img src=x onerror=alert(1)> [here](javascript:alert(2)) {{ 7 * 191 }} `</code><script>`"),
    ] = '"><script>alert("default")</script>'
    way: Literal["</code><script>alert('choice')</script>", "plain"] = "plain"


class Boasted(Result):
    """<script>alert("result")</script>"""

    text: Annotated[str, Field(description="</dd></dl><script>alert('answer')</script>")]


@task("boasts")
def boasts(params: Boasts, context: Context) -> Boasted:
    """Say <script>alert("summary")</script> & {% raw %} {{ 7 * 191 }} <!-- to whoever reads."""
    return Boasted(text=params.claim)
