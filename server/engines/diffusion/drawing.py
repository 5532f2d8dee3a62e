"""Drawing: a pipeline made of a checkpoint for what is asked, run once for each picture."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from server.engines.diffusion.adapters import Adapter, adapted, skipping
from server.engines.diffusion.canvas import Canvas
from server.engines.diffusion.loading import checkpoint, controlnet
from server.engines.diffusion.schedulers import scheduler
from server.engines.pytorch import Weights, library
from server.engines.vision import Progress, silent
from server.errors import InvalidParameter

LAST_SEED = 9223372036854776000
_NATIVE = 64
"""Side of a latent where a checkpoint does not say what it was trained on."""


@dataclass(frozen=True)
class Control:
    """A ControlNet and what leads it: its share, and from where to where in the steps (0 to 1) it works."""

    weights: Weights
    guide: Image.Image
    share: float = 1.0
    first: float = 0.0
    last: float = 1.0


@dataclass(frozen=True)
class Order:
    """What is to be drawn, and how. `canvas` None is a fresh picture of `width` × `height`, or the model's own size."""

    prompt: str
    negative_prompt: str = ""
    width: int | None = None
    height: int | None = None
    canvas: Canvas | None = None
    steps: int = 20
    scheduler: str | None = None
    guidance: float = 7.0
    clip_skip: int = 0
    strength: float = 0.8
    seed: int = 1
    count: int = 1
    controls: Sequence[Control] = ()
    adapters: Sequence[Adapter] = ()


def draw(weights: Weights, order: Order, progress: Progress = silent) -> Generator[tuple[int, Image.Image]]:
    """The pictures of an order as they are done, each with its seed, which alone gives it again. Close it at the end.

    Raises ModelNotFound for weights that cannot be loaded, InvalidParameter for what does not go together. What
    `progress` raises ends the work at once; the checkpoint stays as it was.
    """
    progress(0, "loading the model")
    base = checkpoint(weights)
    canvas = order.canvas or Canvas((order.width or _side(base), order.height or _side(base)))
    pipe = _pipeline(base, order, canvas)
    given = _fitting(pipe, _words(order) | _pictures(pipe, order, canvas))
    with adapted(pipe, order.adapters), skipping(pipe, order.clip_skip):
        for index in range(order.count):
            seed = (order.seed + index - 1) % LAST_SEED + 1
            generator = library("torch").Generator("cpu").manual_seed(seed)  # the same noise on every device
            told = _telling(progress, index, order.count)
            drawn = pipe(**given, generator=generator, callback_on_step_end=told).images[0]
            yield seed, canvas.finished(drawn)


def _side(pipe: Any) -> int:
    side = getattr(pipe, "default_sample_size", None) or pipe.unet.config.sample_size
    return (side if isinstance(side, int) else _NATIVE) * pipe.vae_scale_factor


def _pipeline(base: Any, order: Order, canvas: Canvas) -> Any:
    """A pipeline over the networks of another, of the class for this canvas. Raises InvalidParameter."""
    diffusers = library("diffusers")
    task = "Inpainting" if canvas.mask else "Image2Image" if canvas.start else "Text2Image"
    nets = [controlnet(control.weights) for control in order.controls]
    more = {"controlnet": nets if len(nets) > 1 else nets[0]} if nets else {}
    try:
        pipe = getattr(diffusers, f"AutoPipelineFor{task}").from_pipe(base, **more)
    except ValueError as unknown:
        what = "ControlNets" if nets else "seedImage" if canvas.start else "positivePrompt alone"
        sentence = f"Models of the kind {type(base).__name__} do not work with {what} here. Use another model."
        raise InvalidParameter(sentence, parameter="model") from unknown
    pipe.scheduler = scheduler(order.scheduler, base.scheduler)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _words(order: Order) -> dict[str, Any]:
    return {
        "prompt": order.prompt,
        "negative_prompt": order.negative_prompt,
        "num_inference_steps": order.steps,
        "guidance_scale": order.guidance,
        "clip_skip": order.clip_skip or None,
        "strength": order.strength,
    }


def _pictures(pipe: Any, order: Order, canvas: Canvas) -> dict[str, Any]:
    width, height = canvas.working
    found: dict[str, Any] = {"width": width, "height": height, **canvas.given()}
    if order.controls:
        guides = [control.guide.convert("RGB").resize(canvas.working) for control in order.controls]
        name = "control_image" if "control_image" in _parameters(pipe) else "image"
        found[name] = _one_or_all(guides)
        found["controlnet_conditioning_scale"] = _one_or_all([control.share for control in order.controls])
        found["control_guidance_start"] = [control.first for control in order.controls]
        found["control_guidance_end"] = [control.last for control in order.controls]
    return found


def _one_or_all(values: list[Any]) -> Any:
    """How pipelines take what belongs to ControlNets: alone for one, as a list for several."""
    return values if len(values) > 1 else values[0]


def _parameters(pipe: Any) -> Any:
    return inspect.signature(pipe.__call__).parameters


def _fitting(pipe: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Without what this kind of pipeline does not know, such as a negative prompt or clipSkip."""
    return {name: value for name, value in given.items() if name in _parameters(pipe)}


def _telling(progress: Progress, index: int, count: int) -> Callable[[Any, int, Any, dict[str, Any]], dict[str, Any]]:
    """What a pipeline calls after each step. How many there are only it knows, since strength leaves some out."""

    def told(pipe: Any, step: int, _: Any, state: dict[str, Any]) -> dict[str, Any]:
        done, total = index * pipe.num_timesteps + step + 1, count * pipe.num_timesteps
        progress(done / total, f"step {done} of {total}")
        return state

    return told
