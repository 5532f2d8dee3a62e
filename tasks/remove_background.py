"""Cut the subject of an image out of its background."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.task import Annotated, AnyFormat, Context, Field, ImageRef, ImageResult, Model, OutputParams, rule, task

if TYPE_CHECKING:
    from PIL.Image import Image

    from server.engines.cutout import Cutout, Edges
    from server.engines.vision import Array, Progress

_Level = Annotated[int, Field(ge=1, le=255)]
_TRANSPARENT = ("PNG", "WEBP", "TIFF")


class RemoveBackground(OutputParams):
    """Whose background to remove, and what comes in its place."""

    input_image: ImageRef
    model: Annotated[
        Annotated[str, Field(max_length=200)] | int | None,
        Field(description="AIR id of the model; without it, or where it is not installed, the built-in engine works."),
    ] = None
    output_format: Annotated[  # pyright: ignore[reportIncompatibleVariableOverride]: nobody writes to it
        AnyFormat, Field(description="File type. In a JPG, BMP or GIF what is transparent is white.")
    ] = "PNG"
    rgba: Annotated[
        list[Annotated[float | int, Field(ge=0, le=255)]] | None,
        Field(
            min_length=4,
            max_length=4,
            description="What comes behind the subject: red, green, blue and alpha, 0 to 255."
            " An alpha with a decimal point, up to 1.0, is a share.",
        ),
    ] = None
    crop: Annotated[bool, Field(description="Cut the result down to the subject.")] = False
    max_megapixels: Annotated[
        float | int | None, Field(gt=0, description="A larger result is made smaller, to so many millions of pixels.")
    ] = None
    despill: Annotated[
        bool,
        Field(description="Take the green of a screen out of the subject's edge, in file types with transparency."),
    ] = False
    post_process_mask: Annotated[bool, Field(description="Round the edge of the mask off and drop crumbs.")] = False
    return_only_mask: Annotated[
        bool, Field(description="Return the mask itself, white where the subject is, instead of the cut-out.")
    ] = False
    alpha_matting: Annotated[
        bool, Field(description="Solve the edge more finely, for hair and fur; needs the extra `matting`.")
    ] = False
    alpha_matting_foreground_threshold: Annotated[
        _Level, Field(description="Where the mask is above this, the subject is certain.")
    ] = 240
    alpha_matting_background_threshold: Annotated[
        _Level, Field(description="Where the mask is below this, the background is certain.")
    ] = 10
    alpha_matting_erode_size: Annotated[
        _Level, Field(description="Pixels by which what is certain is narrowed before the edge is solved.")
    ] = 10

    @rule("alphaMattingBackgroundThreshold")
    def _apart(self) -> bool:
        """alphaMattingBackgroundThreshold must be below alphaMattingForegroundThreshold."""
        apart = self.alpha_matting_background_threshold < self.alpha_matting_foreground_threshold
        return apart or not self.alpha_matting


class BackgroundRemoved(ImageResult):
    """The subject without its background, or its mask."""

    input_image_uuid: str
    model: Annotated[str, Field(description="What did the work.")]
    confidence: Annotated[float, Field(description="How sure the engine is of the subject, 0 to 1.")]
    notice: Annotated[str | None, Field(description="What may be wrong with the result, if anything.")] = None


@task("removeBackground", aliases=("imageBackgroundRemoval",), seconds=300, deterministic=True)
def remove_background(params: RemoveBackground, context: Context) -> BackgroundRemoved:
    """Cut the subject of an image out of its background."""
    import numpy

    from server.pictures import flattened

    model = context.model(params.model, "matting")
    picture = context.open(params.input_image)
    cutout = _cut(model, numpy.asarray(flattened(picture)), _edges(params), context.progress)
    shown = _shown(cutout, picture, params)
    context.progress(0.9, "encoding")
    return BackgroundRemoved(
        **context.save(shown, params),
        input_image_uuid=context.uuid(params.input_image),
        model=cutout.engine,
        confidence=cutout.confidence,
        notice=cutout.notice or None,
    )


def _edges(params: RemoveBackground) -> Edges:
    from server.engines.cutout import Edges, Trimap

    trimap = Trimap(
        params.alpha_matting_foreground_threshold,
        params.alpha_matting_background_threshold,
        params.alpha_matting_erode_size,
    )
    return Edges(smooth=params.post_process_mask, matting=trimap if params.alpha_matting else None)


def _cut(model: Model | None, picture: Array, edges: Edges, progress: Progress) -> Cutout:
    from server.engines.cutout import cut, finish

    if model is None:
        return cut(picture, progress, edges)
    if model.engine == "rembg":
        from server.engines.cutout.rembg import find_with
    else:
        from server.engines.cutout.network import find_with
    return finish(picture, find_with(model.air, model.path, model.options, picture, progress), progress, edges)


def _shown(cutout: Cutout, picture: Image, params: RemoveBackground) -> Image:
    """The result as params ask for it."""
    from server.engines.cutout.framing import cropped, within

    subject = _subject(cutout, picture)
    if params.crop:
        subject = cropped(subject)
    if params.max_megapixels:
        subject = within(subject, params.max_megapixels)
    if params.return_only_mask:
        return subject.getchannel("A")
    if params.despill and params.output_format in _TRANSPARENT:
        subject = _without_spill(subject)
    if params.rgba is None:
        return subject
    backdrop = _backdrop(params.rgba, subject.size)
    backdrop.alpha_composite(subject)
    return backdrop


def _subject(cutout: Cutout, picture: Image) -> Image:
    """The subject as RGBA; what was transparent in the picture stays so."""
    import numpy
    from PIL import Image

    alpha, colours = cutout.alpha, cutout.colours
    if picture.mode == "RGBA":
        given = numpy.asarray(picture)
        colours = numpy.where((alpha == 255)[..., None], given[..., :3], colours)
        alpha = (alpha.astype(numpy.uint16) * given[..., 3] + 127) // 255
        colours = colours * (alpha > 0)[..., None]
        alpha = alpha.astype(numpy.uint8)
    return Image.fromarray(numpy.dstack([colours, alpha]))


def _without_spill(subject: Image) -> Image:
    import numpy
    from PIL import Image

    from server.engines.cutout.despill import despilled

    pixels = numpy.asarray(subject)
    return Image.fromarray(numpy.dstack([despilled(pixels[..., :3], pixels[..., 3]), pixels[..., 3]]))


def _backdrop(rgba: list[int | float], size: tuple[int, int]) -> Image:
    from PIL import Image

    *colour, alpha = rgba
    if isinstance(alpha, float) and alpha <= 1:
        alpha *= 255
    return Image.new("RGBA", size, tuple(round(level) for level in (*colour, alpha)))
