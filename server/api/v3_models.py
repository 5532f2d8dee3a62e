"""The models of the predictions API and the tasks that do their work: names, inputs, and how inputs are translated.

Besides these, every task type of the catalogue is a model of its own, `taskarray/‹taskType›`, with its own inputs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from server.errors import ApiError, InvalidParameter, ModelNotFound

OWN = "taskarray/"
Inputs = dict[str, Any]

_IMAGE: Inputs = {"type": "string", "description": "An image: its URL, a data URI, base64, or its UUID."}
_FORMAT: Inputs = {"type": "string", "enum": ["jpeg", "png", "webp"], "default": "jpeg", "description": "File type."}
_SIDE: Inputs = {"type": "integer", "minimum": 256, "maximum": 1536, "description": "Instead of size."}
_SCALE: Inputs = {
    "type": "number",
    "minimum": 0,
    "maximum": 10,
    "default": 4,
    "description": "How many times larger. Less than 2 is taken as 2, more than 4 as 4, and parts are rounded.",
}
_MEGAPIXELS = {"2k": 4, "4k": 8, "8k": 33}
_SEED_OF_ZERO = 2**31
"""Our seeds begin at 1; this one is beyond those that clients of this API can send."""


@dataclass(frozen=True)
class Model:
    """A model: the task that does its work, its inputs as JSON Schema in the order of a form, and their translation."""

    name: str
    kind: str
    task_type: str
    description: str
    properties: Inputs
    required: tuple[str, ...]
    names: dict[str, str]
    """What our parameters are called here."""
    level: Callable[[Inputs], Inputs]
    """Inputs that are no nulls as parameters of the task."""
    defaults: Inputs = field(default_factory=Inputs)
    """Parameters whose default here is another than the task's."""

    def fields(self, inputs: Inputs) -> Inputs:
        """Inputs as parameters of the task. Raises InvalidParameter."""
        given = {name: value for name, value in inputs.items() if value is not None}
        renamed = {ours: given[theirs] for ours, theirs in self.names.items() if theirs in given}
        return self.defaults | renamed | self.level(given)


def unknown(model: object) -> ApiError:
    """The refusal of a model that is not here."""
    return ModelNotFound(f"There is no model {str(model)[:200]} here. GET /api/v3/models lists those there are.")


def _nothing(given: Inputs) -> Inputs:
    return {}


def _upscaler(given: Inputs) -> Inputs:
    wanted = given.get("target_resolution", "4k")
    allowed = list(_MEGAPIXELS)
    if wanted not in allowed:
        raise InvalidParameter(
            f"target_resolution is {', '.join(allowed)}.", parameter="target_resolution", allowedValues=allowed
        )
    return {"targetMegapixels": _MEGAPIXELS[wanted]}


def _esrgan(given: Inputs) -> Inputs:
    factor = given.get("guidance_scale", given.get("scale", _SCALE["default"]))
    return {"upscaleFactor": round(min(4, max(2, _number(factor, "guidance_scale"))))}


def _flux(given: Inputs) -> Inputs:
    found = _sides(given)
    seed = given.get("seed", -1)
    if seed in (-1, 0):
        found["seed"] = _SEED_OF_ZERO if seed == 0 else None
    if "loras" in given:
        found["lora"] = _loras(given["loras"])
    return found


def _sides(given: Inputs) -> Inputs:
    """Width and height; none for a picture that has them already."""
    named = {side: _whole_eights(_number(given[side], side)) for side in ("width", "height") if side in given}
    if named:
        return dict(named)
    if "size" not in given:
        return {} if "image" in given else {"width": 1024, "height": 1024}
    sides = re.fullmatch(r"(\d{2,5})\s*[*x]\s*(\d{2,5})", str(given["size"]))
    if not sides:
        raise InvalidParameter("size is written 1024*768.", parameter="size", type="string")
    return {"width": _whole_eights(int(sides[1])), "height": _whole_eights(int(sides[2]))}


