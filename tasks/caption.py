"""Say in words what an image shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.task import Annotated, Context, Field, ImageRef, Params, Result, rule, task

if TYPE_CHECKING:
    from server.engines.vision import Progress


class Caption(Params):
    """What to describe."""

    input_image: Annotated[ImageRef | None, Field(description="The image.")] = None
    input_images: Annotated[
        list[ImageRef] | None, Field(min_length=1, max_length=16, description="Instead of it: several images.")
    ] = None
    prompt: Annotated[
        str | None,
        Field(max_length=2000, description="What to answer about it; with a model that only captions, how it begins."),
    ] = None
    model: Annotated[
        str | None, Field(max_length=200, description="AIR id of a model of kind caption; without it, one installed.")
    ] = None

    @property
    def images(self) -> list[str]:
        """All images to describe."""
        return [*([self.input_image] if self.input_image else []), *(self.input_images or [])]

    @rule("inputImage")
    def some_image(self) -> bool:
        """inputImage is required, or inputImages with at least one image."""
        return bool(self.images)


class Captioned(Result):
    """The words."""

    text: Annotated[str, Field(description="One line for each image, in their order.")]
    model: Annotated[str, Field(description="AIR id of what did the work.")]


@task("caption", aliases=("imageCaption",), deterministic=True)
def caption(params: Caption, context: Context) -> Captioned:
    """Say in words what an image shows, with a model that the operator has installed."""
    model = context.model(params.model, "caption", required=True)
    assert model, "what is required is there, or ModelNotFound was raised"
    from server.engines import language
    from server.engines.pytorch import Weights, needed

    needed("caption", *language.PACKAGES)
    weights = Weights(model.air, model.path, model.options)
    texts = [
        language.caption(weights, context.open(image), params.prompt, _share(context, index, len(params.images)))
        for index, image in enumerate(params.images)
    ]
    text = texts[0] if len(texts) == 1 else "\n".join(" ".join(text.split()) for text in texts)
    return Captioned(text=text, model=model.air)


def _share(context: Context, index: int, count: int) -> Progress:
    """Tells how far all of the task is while one of its images is described."""
    return lambda fraction, stage: context.progress((index + fraction) / count, stage)
