"""Cutting out with the operator's networks."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy
import pytest
from onnx import helper

from server.engines.cutout import Edges, finish
from server.engines.cutout.network import find_with
from server.engines.vision import silent
from server.errors import ProcessingFailed
from tests.engines.cutout.subjects import overlap
from tests.engines.maps.networks import constant, plain, write

_IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
_HALF = {"mean": [0.5, 0.5, 0.5], "std": [1.0, 1.0, 1.0]}
SIGNATURES = {
    "u2net": (
        ("d0", "d1", "d2", "d3", "d4", "d5", "d6"),
        (320, 320),
        True,
        _IMAGENET | {"size": 320, "normalise": True},
    ),
    "isnet": (("1959",), (1024, 1024), False, _HALF | {"size": 1024, "normalise": True}),
    "birefnet": (("output_image",), (1024, 1024), False, _IMAGENET | {"size": 1024, "activation": "sigmoid"}),
    "rmbg": (("alphas",), ("h", "w"), True, _HALF | {"size": 1024, "output": "alphas"}),
    "modnet": (("output",), ("h", "w"), True, {"mean": 0.5, "std": 0.5, "size": [512, 384]}),
}


def reddish(path: Path, outputs: tuple[str, ...], size: tuple[int | str, ...], squashed: bool) -> Path:
    """A network that takes what is red, not blue, for the subject; `squashed` gives 0 to 1, else logits."""
    kernel = numpy.array([9, 0, -9], numpy.float32).reshape(1, 3, 1, 1)
    nodes = [helper.make_node("Conv", ["picture", "kernel"], ["logits"])]
    nodes += [helper.make_node("Sigmoid" if squashed else "Identity", ["logits"], [name]) for name in outputs]
    return write(path, nodes, {name: [1, 1, *size] for name in outputs}, size, kernel=kernel)


def red_on_blue() -> tuple[numpy.ndarray, numpy.ndarray]:
    picture = numpy.full((300, 400, 3), (30, 40, 200), numpy.uint8)
    cv2.ellipse(picture, (180, 140), (120, 80), 20, 0, 360, (210, 40, 30), -1)
    return picture, picture[..., 0] > 100


@pytest.mark.parametrize("kind", SIGNATURES)
def test_signatures(tmp_path: Path, kind: str):
    """Networks of the known kinds find the subject by what their options say, and are named as its finder."""
    outputs, size, squashed, options = SIGNATURES[kind]
    picture, truth = red_on_blue()
    path = reddish(tmp_path / f"{kind}.onnx", outputs, size, squashed)
    subject = find_with("test:1@1", path, options, picture, silent)
    found = finish(picture, subject, silent, Edges())
    assert found.engine == "test:1@1"
    assert found.alpha.shape == truth.shape
    assert overlap(found.alpha, truth) > 0.97
    assert found.confidence > 0.5
    assert not found.notice


def test_the_output_that_counts(tmp_path: Path):
    """With `output`, the map of that name counts."""
    path = constant(tmp_path / "two.onnx", first=numpy.zeros((1, 1, 8, 8)), second=numpy.ones((1, 1, 8, 8)))
    picture, _ = red_on_blue()
    assert find_with("test:1@1", path, plain(output="second"), picture, silent).mask.min() == 1


def test_normalise(tmp_path: Path):
    """With `normalise`, the extremes of a map become 0 and 1; a constant map stays as it is."""
    ramp = numpy.linspace(-3, 5, 64).reshape(1, 1, 8, 8)
    path, flat = constant(tmp_path / "ramp.onnx", d0=ramp), constant(tmp_path / "flat.onnx", d0=0 * ramp + 0.75)
    picture, _ = red_on_blue()
    mask = find_with("test:1@1", path, plain(normalise=True), picture, silent).mask
    assert numpy.allclose(mask, (ramp[0, 0] + 3) / 8, atol=1e-6)
    assert (find_with("test:1@1", flat, plain(normalise=True), picture, silent).mask == 0.75).all()


def test_nothing_seen(tmp_path: Path):
    """A network that sees no subject says so, without confidence."""
    picture, _ = red_on_blue()
    path = constant(tmp_path / "none.onnx", d0=numpy.full((1, 1, 8, 8), 0.1))
    subject = find_with("test:1@1", path, plain(), picture, silent)
    assert (subject.confidence, subject.notice) == (0, "The model sees no subject in this picture.")


def test_undecided(tmp_path: Path):
    """A network that is undecided about its subject has little confidence."""
    picture, _ = red_on_blue()
    path = constant(tmp_path / "half.onnx", d0=numpy.full((1, 1, 8, 8), 0.6))
    assert find_with("test:1@1", path, plain(), picture, silent).confidence == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize("wrong", [numpy.nan, numpy.inf, -numpy.inf])
def test_numbers_that_are_not_finite(tmp_path: Path, wrong: float):
    """A map with numbers that are not finite is refused, and the refusal names the model."""
    answer = numpy.full((1, 1, 8, 8), 0.5)
    answer[0, 0, 3, 3] = wrong
    path = constant(tmp_path / "wrong.onnx", d0=answer)
    with pytest.raises(ProcessingFailed, match="test:1@1 gave numbers that are not finite"):
        find_with("test:1@1", path, plain(normalise=True), red_on_blue()[0], silent)


def test_a_file_that_is_no_network(tmp_path: Path):
    """A file that is no ONNX is refused by its name."""
    path = tmp_path / "garbage.onnx"
    path.write_bytes(b"\x00not a network" * 40)
    with pytest.raises(ProcessingFailed, match=r"garbage\.onnx"):
        find_with("test:1@1", path, {}, red_on_blue()[0], silent)


def test_an_answer_that_is_no_mask(tmp_path: Path):
    """A network that gives something else than one map is refused, and the refusal says what it gave."""
    path = constant(tmp_path / "classes.onnx", d0=numpy.zeros((1, 5, 8, 8)))
    with pytest.raises(ProcessingFailed, match="1 × 5 × 8 × 8"):
        find_with("test:1@1", path, plain(), red_on_blue()[0], silent)
