"""Enlarge an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BeforeValidator

from server.task import Annotated, Context, Field, ImageRef, ImageResult, Model, OutputParams, task

if TYPE_CHECKING:
    from pathlib import Path

    from server.engines.vision import Array, Progress

_MOST = 4096
"""Pixels a side of what is made."""
_CURED = 0.5
"""A picture reduced to this much of itself or less shows no marks of its compression any more."""
_TILES = 0.9
"""The share of the work that the tiles are; the rest is writing the file."""


def _whole(value: object) -> object:
    """Some clients send 2.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Upscale(OutputParams):
    """What to enlarge, and how far."""

    input_image: ImageRef
    upscale_factor: Annotated[
        Literal[2, 3, 4],
        BeforeValidator(_whole),
        Field(description=f"How many times larger. An image that would pass {_MOST} pixels a side is reduced first."),
    ] = 2
    target_megapixels: Annotated[
        int | None,
        BeforeValidator(_whole),
        Field(ge=1, le=64, description="Instead of a factor: the least of 2, 3 and 4 that gives so many, or 4."),
    ] = None
    model: Annotated[
        str | None, Field(max_length=200, description="AIR id of the model; without it the built-in networks work.")
    ] = None

    def factor(self, width: int, height: int) -> int:
        """How many times larger an image of this size is to become."""
        if self.target_megapixels is None:
            return self.upscale_factor
        wanted = self.target_megapixels * 1_000_000
        return next((factor for factor in (2, 3) if factor**2 * width * height >= wanted), 4)


class Upscaled(ImageResult):
    """The enlarged image."""

    input_image_uuid: str
    model: Annotated[str, Field(description="What did the work.")]


@task("upscale", aliases=("imageUpscale",), seconds=300, deterministic=True)
def upscale(params: Upscale, context: Context) -> Upscaled:
    """Enlarge an image two to four times."""
    import numpy
    from PIL import Image

    model = context.model(params.model, "upscaler")
    picture = context.open(params.input_image)
    factor = params.factor(*picture.size)
    share = min(1, _MOST // factor / max(picture.size))
    if share < 1:
        width, height = (max(1, round(side * share)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    marked = context.file(params.input_image) if share > _CURED else None

    def told(fraction: float, stage: str) -> None:
        context.progress(_TILES * fraction, stage)

    enlarged, name = _enlarged(numpy.asarray(picture), factor, model, marked, told)
    context.progress(_TILES, "encoding")
    saved = context.save(Image.fromarray(enlarged), params)
    return Upscaled(**saved, input_image_uuid=context.uuid(params.input_image), model=name)


def _enlarged(
    picture: Array, factor: int, model: Model | None, marked: Path | None, progress: Progress
) -> tuple[Array, str]:
    """The picture, and the name of what enlarged it; `marked` is a file whose compression may still show."""
    from server.engines.upscaling import CLEAN, ROBUST, enlarge, enlarge_with, is_damaged

    if model:
        return enlarge_with(model.path, model.options, picture, factor, progress), model.air
    damaged = marked is not None and is_damaged(marked)
    return enlarge(picture, factor, progress, damaged=damaged), ROBUST if damaged else CLEAN
