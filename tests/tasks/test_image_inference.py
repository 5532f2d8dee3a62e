"""Pictures from words, by tiny networks of random weights that are made here: they show noise, but always the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image
from skimage import data

from tasks.image_inference import image_inference
from tests.engines.diffusion import tiny
from tests.tasks.desk import Desk, Done

pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")

_PHOTO = numpy.asarray(Image.fromarray(data.astronaut()).resize((136, 128)))
_MODELS = [
    ("tests:folder@1", "checkpoint", "folder", {}),
    ("tests:file@1", "checkpoint", "files/one.safetensors", {"config": "layout"}),
    ("tests:bare@1", "checkpoint", "files/one.safetensors", {}),
    ("tests:lost@1", "checkpoint", "files/one.safetensors", {"config": "nowhere"}),
    ("tests:pickle@1", "checkpoint", "files/one.ckpt", {"config": "layout"}),
    ("tests:pickles@1", "checkpoint", "pickles", {}),
    ("tests:absent@1", "checkpoint", "absent", {}),
    ("tests:control@1", "controlnet", "control", {}),
    ("tests:control@2", "controlnet", "control2", {}),
    ("tests:control@3", "controlnet", "files/control.safetensors", {"config": "control"}),
    ("tests:lora@1", "lora", "lora/pytorch_lora_weights.safetensors", {}),
    ("tests:lora@2", "lora", "lora/weights.bin", {}),
]


def _table() -> str:
    return "\n".join(
        f"[[model]]\nair = {air!r}\nname = {air!r}\nkind = {kind!r}\nfile = {file!r}\nengine = 'diffusers'\n"
        f"options = {{ {', '.join(f'{name} = {value!r}' for name, value in options.items())} }}"
        for air, kind, file, options in _MODELS
    )


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk(tmp_path_factory.mktemp("inference"), table=_table())
    models = desk.folder / "models"
    base = tiny.checkpoint(models / "folder")
    tiny.controlnet(base, models / "control")
    tiny.controlnet(base, models / "control2", seed=2)
    shutil.copyfile(tiny.lora(base, models / "lora"), models / "lora" / "weights.bin")
    (models / "files").mkdir()
    shutil.copyfile(tiny.single_file(base, models / "files" / "one.safetensors"), models / "files" / "one.ckpt")
    shutil.copyfile(
        models / "control" / "diffusion_pytorch_model.safetensors", models / "files" / "control.safetensors"
    )
    shutil.copytree(base, models / "layout", ignore=shutil.ignore_patterns("*.safetensors"))
    weights = shutil.copytree(base, models / "pickles") / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    return desk


@pytest.fixture(scope="module")
def photo(desk: Desk) -> str:
    return desk.keep(_PHOTO)


def _run(desk: Desk, **more: Any) -> Done:
    fields = {
        "positivePrompt": "a red chair", "model": "tests:folder@1", "seed": 5, "steps": 2, "outputFormat": "PNG",
    }  # fmt: skip
    sizes = {} if "seedImage" in more or "inputImage" in more else {"width": 128, "height": 128}
    return desk.run(image_inference, **(fields | sizes | more))


def _pixels(desk: Desk, **more: Any) -> numpy.ndarray:
    return _run(desk, **more).pixels


def test_seed(desk: Desk):
    """The same seed gives the same bytes, another one another picture; the item tells seed and model."""
    first, again, other = _run(desk), _run(desk), _run(desk, seed=6)
    assert first.path.read_bytes() == again.path.read_bytes() != other.path.read_bytes()
    assert (first.item["seed"], first.item["model"]) == (5, "tests:folder@1")


def test_no_seed(desk: Desk):
    """Without a seed any is taken, and the one told gives the picture again."""
    first, second = _run(desk, seed=None), _run(desk, seed=None)
    assert first.item["seed"] != second.item["seed"]
    assert (_pixels(desk, seed=first.item["seed"]) == first.pixels).all()


def test_several_results(desk: Desk):
    """Several results have seeds that follow each other, each giving its picture alone too."""
    done = _run(desk, numberResults=3)
    assert [item["seed"] for item in done.items] == [5, 6, 7]
    files = {image["uuid"]: Path(image["path"]) for image in done.images}
    assert files[done.items[1]["imageUUID"]].read_bytes() == _run(desk, seed=6).path.read_bytes()


def test_last_seed(desk: Desk):
    """The largest seed is taken, and the one after it is 1."""
    done = _run(desk, seed=9223372036854776000, numberResults=2)
    assert [item["seed"] for item in done.items] == [9223372036854776000, 1]


@pytest.mark.parametrize(
    ("field", "value"),
    [("positivePrompt", "blue"), ("positivePrompt", "__BLANK__"), ("negativePrompt", "blurred"), ("CFGScale", 1.5),
     ("clipSkip", 1), ("steps", 4), ("scheduler", "Euler a"), ("height", 136)],
)  # fmt: skip
def test_parameters(desk: Desk, field: str, value: object):
    """Every parameter has an effect."""
    plain, other = _pixels(desk), _pixels(desk, **{field: value})
    assert plain.shape != other.shape or (plain != other).any()


def test_unknown_members(desk: Desk):
    """Members that this server does not know are ignored."""
    assert (_pixels(desk, promptWeighting="compel", acceleration="none") == _pixels(desk)).all()


def test_from_a_picture(desk: Desk, photo: str):
    """From a seed image comes one of its size, nearer to it the less the strength; inputImage says the same."""
    weak, strong = _pixels(desk, seedImage=photo, strength=0.5), _pixels(desk, seedImage=photo, strength=1)
    assert weak.shape == strong.shape == _PHOTO.shape
    assert (weak != strong).any()
    assert (_pixels(desk, inputImage=photo, strength=0.5) == weak).all()
    assert _pixels(desk, seedImage=photo, width=256, height=192).shape == (192, 256, 3)


@pytest.mark.parametrize(("mode", "size"), [("1", (1, 1)), ("I;16", (3, 9)), ("P", (1, 300)), ("RGBA", (131, 77))])
def test_odd_pictures(desk: Desk, mode: str, size: tuple[int, int]):
    """A seed image of any mode and size gives a picture of its size."""
    assert _run(desk, seedImage=desk.keep(Image.new(mode, size))).picture.size == size


def test_inpainting(desk: Desk, photo: str):
    """Only what is white in the mask is repainted; every other pixel stays."""
    mask = numpy.zeros(_PHOTO.shape[:2], numpy.uint8)
    mask[30:90, 40:100] = 255
    result = _pixels(desk, seedImage=photo, maskImage=desk.keep(mask))
    assert (result[mask == 0] == _PHOTO[mask == 0]).all()
    assert (result[mask > 0] != _PHOTO[mask > 0]).any(-1).mean() > 0.9


def test_empty_mask(desk: Desk, photo: str):
    """A mask without white is refused, since nothing would be repainted."""
    black = desk.keep(Image.new("L", (64, 64)))
    refused = _run(desk, seedImage=photo, maskImage=black).failure
    assert (refused["code"], refused["parameter"]) == ("invalidMaskImage", "maskImage")


def test_outpainting(desk: Desk, photo: str):
    """A picture grows by the margins asked for and stays as it was within."""
    result = _pixels(desk, seedImage=photo, outpaint={"top": 64, "right": 128, "left": None})
    assert result.shape == (128 + 64, 136 + 128, 3)
    assert (result[64:, :136] == _PHOTO).all()
    assert result[:64].std() > 1


def test_controlnet(desk: Desk, photo: str):
    """A ControlNet changes the picture by its weight and its guide, and is gone afterwards."""
    plain = _pixels(desk)
    net = {"model": "tests:control@1", "guideImage": photo}
    led = _pixels(desk, controlNet=[net])
    assert (led != plain).any()
    assert (_pixels(desk, controlNet=[net | {"weight": 0}]) == plain).all()
    assert (_pixels(desk, controlNet=[net | {"weight": None}]) == led).all()
    assert (_pixels(desk, controlNet=[net | {"guideImage": desk.keep(data.checkerboard())}]) != led).any()
    assert (_pixels(desk) == plain).all()


def test_part_of_the_steps(desk: Desk, photo: str):
    """A ControlNet can lead in a part of the steps, told as steps or as percentages."""
    net = {"model": "tests:control@1", "guideImage": photo}
    steps = _pixels(desk, steps=4, controlNet=[net | {"startStep": 1, "endStep": 3}])
    shares = _pixels(desk, steps=4, controlNet=[net | {"startStepPercentage": 25, "endStepPercentage": 75}])
    assert (steps == shares).all()
    assert (steps != _pixels(desk, steps=4, controlNet=[net])).any()


def test_several_controlnets(desk: Desk, photo: str):
    """Two ControlNets lead together, also from a picture and in a part of one."""
    nets = [{"model": f"tests:control@{number}", "guideImage": photo} for number in (1, 2)]
    assert (_pixels(desk, controlNet=nets) != _pixels(desk, controlNet=nets[:1])).any()
    assert (_pixels(desk, seedImage=photo, controlNet=nets) != _pixels(desk, seedImage=photo)).any()
    mask = desk.keep(Image.linear_gradient("L").resize((136, 128)))
    painted = {"seedImage": photo, "maskImage": mask}
    assert (_pixels(desk, **painted, controlNet=nets) != _pixels(desk, **painted)).any()


def test_lora(desk: Desk):
    """A LoRA changes the picture by its weight, and is gone afterwards."""
    plain = _pixels(desk)
    one = {"model": "tests:lora@1"}
    full = _pixels(desk, lora=[one])
    assert (full != plain).any()
    assert (_pixels(desk, lora=[one | {"weight": 0}]) == plain).all()
    assert (_pixels(desk, lora=[one | {"weight": -2.5}, one]) != full).any()
    assert (_pixels(desk) == plain).all()


def test_single_file(desk: Desk, photo: str):
    """A checkpoint or a ControlNet in one file with its configuration elsewhere draws what it draws as a folder."""
    assert (_pixels(desk, model="tests:file@1") == _pixels(desk)).all()
    folder, file = ({"model": f"tests:control@{number}", "guideImage": photo} for number in (1, 3))
    assert (_pixels(desk, controlNet=[file]) == _pixels(desk, controlNet=[folder])).all()


@pytest.mark.parametrize(
    ("model", "advice"),
    [("tests:bare@1", "config"), ("tests:lost@1", "nowhere"), ("tests:pickle@1", "one.ckpt"),
     ("tests:pickles@1", "tests:pickles@1"), ("tests:absent@1", "put absent"), ("tests:unknown@1", "tests:unknown@1")],
)  # fmt: skip
def test_unusable_models(desk: Desk, model: str, advice: str):
    """A model that is absent, pickled or not described is refused, and the refusal says what to do."""
    refused = _run(desk, model=model).failure
    assert (refused["code"], refused["parameter"]) == ("modelNotFound", "model")
    assert advice in refused["message"]


def test_pickled_lora(desk: Desk):
    """A LoRA that is not a .safetensors file is refused, whatever is in it."""
    refused = _run(desk, lora=[{"model": "tests:lora@2"}]).failure
    assert refused["code"] == "modelNotFound"
    assert "weights.bin" in refused["message"]


def test_model_of_another_kind(desk: Desk):
    """A model of another kind is refused by name."""
    assert _run(desk, model="tests:lora@1").failure["code"] == "invalidModel"
    assert _run(desk, lora=[{"model": "tests:folder@1"}]).failure["code"] == "invalidModel"


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"positivePrompt": "a"}, "positivePrompt"),
        ({"width": 130}, "width"),
        ({"height": 2056}, "height"),
        ({"steps": 101}, "steps"),
        ({"seed": 0}, "seed"),
        ({"CFGScale": 50.5}, "CFGScale"),
        ({"clipSkip": 3}, "clipSkip"),
        ({"numberResults": 21}, "numberResults"),
        ({"scheduler": "Oiler"}, "scheduler"),
        ({"vae": "tests:vae@1"}, "vae"),
        ({"lora": [{"model": "tests:lora@1", "weight": 5}]}, "lora[0].weight"),
        ({"maskImage": "PHOTO"}, "seedImage"),
        ({"outpaint": {"top": 64}}, "seedImage"),
        ({"seedImage": "PHOTO", "maskImage": "PHOTO", "outpaint": {"top": 64}}, "outpaint"),
        ({"seedImage": "PHOTO", "outpaint": {"top": 60}}, "outpaint.top"),
        ({"seedImage": "PHOTO", "outpaint": {}}, "outpaint"),
        ({"seedImage": "PHOTO", "strength": 0.49}, "strength"),
        ({"controlNet": [{"model": "tests:control@1", "guideImage": "PHOTO", "startStep": 2}]}, "controlNet"),
    ],
)
def test_refusals(desk: Desk, photo: str, fields: dict[str, Any], parameter: str):
    """What cannot be done is refused, naming the parameter."""
    named = json.loads(json.dumps(fields).replace("PHOTO", photo))
    assert _run(desk, **named).failure["parameter"] == parameter


def test_progress(desk: Desk):
    """A picture in the making tells how far it is."""
    said = [one["progress"] for one in _run(desk, steps=12).said if "progress" in one]
    assert len(said) > 1
    assert said == sorted(said)


_WITHOUT_PYTORCH = """
import json, sys
sys.modules["torch"] = None
from pathlib import Path
from tasks.image_inference import image_inference
from tests.tasks.desk import Desk
table = Path(sys.argv[1], "models.toml").read_text()
desk = Desk(Path(sys.argv[1]), table=table)
fields = {"positivePrompt": "a red chair", "model": sys.argv[2]}
print(json.dumps(desk.run(image_inference, **fields).failure))
"""


@pytest.mark.parametrize(("model", "advice"), [("tests:here@1", "taskarray[inference]"), ("tests:gone@1", "put gone")])
def test_missing_packages(tmp_path: Path, model: str, advice: str):
    """Where PyTorch is not installed the refusal names the extra that brings it, if the model itself is there."""
    entry = "[[model]]\nair = 'tests:{0}@1'\nname = '{0}'\nkind = 'checkpoint'\nfile = '{0}'\nengine = 'diffusers'\n"
    (tmp_path / "models.toml").write_text(entry.format("here") + entry.format("gone"))
    (tmp_path / "models" / "here").mkdir(parents=True)
    command = [sys.executable, "-c", _WITHOUT_PYTORCH, str(tmp_path), model]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    refused = json.loads(done.stdout.splitlines()[-1])
    assert refused["code"] == "modelNotFound"
    assert advice in refused["message"]
