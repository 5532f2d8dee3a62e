"""Drawing with tiny networks: steps, their progress, how it ends early, schedulers, and what stays loaded."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image
from skimage import data

from server.engines.diffusion import NAMES, Adapter, Canvas, Order, draw
from server.engines.pytorch import Weights
from server.errors import InvalidParameter, ModelNotFound
from tests.engines.diffusion import tiny

pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")

_PHOTO = Image.fromarray(data.astronaut()).resize((128, 128))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return Weights("tests:tiny@1", tiny.checkpoint(tmp_path_factory.mktemp("models") / "tiny"))


def _drawn(model: Weights, said: list[tuple[float, str]] | None = None, **more: Any) -> numpy.ndarray:
    order = Order("a red chair", **({"steps": 2} | more))
    told = [] if said is None else said
    [(_, picture)] = draw(model, order, lambda fraction, stage: told.append((fraction, stage)))
    return numpy.asarray(picture)


def test_progress(model: Weights):
    """Each step of each picture is told, up to the whole."""
    said = list[tuple[float, str]]()
    order = Order("a red chair", steps=3, count=2)
    assert len(list(draw(model, order, lambda fraction, stage: said.append((fraction, stage))))) == 2
    assert [stage for _, stage in said[1:]] == [f"step {step} of 6" for step in range(1, 7)]
    assert [fraction for fraction, _ in said[1:]] == pytest.approx([step / 6 for step in range(1, 7)])


@pytest.mark.parametrize(("strength", "steps"), [(0.5, 4), (0.25, 2), (1.0, 8)])
def test_strength(model: Weights, strength: float, steps: int):
    """From a picture, only strength's share of the steps is done."""
    said = list[tuple[float, str]]()
    _drawn(model, said, canvas=Canvas.of(_PHOTO), steps=8, strength=strength)
    assert said[-1] == (1, f"step {steps} of {steps}")
    assert len(said) == 1 + steps


def test_native_size(model: Weights):
    """Without a size, a picture has the one that the checkpoint was made for."""
    assert _drawn(model).shape == (128, 128, 3)


def test_ended_early(model: Weights):
    """What progress raises ends the drawing in that step, and the next drawing is as if nothing had been."""
    before = _drawn(model)
    stages = list[str]()

    def ending(_: float, stage: str) -> None:
        stages.append(stage)
        if stage == "step 2 of 8":
            raise InterruptedError

    with pytest.raises(InterruptedError):
        list(draw(model, Order("a red chair", steps=8), ending))
    assert stages[-1] == "step 2 of 8"
    assert (_drawn(model) == before).all()


def test_schedulers(model: Weights):
    """Every scheduler draws, even in one step, except those for models of another kind."""
    for name in NAMES:
        if not name.startswith("FlowMatch"):
            assert _drawn(model, canvas=Canvas.of(_PHOTO), scheduler=name, steps=1, strength=1.0).std() > 1, name


def test_scheduler_is_for_one_order(model: Weights):
    """A scheduler is used for its order alone, and gives another picture."""
    before = _drawn(model)
    assert (_drawn(model, scheduler="Euler a") != before).any()
    assert (_drawn(model) == before).all()


def test_unfit_scheduler(model: Weights):
    """A scheduler for models of another kind is refused, with those that do."""
    with pytest.raises(InvalidParameter) as refused:
        _drawn(model, scheduler="FlowMatchEuler")
    assert "Euler a" in refused.value.details["allowedValues"]
    assert "FlowMatchEuler" not in refused.value.details["allowedValues"]


def test_replaced_files(model: Weights, tmp_path: Path):
    """A checkpoint whose files have changed is loaded anew."""
    copy = Weights("tests:copy@1", Path(shutil.copytree(model.path, tmp_path / "copy")))
    before = _drawn(copy)
    shutil.rmtree(copy.path)
    tiny.checkpoint(copy.path, widths=(32, 32, 32, 32))
    assert (_drawn(copy) != before).any()


def test_damaged_files(model: Weights, tmp_path: Path):
    """A checkpoint that cannot be loaded is refused by its name, without telling where it lies."""
    copy = Weights("tests:copy@1", Path(shutil.copytree(model.path, tmp_path / "copy")))
    (copy.path / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelNotFound, match="tests:copy@1") as refused:
        _drawn(copy)
    assert str(tmp_path) not in refused.value.message


def test_unfit_lora(model: Weights, tmp_path: Path):
    """A LoRA of another kind of checkpoint is refused, and leaves no trace."""
    other = tiny.checkpoint(tmp_path / "other", widths=(32, 64, 64, 64))
    before = _drawn(model)
    lora = Adapter(Weights("tests:lora@1", tiny.lora(other, tmp_path / "lora")))
    with pytest.raises(InvalidParameter, match="tests:lora@1") as refused:
        _drawn(model, adapters=[lora])
    assert refused.value.parameter == "lora[0].model"
    assert (_drawn(model) == before).all()


def test_lora_of_the_text_encoder(model: Weights, tmp_path: Path):
    """A LoRA can change how words are read, also with layers left out, and leaves no trace."""
    lora = [Adapter(Weights("tests:words@1", tiny.words_lora(tmp_path / "words.safetensors")))]
    before, skipped = _drawn(model), _drawn(model, clip_skip=1)
    assert (_drawn(model, adapters=lora) != before).any()
    assert (_drawn(model, adapters=lora, clip_skip=1) != skipped).any()
    assert (_drawn(model) == before).all()
    assert (_drawn(model, clip_skip=1) == skipped).all()


def test_no_lora(model: Weights, tmp_path: Path):
    """A file of weights that are no LoRA is refused."""
    stray = Adapter(Weights("tests:stray@1", model.path / "vae" / "diffusion_pytorch_model.safetensors"))
    with pytest.raises(InvalidParameter, match="tests:stray@1"):
        _drawn(model, adapters=[stray])