def _loras(value: object) -> list[Inputs]:
    if not isinstance(value, list) or not all(isinstance(lora, dict) for lora in value):
        raise InvalidParameter("loras is a list of objects with path and scale.", parameter="loras", type="array")
    return [{"model": lora.get("path"), "weight": lora.get("scale", 1)} for lora in value]


def _whole_eights(side: float) -> int:
    """Sides are multiples of eight."""
    return round(min(max(side, 8), 2**20) / 8) * 8


def _number(value: object, parameter: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidParameter(f"{parameter} is a number.", parameter=parameter, type="number")
    return value


_REAL_ESRGAN = Model(
    name="Real-ESRGAN",
    kind="image-to-image",
    task_type="upscale",
    description="Enlarge an image two to four times.",
    properties={
        "image": _IMAGE,
        "guidance_scale": _SCALE,
        "scale": _SCALE | {"description": "The same as guidance_scale, which comes first."},
        "output_format": _FORMAT | {"default": "png"},
    },
    required=("image",),
    names={"inputImage": "image", "upscaleFactor": "guidance_scale", "outputFormat": "output_format"},
    level=_esrgan,
    defaults={"outputFormat": "PNG"},
)

MODELS: dict[str, Model] = {
    "wavespeed-ai/image-background-remover": Model(
        name="Image Background Remover",
        kind="image-to-image",
        task_type="removeBackground",
        description="Cut the subject of an image out of its background. The result is a PNG.",
        properties={"image": _IMAGE},
        required=("image",),
        names={"inputImage": "image"},
        level=_nothing,
    ),
    "wavespeed-ai/image-upscaler": Model(
        name="Image Upscaler",
        kind="image-to-image",
        task_type="upscale",
        description="Enlarge an image two to four times, towards a resolution.",
        properties={
            "image": _IMAGE,
            "target_resolution": {
                "type": "string",
                "enum": list(_MEGAPIXELS),
                "default": "4k",
                "description": "4, 8 or 33 megapixels. No image becomes more than four times as large or 4096 pixels"
                " a side.",
            },
            "output_format": _FORMAT,
        },
        required=("image",),
        names={"inputImage": "image", "targetMegapixels": "target_resolution", "outputFormat": "output_format"},
        level=_upscaler,
    ),
    "wavespeed-ai/real-esrgan": _REAL_ESRGAN,
    "nightmareai/real-esrgan": _REAL_ESRGAN,
    "wavespeed-ai/flux-dev": Model(
        name="Flux Dev",
        kind="text-to-image",
        task_type="imageInference",
        description="Draw pictures from words with the diffusion model that is installed here.",
        properties={
            "prompt": {"type": "string", "description": "What is to be seen."},
            "image": _IMAGE | {"description": "The picture to start from."},
            "mask_image": _IMAGE | {"description": "White where the picture is repainted."},
            "strength": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.8},
            "size": {"type": "string", "default": "1024*1024", "description": "Width*height, taken in eights."},
            "width": _SIDE,
            "height": _SIDE,
            "num_inference_steps": {"type": "integer", "minimum": 1, "maximum": 50, "default": 28},
            "guidance_scale": {"type": "number", "minimum": 1, "maximum": 20, "default": 3.5},
            "num_images": {"type": "integer", "minimum": 1, "maximum": 4, "default": 1},
            "seed": {"type": "integer", "minimum": -1, "maximum": 2147483647, "default": -1, "description": "-1: any."},
            "output_format": _FORMAT,
            "loras": {"type": "array", "items": {"type": "object"}, "description": "Objects with path and scale."},
        },
        required=("prompt",),
        names={
            "positivePrompt": "prompt", "seedImage": "image", "maskImage": "mask_image", "strength": "strength",
            "width": "width", "height": "height", "steps": "num_inference_steps", "CFGScale": "guidance_scale",
            "numberResults": "num_images", "seed": "seed", "outputFormat": "output_format", "lora": "loras",
        },
        level=_flux,
        defaults={"steps": 28, "CFGScale": 3.5},
    ),
}  # fmt: skip
"""By the id that clients send."""
