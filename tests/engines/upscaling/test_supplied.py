"""Models that the operator supplies, as ONNX files made here."""

from __future__ import annotations

from pathlib import Path

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from skimage import data

from server.engines.upscaling import enlarge_with
from server.errors import ModelNotFound

_LAYERS = 6


def _model(path: Path, scale: int, size: int | None = None, kind: int = TensorProto.FLOAT, channels: int = 3) -> Path:
    """Zero-padded 3 × 3 convolutions beside nearest-neighbour repetition, then depth to space, as ESRGAN's kin have.

    The convolutions see 7 pixels to each side, and zeros beyond the border of what they are given.
    """
    rng = numpy.random.default_rng(1)
    numbers = numpy.float16 if kind == TensorProto.FLOAT16 else numpy.float32
    nodes, weights, last = [], [], "input"
    for layer in range(_LAYERS + 1):
        fan_in, fan_out = channels if layer == 0 else 8, 3 * scale**2 if layer == _LAYERS else 8
        values = rng.standard_normal((fan_out, fan_in, 3, 3)) / (3 * fan_in**0.5)
        weights.append(
            numpy_helper.from_array((values * (0.6 if layer == _LAYERS else 1)).astype(numbers), f"w{layer}")
        )
        nodes.append(helper.make_node("Conv", [last, f"w{layer}"], [f"c{layer}"], pads=[1, 1, 1, 1]))
        last = f"c{layer}"
        if layer < _LAYERS:
            nodes.append(helper.make_node("LeakyRelu", [last], [f"r{layer}"], alpha=0.2))
            last = f"r{layer}"
    repeated = numpy.repeat(numpy.eye(3, channels), scale**2, 0).astype(numbers)[..., None, None]
    weights.append(numpy_helper.from_array(repeated, "repeat"))
    nodes += [
        helper.make_node("Conv", ["input", "repeat"], ["base"]),
        helper.make_node("Add", [last, "base"], ["phases"]),
        helper.make_node("DepthToSpace", ["phases"], ["output"], blocksize=scale, mode="CRD"),
    ]
    given = helper.make_tensor_value_info("input", kind, [1, channels, size or "h", size or "w"])
    answer = helper.make_tensor_value_info("output", kind, [1, 3, None, None])
    graph = helper.make_graph(nodes, "enlarger", [given], [answer], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def _apart(first: numpy.ndarray, second: numpy.ndarray) -> int:
    return int(abs(first.astype(int) - second).max())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _model(tmp_path_factory.mktemp("models") / "four.onnx", 4)


def _cat() -> numpy.ndarray:
    return data.chelsea()[60:160, 90:210]


def test_tiles_leave_no_seams(model: Path):
    """With the overlap, tiles differ from the whole by no more than a level; without it they would be seen."""
    whole = enlarge_with(model, {"tile": 256}, _cat(), 4)
    assert _apart(enlarge_with(model, {"tile": 48}, _cat(), 4), whole) <= 1
    assert _apart(enlarge_with(model, {"tile": 48, "overlap": 0}, _cat(), 4), whole) > 3


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("told", [True, False])
def test_factors(scale: int, factor: int, told: bool, tmp_path: Path):
    """Whatever the scale of the model, told or not, the picture is as many times larger as was asked."""
    options = {"scale": scale} if told else {}
    picture = _cat()[:40, :50]
    enlarged = enlarge_with(_model(tmp_path / "m.onnx", scale), options | {"tile": 32}, picture, factor)
    assert enlarged.shape == (40 * factor, 50 * factor, 3)
    assert abs(enlarged.mean() - picture.mean()) < 25


def test_a_model_of_one_size(tmp_path: Path, model: Path):
    """A model that takes one size only is shown tiles of that size."""
    fixed = _model(tmp_path / "fixed.onnx", 4, size=64)
    assert _apart(enlarge_with(fixed, {}, _cat(), 4), enlarge_with(model, {}, _cat(), 4)) <= 1


def test_half_precision(tmp_path: Path, model: Path):
    """A model of half precision is given what it takes."""
    half = _model(tmp_path / "half.onnx", 4, kind=TensorProto.FLOAT16)
    assert _apart(enlarge_with(half, {}, _cat(), 4), enlarge_with(model, {}, _cat(), 4)) <= 3


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
def test_thin_pictures(size: tuple[int, int], model: Path):
    """A single pixel and a line are enlarged too."""
    assert enlarge_with(model, {"tile": 64}, numpy.full((*size, 3), 9, numpy.uint8), 4).shape[:2] == (
        4 * size[0],
        4 * size[1],
    )


def test_alpha(model: Path):
    """Transparency is interpolated, and what is hidden under it does not show."""
    picture = numpy.dstack([_cat(), numpy.zeros(_cat().shape[:2], numpy.uint8)])
    picture[20:80, 20:90, 3] = 255
    black, white = picture.copy(), picture.copy()
    black[picture[..., 3] == 0] = 0
    white[picture[..., 3] == 0] = (255, 255, 255, 0)
    first, second = (enlarge_with(model, {}, each, 4) for each in (black, white))
    assert (first == second).all()
    assert first[200, 200, 3] == 255 and first[10, 10, 3] == 0


def test_progress(model: Path):
    """Progress is told after every tile and ends at 1."""
    said: list[float] = []
    enlarge_with(model, {"tile": 50, "scale": 4}, _cat(), 4, lambda fraction, _: said.append(fraction))
    assert len(said) == 2 * 3 and said == sorted(said) and said[-1] == 1


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x08\x09" * 500])
def test_garbage(content: bytes, tmp_path: Path):
    """A file that is no ONNX model is refused by a named error that names it."""
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelNotFound, match=r"broken\.onnx .* cannot be read as ONNX"):
        enlarge_with(path, {}, _cat(), 2)


def test_another_kind_of_model(tmp_path: Path):
    """A model that takes or gives something else is refused by the same error."""
    with pytest.raises(ModelNotFound, match="does not take one picture"):
        enlarge_with(_model(tmp_path / "grey.onnx", 2, channels=1), {}, _cat(), 2)
    with pytest.raises(ModelNotFound, match="answered"):
        enlarge_with(_model(tmp_path / "same.onnx", 1), {"scale": 1}, _cat(), 2)
    with pytest.raises(ModelNotFound, match="answered"):
        enlarge_with(_model(tmp_path / "two.onnx", 2), {"scale": 4}, _cat(), 2)
