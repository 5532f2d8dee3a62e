"""Draw pictures from words, alone or from a picture, in a part of one, or led by guide images."""

from __future__ import annotations

import secrets
from contextlib import closing
from typing import TYPE_CHECKING

from server.errors import InvalidParameter
from server.task import Annotated, Context, Field, ImageRef, ImageResult, OutputParams, Schema, rule, task

if TYPE_CHECKING:
    from server.engines.diffusion import Canvas, Control, Order
    from server.engines.pytorch import Weights

_BLANK = "__BLANK__"
_LAST_SEED = 9223372036854776000
_EXACT = 2**53
"""Seeds of our own choice are below this, so that every client reads them exactly."""

Side = Annotated[int, Field(ge=128, le=2048, multiple_of=8)]
Prompt = Annotated[str, Field(min_length=2, max_length=3000)]
Air = Annotated[str, Field(min_length=1, max_length=200)]
Step = Annotated[int, Field(ge=0, le=100)]
Percentage = Annotated[float, Field(ge=0, le=100)]
Margin = Annotated[int, Field(ge=0, le=1024, multiple_of=64)]


class Lora(Schema):
    """A LoRA laid over the model."""

    model: Annotated[Air, Field(description="AIR id of a model of kind lora.")]
    weight: Annotated[float | None, Field(ge=-4, le=4, description="How much of it; 1 is what it was made for.")] = 1


class ControlNet(Schema):
    """A network that leads the drawing along a guide image."""

    model: Annotated[Air, Field(description="AIR id of a model of kind controlnet.")]
    guide_image: Annotated[ImageRef, Field(description="It is stretched to the size that is drawn.")]
    weight: Annotated[float | None, Field(ge=0, le=1, description="How strongly it leads.")] = 1
    start_step: Annotated[Step | None, Field(description="The step from which it leads.")] = None
    start_step_percentage: Annotated[Percentage | None, Field(description="The same as a share of the steps.")] = None
    end_step: Annotated[Step | None, Field(description="The step at which it lets go.")] = None
    end_step_percentage: Annotated[Percentage | None, Field(description="The same as a share of the steps.")] = None

    def span(self, steps: int) -> tuple[float, float]:
        """From where to where it leads, as shares of the steps."""
        first = (self.start_step_percentage or 0) / 100 if self.start_step is None else self.start_step / steps
        share = 1 if self.end_step_percentage is None else self.end_step_percentage / 100
        return first, min(1, share if self.end_step is None else self.end_step / steps)


class Outpaint(Schema):
    """How many pixels are added to each side."""

    top: Margin | None = 0
    right: Margin | None = 0
    bottom: Margin | None = 0
    left: Margin | None = 0
    blur: Annotated[int | None, Field(ge=0, le=32, description="Width of the passage to what was there.")] = 0

    @property
    def margins(self) -> tuple[int, int, int, int]:
        """Top, right, bottom, left."""
        return self.top or 0, self.right or 0, self.bottom or 0, self.left or 0


class ImageInference(OutputParams):
    """What to draw, with which model, and from what."""

    positive_prompt: Annotated[Prompt, Field(description=f"What is to be seen; {_BLANK} for nothing particular.")]
    negative_prompt: Annotated[Prompt | None, Field(description="What is not to be seen.")] = None
    model: Annotated[
        str | None, Field(max_length=200, description="AIR id of a checkpoint; without it, the first installed.")
    ] = None
    width: Annotated[
        Side | None, Field(description="A multiple of 8; without it, the seed image's or what the model is made for.")
    ] = None
    height: Annotated[Side | None, Field(description="As the width.")] = None
    steps: Annotated[int, Field(ge=1, le=100, description="Steps from noise to picture.")] = 20
    scheduler: Annotated[
        str | None, Field(max_length=60, description="How the steps go: Default, Euler a, DPM++ 2M Karras, DDIM, …")
    ] = None
    seed: Annotated[
        int | None, Field(ge=1, le=_LAST_SEED, description="The same seed gives the same picture; without it, any.")
    ] = None
    cfg_scale: Annotated[
        float, Field(ge=0, le=50, description="How closely it follows the prompt; up to 1, as the model likes.")
    ] = 7
    clip_skip: Annotated[int, Field(ge=0, le=2, description="Layers of the text encoder that are left out.")] = 0
    number_results: Annotated[int, Field(ge=1, le=20, description="How many, with seeds that follow each other.")] = 1
    seed_image: Annotated[ImageRef | None, Field(description="The picture to start from.")] = None
    input_image: Annotated[ImageRef | None, Field(description="Another name of seedImage.")] = None
    strength: Annotated[
        float, Field(ge=0, le=1, description="With a seed image: how far it may change; so much of the steps is done.")
    ] = 0.8
    mask_image: Annotated[
        ImageRef | None,
        Field(description="White where the seed image is repainted; the rest stays. Stretched to the seed image."),
    ] = None
    outpaint: Annotated[Outpaint | None, Field(description="What the seed image is enlarged by.")] = None
    control_net: Annotated[list[ControlNet] | None, Field(max_length=4)] = None
    lora: Annotated[list[Lora] | None, Field(max_length=8)] = None
    vae: Annotated[str | None, Field(max_length=200, description="Not taken: the model's own is used.")] = None

    @property
    def start(self) -> str | None:
        """The picture to start from."""
        return self.seed_image or self.input_image

    @rule("seedImage")
    def something_to_paint_on(self) -> bool:
        """maskImage and outpaint need a seedImage, which they are about."""
        return bool(self.start) or not (self.mask_image or self.outpaint)

    @rule("outpaint")
    def one_region(self) -> bool:
        """Give either maskImage or outpaint; both say where to paint."""
        return not (self.mask_image and self.outpaint)

    @rule("outpaint")
    def some_margin(self) -> bool:
        """outpaint needs a side of at least 64."""
        return self.outpaint is None or any(self.outpaint.margins)

    @rule("strength")
    def some_step(self) -> bool:
        """strength times steps is less than one step, so nothing would change. Raise one of them."""
        return not self.start or int(self.strength * self.steps) >= 1

    @rule("controlNet")
    def some_span(self) -> bool:
        """A ControlNet must let go after the step from which it leads."""
        return all(first < last for first, last in (net.span(self.steps) for net in self.control_net or ()))

    @rule("vae")
    def own_vae(self) -> bool:
        """This server draws with the VAE of the checkpoint. Leave vae out."""
        return not self.vae


