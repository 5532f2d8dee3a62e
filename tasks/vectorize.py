"""Draw an image as SVG."""

from __future__ import annotations

from typing import Literal

from pydantic import BeforeValidator

from server.task import Annotated, Context, Field, ImageRef, ImageResult, NewImage, OutputParams, task


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class Vectorize(OutputParams):
    """What to draw, and how finely."""

    input_image: ImageRef
    output_format: Annotated[  # pyright: ignore[reportIncompatibleVariableOverride]
        Literal["SVG"], BeforeValidator(_upper), Field(description="SVG is the only one.")
    ] = "SVG"
    model: Annotated[
        str | None, Field(max_length=200, description="AIR id; whatever it names, the built-in engine works.")
    ] = None
    color_mode: Annotated[
        Literal["color", "binary"], Field(description="Areas of colour, or what is dark in black.")
    ] = "color"
    filter_speckle: Annotated[
        int, Field(ge=0, le=128, description="Areas smaller than this many pixels squared are left out.")
    ] = 8
    color_precision: Annotated[int, Field(ge=1, le=8, description="Bits of a colour channel that count.")] = 5
    layer_difference: Annotated[int, Field(ge=0, le=255, description="Levels between two layers of colour.")] = 24
    path_precision: Annotated[int, Field(ge=0, le=8, description="Decimals in paths.")] = 2


class VectorizedImage(ImageResult):
    """The drawing."""

    input_image_uuid: str
    model: Annotated[str, Field(description="What did the work.")]


@task("vectorize", deterministic=True)
def vectorize(params: Vectorize, context: Context) -> VectorizedImage:
    """Draw an image as SVG: good for logos and flat art; photographs become posters."""
    from server.engines.vectors import NAME, Style, trace

    context.model(params.model, "vectorizer")  # no weights of this kind exist; a name may still be refused
    picture = context.open(params.input_image)
    style = Style(
        params.color_mode,
        params.filter_speckle,
        params.color_precision,
        params.layer_difference,
        params.path_precision,
    )
    path = context.scratch(".svg")
    path.write_text(trace(picture, style, context.progress), encoding="utf-8")
    saved = context.save_file(NewImage(path, "SVG", *picture.size), params)
    return VectorizedImage(**saved, input_image_uuid=context.uuid(params.input_image), model=NAME)
