"""Write a trained network as an ONNX file that says how it is to be used."""

from __future__ import annotations

from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from bench.upscaler.network import PAD, SCALE, TinyDC

_OPSET = 17
_LICENCE = "CC0-1.0; trained by taskarray on pictures it made and on public domain photographs of scikit-image"


def export(network: TinyDC, path: Path) -> None:
    """The graph takes `y` (1, 1, h + 2 pad, w + 2 pad) and answers `enlarged` (1, 1, 2h, 2w)."""
    weights = _weights(network)
    graph = helper.make_graph(
        _nodes(len(network.body)),
        "TinyDC",
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, "h", "w"])],
        [helper.make_tensor_value_info("enlarged", TensorProto.FLOAT, [1, 1, "H", "W"])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=9)
    helper.set_model_props(model, {"scale": str(SCALE), "pad": str(PAD), "licence": _LICENCE})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _weights(network: TinyDC) -> dict[str, numpy.ndarray]:
    """What the graph's nodes name; the answer to a flat area becomes the last layer's negative bias."""
    found = {
        f"{layer}.{part}": getattr(module, part) for layer, module in _layers(network) for part in ("weight", "bias")
    }
    found |= {"tail.weight": network.tail.weight, "tail.bias": -network.rest().reshape(-1)}
    found |= {"linear": network.kernels(), "mean": network.mean}
    crops = {"five": [5, 5], "minus_five": [-5, -5], "two": [2, 2], "minus_two": [-2, -2], "sides": [2, 3]}
    return {name: value.detach().numpy() for name, value in found.items()} | {
        name: numpy.array(value, numpy.int64) for name, value in crops.items()
    }


def _layers(network: TinyDC) -> list[tuple[str, object]]:
    return [("head", network.head), *((f"body{number}", layer) for number, layer in enumerate(network.body))]


def _nodes(depth: int) -> list[onnx.NodeProto]:
    nodes = [
        helper.make_node("Slice", ["y", "five", "minus_five", "sides"], ["inner"]),
        helper.make_node("Conv", ["inner", "linear"], ["straight"]),
        helper.make_node("Slice", ["y", "two", "minus_two", "sides"], ["middle"]),
        helper.make_node("Conv", ["y", "mean"], ["means"]),
        helper.make_node("Sub", ["middle", "means"], ["detail"]),
    ]
    last = "detail"
    for layer in ("head", *(f"body{number}" for number in range(depth))):
        nodes.append(helper.make_node("Conv", [last, f"{layer}.weight", f"{layer}.bias"], [f"{layer}.sum"]))
        last = f"{layer}.out"
        nodes.append(helper.make_node("Relu", [f"{layer}.sum"], [last]))
    return [
        *nodes,
        helper.make_node("Conv", [last, "tail.weight", "tail.bias"], ["deep"]),
        helper.make_node("Add", ["straight", "deep"], ["phases"]),
        helper.make_node("DepthToSpace", ["phases"], ["enlarged"], blocksize=SCALE, mode="CRD"),
    ]
