"""controlNetPreprocess."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy
import pytest
from skimage import data

from server.engines.maps import content, edges, lines
from tasks.controlnet_preprocess import controlnet_preprocess
from tests.engines.maps.networks import constant, mixed
from tests.tasks.desk import Desk

ASTRONAUT = data.astronaut()[:200, 100:400]
TABLE = """
[[model]]
air = "test:depth@1"
name = "Depth"
kind = "depth"
file = "depth.onnx"
engine = "onnx"
options = { size = 64, mean = 0, std = 1 }

[[model]]
air = "test:normals@1"
name = "Normals"
kind = "normals"
file = "own-normals.onnx"
engine = "onnx"

[[model]]
air = "test:seg@1"
name = "Classes"
kind = "segmentation"
file = "seg.onnx"
engine = "onnx"
options = { palette = [[9, 9, 9], [180, 120, 120], [6, 230, 230]] }

[[model]]
air = "test:heat@1"
name = "Heat maps"
kind = "pose"
file = "heat.onnx"
engine = "onnx"

[[model]]
air = "test:yolo@1"
name = "YOLO"
kind = "pose"
file = "yolo.onnx"
engine = "yolo"
"""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def equipped(tmp_path: Path) -> Desk:
    """A server with a tiny network of every kind."""
    desk = Desk(tmp_path, table=TABLE)
    folder = tmp_path / "models"
    mixed(folder / "depth.onnx", [[1, 0, 0]])
    mixed(folder / "own-normals.onnx", numpy.eye(3).tolist())
    mixed(folder / "seg.onnx", numpy.eye(3).tolist())
    heat = numpy.zeros((1, 133, 64, 64))
    heat[:, :, 32, 10:50] = numpy.linspace(0.5, 1, 40)
    constant(folder / "heat.onnx", heat=heat)
    candidate = [32, 32, 40, 40, 0.9, *[20, 20, 1] * 8, *[40, 44, 1] * 9]
    constant(folder / "yolo.onnx", points=numpy.array([candidate]).T[None])
    return desk


def _run(desk: Desk, **fields):
    return desk.run(controlnet_preprocess, inputImage=desk.keep(ASTRONAUT), outputFormat="PNG", **fields)


@pytest.mark.parametrize(
    ("kind", "draw"),
    {
        "canny": edges.canny, "lineart": lines.lineart, "lineart_anime": lines.lineart_anime, "mlsd": lines.mlsd,
        "scribble": edges.scribble, "shuffle": content.shuffle, "softedge": edges.softedge, "tile": content.tile,
    }.items(),
)  # fmt: skip
def test_guides_without_weights(desk: Desk, kind: str, draw):
    """Each kind of guide that needs no weights comes in colour at the size of the image, and says what made it."""
    done = _run(desk, preProcessorType=kind)
    map_ = draw(ASTRONAUT)
    assert (done.pixels == (map_ if map_.ndim == 3 else map_[..., None])).all()
    assert done.pixels.shape == ASTRONAUT.shape
    assert done.item["model"] == f"taskarray:{kind}@1"


def test_the_answer(desk: Desk):
    """The answer names the guide and the input, and no image beside them."""
    image = desk.keep(ASTRONAUT)
    done = desk.run(controlnet_preprocess, inputImage=image, preProcessorType="canny")
    assert set(done.item) == {"guideImageUUID", "guideImageURL", "inputImageUUID", "model"}
    assert done.item["inputImageUUID"] == image
    assert done.item["guideImageUUID"] == done.images[0]["uuid"]
    assert done.images[0]["format"] == "JPG"
    assert controlnet_preprocess.uuid_member == "guideImageUUID"
    assert controlnet_preprocess.aliases == ("imageControlNetPreProcess",)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("CANNY", "canny"), ("lineart-anime", "lineart_anime"), ("Lineart_Realistic", "lineart"),
        ("scribble_hed", "scribble"), ("softedge_pidisafe", "softedge"), ("tile_gaussian", "tile"),
        ("inpaint_global_harmonious", "inpaint"),
    ],
)  # fmt: skip
def test_other_spellings(desk: Desk, name: str, kind: str):
    """The finer names of clients, in any case, with - or _, mean the kind that they belong to."""
    assert _run(desk, preProcessorType=name).item["model"] == f"taskarray:{kind}@1"


@pytest.mark.parametrize("name", ["depth_zoe", "Depth", "normal_bae", "seg_ofcoco", "openpose_full", "openpose-hand"])
def test_kinds_that_need_weights(desk: Desk, name: str):
    """Without weights, depth, normals, poses and classes are refused as a model that is not installed."""
    done = _run(desk, preProcessorType=name)
    assert done.failure["code"] == "modelNotFound"
    assert "models list" in done.failure["message"]


def test_inpaint_is_the_image_itself(desk: Desk):
    """The guide of an inpaint ControlNet is the image as it is."""
    assert (_run(desk, preProcessorType="inpaint").pixels == ASTRONAUT).all()


@pytest.mark.parametrize(
    "kind", ["canny", "lineart", "lineart-anime", "mlsd", "scribble", "shuffle", "softedge", "tile"]
)
def test_the_model_can_name_the_kind(desk: Desk, kind: str):
    """In the new form of the task the model names the kind of guide; the name that answers tell may be asked for."""
    made = _run(desk, model=f"runware:controlnet-preprocess@{kind}")
    assert made.item["model"] == f"taskarray:{kind.replace('-', '_')}@1"
    assert (_run(desk, model=made.item["model"]).pixels == made.pixels).all()


def test_thresholds_of_canny(desk: Desk):
    """canny takes its two thresholds; the lower one must be the lower one."""
    done = _run(desk, preProcessorType="canny", lowThresholdCanny=20, highThresholdCanny=50)
    assert (done.pixels[..., 0] == cv2.Canny(ASTRONAUT, 20, 50)).all()
    for low, high in ((200, 100), (150, 150)):
        failure = _run(desk, preProcessorType="canny", lowThresholdCanny=low, highThresholdCanny=high).failure
        assert (failure["code"], failure["parameter"]) == ("invalidLowThresholdCanny", "lowThresholdCanny")
    assert _run(desk, preProcessorType="canny", highThresholdCanny=256).failure["code"] == "invalidHighThresholdCanny"


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ({}, (300, 200)), ({"width": 150}, (150, 100)), ({"height": 50}, (75, 50)), ({"width": 900}, (300, 200)),
        ({"height": 900}, (300, 200)), ({"width": 90, "height": 80}, (90, 80)), ({"width": 1}, (1, 1)),
        ({"width": 900, "height": 80}, (300, 80)),
    ],
)  # fmt: skip
def test_guides_are_only_made_smaller(desk: Desk, asked: dict, size: tuple[int, int]):
    """A guide is never larger than its image; one side alone keeps the shape, both are taken as they are."""
    assert _run(desk, preProcessorType="softedge", **asked).pixels.shape[1::-1] == size


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "invalidPreProcessorType"),
        ({"preProcessorType": "cubism"}, "invalidPreProcessorType"),
        ({"model": "runware:controlnet-preprocess@cubism"}, "invalidModel"),
        ({"model": "runware:controlnet-preprocess@tile", "preProcessorType": "canny"}, "invalidModel"),
        ({"model": "test:depth@1", "preProcessorType": "canny"}, "invalidModel"),
        ({"model": "test:depth@1"}, "invalidPreProcessorType"),
        ({"model": "test:depth@1", "preProcessorType": "openpose"}, "invalidModel"),
        ({"model": "test:nothing@1", "preProcessorType": "depth"}, "modelNotFound"),
        ({"preProcessorType": "canny", "width": 0}, "invalidWidth"),
    ],
)
def test_refusals(equipped: Desk, fields: dict, code: str):
    """No kind, an unknown one, two that differ, or a model that does not fit the kind, is refused."""
    assert _run(equipped, **fields).failure["code"] == code


@pytest.mark.parametrize("kind", ["depth", "normalbae", "seg", "openpose"])
def test_guides_with_weights(equipped: Desk, kind: str):
    """With weights installed each kind is made by them, whether they are named or not."""
    made = _run(equipped, preProcessorType=kind)
    assert made.item["model"].startswith("test:")
    assert made.pixels.shape == ASTRONAUT.shape
    for fields in (
        {"preProcessorType": kind, "model": made.item["model"]},
        {"model": f"runware:controlnet-preprocess@{kind}"},
    ):
        assert (_run(equipped, **fields).pixels == made.pixels).all()


def test_options_reach_the_network(equipped: Desk):
    """What the table of models says of a network is heeded: here, the colours of its classes."""
    colours = numpy.unique(_run(equipped, preProcessorType="seg").pixels.reshape(-1, 3), axis=0).tolist()
    assert set(map(tuple, colours)) <= {(9, 9, 9), (180, 120, 120), (6, 230, 230)}
    assert len(colours) > 1


def test_hands_and_faces(equipped: Desk):
    """Hands and faces are drawn by a model that has them, and refused with one that has not."""
    body, full, face = (
        _run(equipped, preProcessorType=kind, model="test:heat@1").pixels
        for kind in ("openpose", "openpose_full", "openpose_faceonly")
    )
    flagged = _run(equipped, model="test:heat@1", preProcessorType="openpose", includeHandsAndFaceOpenPose=True)
    assert (flagged.pixels == full).all()
    assert body.any()
    assert face.any()
    assert not (body == full).all()
    assert not (face == full).all()
    assert _run(equipped, preProcessorType="openpose", model="test:yolo@1").pixels.any()
    for fields, parameter in (
        ({"preProcessorType": "openpose", "includeHandsAndFaceOpenPose": True}, "includeHandsAndFaceOpenPose"),
        ({"preProcessorType": "openpose_hand"}, "preProcessorType"),
    ):
        assert _run(equipped, model="test:yolo@1", **fields).failure["parameter"] == parameter


def test_broken_weights(equipped: Desk):
    """Weights that cannot be used are a failure with the name of their file."""
    (equipped.folder / "models" / "depth.onnx").write_bytes(b"no network")
    failure = _run(equipped, preProcessorType="depth").failure
    assert failure["code"] == "processingFailed"
    assert "depth.onnx" in failure["message"]


def test_images_of_every_kind(desk: Desk):
    """A grey, a tiny and a transparent image have guides; what is transparent counts as white."""
    clear = numpy.zeros((60, 80, 4), numpy.uint8)
    for picture in (ASTRONAUT[..., 0], ASTRONAUT[:1, :1], ASTRONAUT[:1], clear):
        done = desk.run(controlnet_preprocess, inputImage=desk.keep(picture), preProcessorType="scribble")
        assert done.pixels.shape[:2] == picture.shape[:2]
    done = desk.run(controlnet_preprocess, inputImage=desk.keep(clear), preProcessorType="tile", outputFormat="PNG")
    assert (done.pixels == 255).all()


def test_inline_results(desk: Desk):
    """Where base64 is asked for, the guide comes so under its own name, and without a URL."""
    image = desk.keep(ASTRONAUT)
    done = desk.run(controlnet_preprocess, inputImage=image, preProcessorType="canny", outputType="base64Data")
    assert "guideImageURL" not in done.item
    assert "guideImageBase64Data" in str(done.item["inline"])
