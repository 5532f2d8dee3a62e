"""Find faces, parts of faces, hands or persons, and mask them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.errors import InvalidParameter
from server.task import Annotated, Context, Field, ImageRef, Model, OutputParams, Result, Schema, task

if TYPE_CHECKING:
    from server.engines.masking.detection import Detection
    from server.engines.vision import Array

_FACES, _EYES = "taskarray:faces@1", "taskarray:eyes@1"
_BUILT_IN = {
    _FACES: _FACES, "runware:35@1": _FACES, "runware:35@2": _FACES, "runware:35@6": _FACES, "runware:35@7": _FACES,
    _EYES: _EYES, "runware:35@9": _EYES, "runware:35@15": _EYES,
}  # fmt: skip
"""What works where the weights of a model are not installed."""
_SOUGHT = {
    "runware:35@3": ("hands",),
    "runware:35@4": ("persons",),
    "runware:35@5": ("persons",),
    "runware:35@9": ("eyes",),
    "runware:35@10": ("eyes", "lips"),
    "runware:35@11": ("nose", "eyes"),
    "runware:35@12": ("nose", "lips"),
    "runware:35@13": ("nose",),
    "runware:35@14": ("lips",),
    "runware:35@15": ("eyes",),
}
_OF_FACES = {"faces", "eyes", "nose", "lips"}


class ImageMasking(OutputParams):
    """What to look for, how surely, and how the mask is drawn."""

    input_image: ImageRef
    model: Annotated[
        str,
        Field(
            min_length=1,
            max_length=200,
            description="AIR id of the detector: runware:35@1, 2, 6, 7 find faces and runware:35@9, 15 eyes without"
            " weights; the others of runware:35 need theirs installed.",
        ),
    ]
    confidence: Annotated[float, Field(ge=0, le=1, description="What is less sure is left out.")] = 0.25
    max_detections: Annotated[int, Field(ge=1, le=20, description="At most so many, the surest first.")] = 6
    mask_padding: Annotated[
        int, Field(ge=-4096, le=4096, description="Pixels by which the mask grows, or shrinks where negative.")
    ] = 4
    mask_blur: Annotated[int, Field(ge=0, le=100, description="Pixels by which its border is softened.")] = 4


class FoundBox(Schema):
    """Where something was found, in pixels of the image."""

    x_min: Annotated[int, Field(alias="x_min")]
    y_min: Annotated[int, Field(alias="y_min")]
    x_max: Annotated[int, Field(alias="x_max")]
    y_max: Annotated[int, Field(alias="y_max")]


class MaskImage(Result):
    """The mask, white on black; all black where nothing was found."""

    mask_image_uuid: str
    mask_image_url: str | None = None
    mask_image_base64_data: str | None = None
    mask_image_data_uri: str | None = None
    input_image_uuid: str
    detections: list[FoundBox]
    model: Annotated[str, Field(description="What did the work.")]


@task("imageMasking", seconds=120, deterministic=True)
def image_masking(params: ImageMasking, context: Context) -> MaskImage:
    """Mask faces, parts of faces, hands or persons."""
    import numpy
    from PIL import Image

    from server.engines.masking import mask
    from server.pictures import flattened

    model = context.model(params.model, "detector", required=params.model not in _BUILT_IN)
    pixels = numpy.asarray(flattened(context.open(params.input_image)))
    context.progress(0.1, "looking")
    found = mask.surest(_with(model, params, pixels) if model else _built_in(params, pixels), params.max_detections)
    context.progress(0.8, "drawing")
    drawn = mask.paint(found, pixels, params.mask_padding, params.mask_blur)
    boxes = [mask.box_in(detection, pixels) for detection in found]
    return MaskImage(
        **context.save(Image.fromarray(drawn), params, "mask_image"),
        input_image_uuid=context.uuid(params.input_image),
        detections=[FoundBox(x_min=left, y_min=top, x_max=right, y_max=bottom) for left, top, right, bottom in boxes],
        model=model.air if model else _BUILT_IN[params.model],
    )


def _built_in(params: ImageMasking, picture: Array) -> list[Detection]:
    from server.engines.masking import cascades

    find = cascades.eyes if _BUILT_IN[params.model] == _EYES else cascades.faces
    return find(picture, params.confidence)


def _with(model: Model, params: ImageMasking, picture: Array) -> list[Detection]:
    """Raises InvalidParameter where a model of faces is asked for something else."""
    from server.engines.masking import yolo, yunet
    from server.engines.masking.detection import inscribed, rectangle

    sought = _SOUGHT.get(params.model) or tuple(model.options.get("sought", ("faces",)))
    if model.engine != "yunet":
        outline = inscribed if _OF_FACES.issuperset(sought) else rectangle
        return yolo.detections(picture, model.path, model.options, params.confidence, outline)
    if not _OF_FACES.issuperset(sought):
        sentence = f"{model.name} finds faces and their parts, not {' and '.join(sought)}."
        raise InvalidParameter(sentence, parameter="model")
    if "faces" in sought:
        return yunet.faces(picture, model.path, model.options, params.confidence)
    return yunet.parts(picture, model.path, model.options, params.confidence, sought)
