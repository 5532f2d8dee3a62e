"""Resize, crop, turn, blend and mark an image: everyday operations, as many as wanted, one after the other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import AfterValidator, BeforeValidator, ConfigDict, ValidationInfo

from server.errors import ApiError
from server.task import Annotated, Context, Field, ImageRef, ImageResult, OutputParams, Schema, task

if TYPE_CHECKING:
    from PIL.Image import Image

_COLOUR = re.compile(r"#[0-9A-Fa-f]{3,4}|#[0-9A-Fa-f]{6}|#[0-9A-Fa-f]{8}|[A-Za-z]{1,40}")
_COLOURS = "#rgb, #rgba, #rrggbb, #rrggbbaa, a CSS colour name, [r, g, b] or [r, g, b, a]"

Side = Annotated[int, Field(ge=1, le=8192)]
Margin = Annotated[int, Field(ge=0, le=8192)]
Place = Annotated[int, Field(ge=-8192, le=8192)]
Share = Annotated[float, Field(ge=0, le=1)]
Factor = Annotated[float, Field(ge=0, le=10)]


def _written(colour: object) -> object:
    """A colour that is written as one; whether its name is known is seen later."""
    named = isinstance(colour, str) and _COLOUR.fullmatch(colour)
    if named or (isinstance(colour, list) and _is_channels(cast("list[object]", colour))):
        return colour
    raise ValueError(f"a colour is {_COLOURS}")


def _is_channels(values: list[object]) -> bool:
    return len(values) in (3, 4) and all(type(value) is int and 0 <= value <= 255 for value in values)


Colour = Annotated[str | list[int], BeforeValidator(_written), Field(description=_COLOURS)]
Gravity = Literal["center", "north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest"]


def _some_size(height: int | None, checked: ValidationInfo) -> int | None:
    if height is None and checked.data.get("width", 0) is None:
        raise ValueError("resize needs a width, a height or both")
    return height


def _one_layer(color: object, checked: ValidationInfo) -> object:
    if "image" in checked.data and (color is None) == (checked.data["image"] is None):
        raise ValueError("composite needs either an image or a color")
    return color


class Operation(Schema):
    """One step. A member that it does not have is refused, so that no wish is passed over."""

    model_config = ConfigDict(extra="forbid")


class Resize(Operation):
    """Another size."""

    operation: Literal["resize"]
    width: Annotated[Side | None, Field(description="In pixels; without it, it follows from the height.")] = None
    height: Annotated[
        Side | None,
        AfterValidator(_some_size),
        Field(validate_default=True, description="In pixels; without it, it follows from the width."),
    ] = None
    fit: Annotated[
        Literal["cover", "contain", "fill", "inside", "outside"],
        Field(
            description="How another shape goes into width × height: cover fills it and cuts off the rest, contain lies"
            " in it on the background, fill distorts, inside is as large as goes in, outside as small as covers it."
        ),
    ] = "cover"
    gravity: Gravity = "center"
    background: Colour = "transparent"
    enlarge: Annotated[bool, Field(description="Whether pixels may be stretched.")] = True


class Crop(Operation):
    """A part of the picture. It must lie within."""

    operation: Literal["crop"]
    width: Side
    height: Side
    x: Annotated[Margin | None, Field(description="Left edge; without it, gravity says.")] = None
    y: Annotated[Margin | None, Field(description="Upper edge; without it, gravity says.")] = None
    gravity: Gravity = "center"


class Pad(Operation):
    """More room around the picture."""

    operation: Literal["pad"]
    amount: Annotated[Margin, Field(description="Pixels on each side that is not told of by itself.")] = 0
    top: Margin | None = None
    right: Margin | None = None
    bottom: Margin | None = None
    left: Margin | None = None
    background: Colour = "transparent"


class Rotate(Operation):
    """Turn the picture about its centre."""

    operation: Literal["rotate"]
    angle: Annotated[float, Field(ge=-360, le=360, description="Degrees clockwise; quarter turns are exact.")]
    expand: Annotated[bool, Field(description="Grow so that no corner is cut off.")] = True
    background: Colour = "transparent"


class Flip(Operation):
    """Mirror the picture."""

    operation: Literal["flip"]
    direction: Annotated[Literal["horizontal", "vertical"], Field(description="horizontal swaps left and right.")] = (
        "horizontal"
    )


class Blur(Operation):
    """A Gaussian blur."""

    operation: Literal["blur"]
    sigma: Annotated[float, Field(ge=0.3, le=1000, description="Strength in pixels.")]


class Sharpen(Operation):
    """An unsharp mask."""

    operation: Literal["sharpen"]
    amount: Annotated[Factor, Field(description="Strength.")] = 1.0
    radius: Annotated[float, Field(ge=0.3, le=100, description="Width of the edges it works on, in pixels.")] = 1.0
    threshold: Annotated[int, Field(ge=0, le=255, description="Differences up to this level are left alone.")] = 0


class Grayscale(Operation):
    """The picture in greys."""

    operation: Literal["grayscale"]


class Adjust(Operation):
    """Light and colour, by factors: 1 leaves them as they are."""

    operation: Literal["adjust"]
    brightness: Factor = 1.0
    contrast: Factor = 1.0
    saturation: Factor = 1.0


class Flatten(Operation):
    """Put a colour where the picture is transparent."""

    operation: Literal["flatten"]
    background: Colour = "white"


class Composite(Operation):
    """A layer over or under the picture: another image, or a colour. The size stays."""

    operation: Literal["composite"]
    image: ImageRef | None = None
    color: Annotated[Colour | None, AfterValidator(_one_layer), Field(validate_default=True)] = None
    fit: Annotated[
        Literal["cover", "contain", "fill"] | None, Field(description="Resize the image to the picture first, thus.")
    ] = None
    x: Annotated[Place | None, Field(description="Left edge of the image; without it, gravity says.")] = None
    y: Annotated[Place | None, Field(description="Upper edge of the image; without it, gravity says.")] = None
    gravity: Gravity = "center"
    opacity: Share = 1.0
    under: Annotated[bool, Field(description="Lay it beneath the picture.")] = False


class Watermark(Operation):
    """A mark over the picture, in a corner or all over."""

    operation: Literal["watermark"]
    image: ImageRef
    gravity: Gravity = "southeast"
    margin: Annotated[Margin, Field(description="Pixels to the edge, or between marks.")] = 16
    scale: Annotated[float, Field(ge=0.01, le=1, description="Width as a share of the picture's.")] = 0.25
    opacity: Share = 0.5
    tile: Annotated[bool, Field(description="Repeat the mark all over.")] = False


AnyOperation = Annotated[
    Resize | Crop | Pad | Rotate | Flip | Blur | Sharpen | Grayscale | Adjust | Flatten | Composite | Watermark,
    Field(discriminator="operation"),
]


class ImageTransform(OutputParams):
    """What to change, and how."""

    input_image: ImageRef
    operations: Annotated[
        list[AnyOperation], Field(min_length=1, max_length=32, description="The steps, in their order.")
    ]


class TransformedImage(ImageResult):
    """The changed image and its size."""

    input_image_uuid: str
    width: int
    height: int


@task("imageTransform", deterministic=True)
def image_transform(params: ImageTransform, context: Context) -> TransformedImage:
    """Resize, crop, pad, rotate, flip, blur, sharpen, adjust, flatten, composite or watermark, in any order."""
    steps = [_settings(index, operation) for index, operation in enumerate(params.operations)]
    picture = context.open(params.input_image)
    for index, (operation, settings) in enumerate(zip(params.operations, steps, strict=True)):
        context.progress(index / (len(steps) + 1), operation.operation)
        picture = _changed(picture, index, operation, settings, context)
    context.progress(len(steps) / (len(steps) + 1), "encoding")
    return TransformedImage(
        **context.save(picture, params),
        input_image_uuid=context.uuid(params.input_image),
        width=picture.width,
        height=picture.height,
    )


def _settings(index: int, operation: Operation) -> dict[str, Any]:
    """An operation's members with its colours read, so that a wrong one is refused before anything is done."""
    from server.engines.transforms.colours import colour

    settings = operation.model_dump(exclude={"operation"})
    for name in ("background", "color"):
        if settings.get(name) is not None:
            settings[name] = colour(settings[name], f"operations[{index}].{name}")
    return settings


def _changed(picture: Image, index: int, operation: AnyOperation, settings: dict[str, Any], context: Context) -> Image:
    from server.engines.transforms import OPERATIONS

    if isinstance(operation, Composite | Watermark) and operation.image is not None:
        settings = settings | {"image": context.open(operation.image)}
    try:
        return OPERATIONS[operation.operation](picture, **settings)
    except ApiError as refusal:
        refusal.parameter = f"operations[{index}].{refusal.parameter}"
        raise
