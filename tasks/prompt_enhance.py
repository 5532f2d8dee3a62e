"""Make more of a prompt."""

from __future__ import annotations

from server.task import Annotated, Context, Field, Params, Result, task


class PromptEnhance(Params):
    """What to make more of, and how much."""

    prompt: Annotated[str, Field(min_length=1, max_length=300, description="What the picture is to show.")]
    prompt_max_length: Annotated[int, Field(ge=4, le=400, description="Tokens that each version may have.")] = 64
    prompt_versions: Annotated[int, Field(ge=1, le=5, description="How many versions.")] = 1
    model: Annotated[
        str | None, Field(max_length=200, description="AIR id of a model of kind text; without it, one installed.")
    ] = None


class EnhancedPrompt(Result):
    """One version."""

    text: str
    model: Annotated[str, Field(description="AIR id of what did the work.")]


@task("promptEnhance")
def prompt_enhance(params: PromptEnhance, context: Context) -> list[EnhancedPrompt]:
    """Write richer versions of a prompt, with a language model that the operator has installed."""
    model = context.model(params.model, "text", required=True)
    assert model, "what is required is there, or ModelNotFound was raised"
    from server.engines import language
    from server.engines.pytorch import Weights, needed

    needed("caption", *language.PACKAGES)
    weights = Weights(model.air, model.path, model.options)
    texts = language.enhance(weights, params.prompt, params.prompt_max_length, params.prompt_versions, context.progress)
    return [EnhancedPrompt(text=text, model=model.air) for text in texts]