class Drawn(ImageResult):
    """A picture, and what gives it again."""

    seed: int
    model: Annotated[str, Field(description="AIR id of the checkpoint.")]


def _seeded(params: ImageInference) -> bool:
    return params.seed is not None


@task("imageInference", seconds=1800, deterministic=_seeded)
def image_inference(params: ImageInference, context: Context) -> list[Drawn]:
    """Draw pictures from words with a diffusion model that the operator has installed."""
    checkpoint = _weights(context, params.model, "checkpoint")
    from server.engines.diffusion import PACKAGES, draw, known
    from server.engines.pytorch import needed

    needed("inference", *PACKAGES)
    known(params.scheduler)
    order = _order(params, context)
    with closing(draw(checkpoint, order, context.progress)) as pictures:
        return [Drawn(**context.save(picture, params), seed=seed, model=checkpoint.name) for seed, picture in pictures]


def _weights(context: Context, air: str | None, kind: str, parameter: str = "model") -> Weights:
    from server.engines.pytorch import Weights

    model = context.model(air, kind, required=True, parameter=parameter)
    assert model, "what is required is there, or ModelNotFound was raised"
    return Weights(model.air, model.path, model.options)


def _order(params: ImageInference, context: Context) -> Order:
    from server.engines.diffusion import Adapter, Order

    return Order(
        prompt="" if params.positive_prompt == _BLANK else params.positive_prompt,
        negative_prompt="" if params.negative_prompt == _BLANK else params.negative_prompt or "",
        width=params.width,
        height=params.height,
        canvas=_canvas(params, params.start, context) if params.start else None,
        steps=params.steps,
        scheduler=params.scheduler,
        guidance=params.cfg_scale,
        clip_skip=params.clip_skip,
        strength=params.strength,
        seed=params.seed or secrets.randbelow(_EXACT) + 1,
        count=params.number_results,
        controls=[_control(net, place, params.steps, context) for place, net in enumerate(params.control_net or ())],
        adapters=[
            Adapter(_weights(context, lora.model, "lora", f"lora[{place}].model"), _share(lora.weight))
            for place, lora in enumerate(params.lora or ())
        ],
    )


def _canvas(params: ImageInference, start: str, context: Context) -> Canvas:
    """The seed image with what is to be repainted. Raises InvalidParameter for a mask that has nothing white."""
    from server.engines.diffusion import Canvas, extended, repainted

    picture, mask = context.open(start), None
    if params.mask_image:
        mask = repainted(context.open(params.mask_image))
        if mask is None:
            sentence = "The mask has no white pixel, so nothing would be repainted. Paint white what is to change."
            raise InvalidParameter(sentence, parameter="maskImage")
    elif params.outpaint:
        picture, mask = extended(picture, *params.outpaint.margins, params.outpaint.blur or 0)
    return Canvas.of(picture, mask, params.width, params.height)


def _control(net: ControlNet, place: int, steps: int, context: Context) -> Control:
    from server.engines.diffusion import Control

    weights = _weights(context, net.model, "controlnet", f"controlNet[{place}].model")
    return Control(weights, context.open(net.guide_image), _share(net.weight), *net.span(steps))


def _share(weight: float | None) -> float:
    """A weight; some clients send null for one they do not set."""
    return 1.0 if weight is None else float(weight)
