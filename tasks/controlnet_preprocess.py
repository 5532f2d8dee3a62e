"""Make the guide image that a ControlNet takes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, get_args

from pydantic import BeforeValidator

from server.errors import InvalidParameter
from server.task import Annotated, Context, Field, ImageRef, Model, OutputParams, Result, rule, task

if TYPE_CHECKING:
    from collections.abc import Callable

    from server.engines.vision import Array

Kind = Literal[
    "canny", "depth", "lineart", "lineart_anime", "mlsd", "normalbae", "openpose", "scribble", "seg", "shuffle",
    "softedge", "tile", "openpose_face", "openpose_faceonly", "openpose_full", "openpose_hand", "inpaint",
]  # fmt: skip
_FINER = {
    "depth": ("depth_leres", "depth_midas", "depth_zoe"),
    "lineart": ("lineart_coarse", "lineart_realistic", "lineart_standard"),
    "normalbae": ("normal_bae",),
    "scribble": ("scribble_hed", "scribble_pidinet"),
    "seg": ("seg_ofade20k", "seg_ofcoco", "seg_ufade20k"),
    "softedge": ("softedge_hed", "softedge_hedsafe", "softedge_pidinet", "softedge_pidisafe"),
    "tile": ("tile_gaussian",),
    "inpaint": ("inpaint_global_harmonious",),
}
_GROUP = {finer: kind for kind, names in _FINER.items() for finer in names}
"""Some clients name the method; the kind of map is what counts here."""
_BUILT_IN = ("canny", "inpaint", "lineart", "lineart_anime", "mlsd", "scribble", "shuffle", "softedge", "tile")
_MODEL_KINDS = {"depth": "depth", "normalbae": "normals", "openpose": "pose", "seg": "segmentation"}
_NAMED_BY_MODEL = re.compile(r"(?:runware:controlnet-preprocess@|taskarray:)([a-z_-]+)(?:@1)?", re.IGNORECASE)


def _kind(value: object) -> object:
    """A name in any case, with - or _, as the kind of map that it means."""
    if not isinstance(value, str):
        return value
    name = value.lower().replace("-", "_")
    return _GROUP.get(name, name)


class ControlNetPreprocess(OutputParams):
    """What to make a guide of, and which."""

    input_image: ImageRef
    pre_processor_type: Annotated[
        Kind | None,
        BeforeValidator(_kind),
        Field(description="The kind of guide. `inpaint` is the image as it is. The finer names of clients are taken."),
    ] = None
    model: Annotated[
        str | None,
        Field(
            max_length=200,
            description="`runware:controlnet-preprocess@canny` and the like in place of preProcessorType; or the AIR id"
            " of the model for depth, normalbae, openpose or seg.",
        ),
    ] = None
    width: Annotated[int | None, Field(ge=1, description="At most so wide. One side alone keeps the shape.")] = None
    height: Annotated[int | None, Field(ge=1, description="At most so high. One side alone keeps the shape.")] = None
    low_threshold_canny: Annotated[
        int, Field(ge=0, le=255, description="canny: a gradient from which an edge goes on.")
    ] = 100
    high_threshold_canny: Annotated[
        int, Field(ge=0, le=255, description="canny: a gradient from which there is an edge.")
    ] = 200
    include_hands_and_face_open_pose: Annotated[
        bool, Field(description="openpose: hands and faces too, where the model gives them.")
    ] = False

    @property
    def kind(self) -> str:
        """The kind of guide: what the model names, else the type."""
        named = self.named_by_model
        return _GROUP.get(named, named) or self.pre_processor_type or ""

    @property
    def named_by_model(self) -> str:
        """The kind that `model` names; empty where it names weights or nothing."""
        found = _NAMED_BY_MODEL.fullmatch(self.model or "")
        return found[1].lower().replace("-", "_") if found else ""

    @property
    def model_kind(self) -> str | None:
        """The kind of model that the guide needs; None for what is built in."""
        return _MODEL_KINDS.get(self.kind.partition("_")[0])

    @rule("preProcessorType")
    def _names_one(self) -> bool:
        """Say what to make: preProcessorType, such as canny, or model, such as runware:controlnet-preprocess@canny."""
        return bool(self.kind)

    @rule("model")
    def _is_known(self) -> bool:
        """There is no such preprocessor. The names are those of preProcessorType."""
        return not self.kind or self.kind in get_args(Kind)

    @rule("model")
    def _agrees(self) -> bool:
        """The model names another preprocessor than preProcessorType. Leave one of them out."""
        return not (self.named_by_model and self.pre_processor_type) or self.kind == self.pre_processor_type

    @rule("model")
    def _fits(self) -> bool:
        """This preprocessor is built in and takes no model; depth, normalbae, openpose and seg do."""
        return not self.model or bool(self.named_by_model) or self.kind not in _BUILT_IN

    @rule("lowThresholdCanny")
    def _thresholds_are_in_order(self) -> bool:
        """lowThresholdCanny must be less than highThresholdCanny."""
        return self.low_threshold_canny < self.high_threshold_canny

    def size(self, width: int, height: int) -> tuple[int, int]:
        """The size of the guide of such an image: never larger, and of its shape unless both sides are said."""
        if self.width and self.height:
            return min(self.width, width), min(self.height, height)
        share = min(1.0, (self.width or width) / width, (self.height or height) / height)
        return max(1, round(width * share)), max(1, round(height * share))


class GuideImage(Result):
    """The guide image."""

    guide_image_uuid: str
    guide_image_url: str | None = None
    guide_image_base64_data: str | None = None
    guide_image_data_uri: str | None = None
    input_image_uuid: str
    model: Annotated[str, Field(description="What did the work.")]


@task("controlNetPreprocess", aliases=("imageControlNetPreProcess",), seconds=300, deterministic=True)
def controlnet_preprocess(params: ControlNetPreprocess, context: Context) -> GuideImage:
    """Make the guide image for a ControlNet: edges, lines, depth, poses and more."""
    import numpy
    from PIL import Image

    from server.pictures import flattened

    model = None
    if params.model_kind:
        weights = None if params.named_by_model else params.model
        model = context.model(weights, params.model_kind, required=True)
    picture = flattened(context.open(params.input_image))
    if (size := params.size(*picture.size)) != picture.size:
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    context.progress(0.2, "drawing")
    pixels = numpy.asarray(picture)
    guide = _with(model, params, pixels) if model else _built_in(params)(pixels)
    context.progress(0.8, "encoding")
    saved = context.save(Image.fromarray(guide).convert("RGB"), params, "guide_image")
    name = model.air if model else f"taskarray:{params.kind}@1"
    return GuideImage(**saved, input_image_uuid=context.uuid(params.input_image), model=name)


def _built_in(params: ControlNetPreprocess) -> Callable[[Array], Array]:
    from server.engines.maps import content, edges, lines

    drawn: dict[str, Callable[[Array], Array]] = {
        "canny": lambda picture: edges.canny(picture, params.low_threshold_canny, params.high_threshold_canny),
        "inpaint": lambda picture: picture,
        "lineart": lines.lineart,
        "lineart_anime": lines.lineart_anime,
        "mlsd": lines.mlsd,
        "scribble": edges.scribble,
        "shuffle": content.shuffle,
        "softedge": edges.softedge,
        "tile": content.tile,
    }
    return drawn[params.kind]


def _with(model: Model, params: ControlNetPreprocess, picture: Array) -> Array:
    from server.engines.maps import scene

    if model.kind == "pose":
        return _pose(model, params, picture)
    draw = {"depth": scene.depth, "normals": scene.normals, "segmentation": scene.segmentation}[model.kind]
    return draw(picture, model.path, model.options)


def _pose(model: Model, params: ControlNetPreprocess, picture: Array) -> Array:
    """Raises InvalidParameter where hands or faces are asked of a model that has none."""
    from server.engines.maps import pose, skeleton

    everything = params.include_hands_and_face_open_pose or params.kind == "openpose_full"
    hands = everything or params.kind == "openpose_hand"
    face = everything or params.kind in ("openpose_face", "openpose_faceonly")
    found = (pose.people if model.engine == "yolo" else pose.person)(picture, model.path, model.options)
    if (hands or face) and not skeleton.has_hands_and_face(found):
        asked = "includeHandsAndFaceOpenPose" if params.include_hands_and_face_open_pose else "preProcessorType"
        sentence = (
            f"{model.air} gives bodies only. Ask for openpose without hands and faces, or install a whole-body model."
        )
        raise InvalidParameter(sentence, parameter=asked)
    return skeleton.skeletons(found, picture, body=params.kind != "openpose_faceonly", hands=hands, face=face)
