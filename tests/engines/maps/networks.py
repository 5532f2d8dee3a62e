"""Tiny ONNX networks with the inputs and outputs of well-known ones, whose answers can be reckoned by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str]
"""Lengths of axes; a name where it may be any."""


def write(path: Path, nodes: list[onnx.NodeProto], outputs: dict[str, Shape], size: Shape, **constants) -> Path:
    """A network from `picture` (1 × 3 × size) to outputs of these shapes, with constants by name; `path`."""
    given = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, *size])
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
    values = [numpy_helper.from_array(numpy.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", [given], made, values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


def constant(path: Path, size: Shape = (64, 64), **outputs: numpy.ndarray) -> Path:
    """A network that gives the same whatever it sees (by the names of its outputs)."""
    zero = helper.make_node("ReduceMin", ["picture"], ["low"], keepdims=0)
    none = helper.make_node("Mul", ["low", "nothing"], ["zero"])
    sums = [helper.make_node("Add", [f"{name}_is", "zero"], [name]) for name in outputs]
    values = {f"{name}_is": value.astype(numpy.float32) for name, value in outputs.items()}
    shapes = {name: value.shape for name, value in outputs.items()}
    return write(path, [zero, none, *sums], shapes, size, nothing=numpy.float32(0), **values)


def mixed(path: Path, weights: Sequence[Sequence[float]], size: Shape = ("h", "w")) -> Path:
    """A network whose output planes are mixed of red, green and blue with these weights: 1 × planes × h × w."""
    kernel = numpy.asarray(weights, numpy.float32)[:, :, None, None]
    node = helper.make_node("Conv", ["picture", "kernel"], ["mixed"])
    return write(path, [node], {"mixed": [1, len(weights), *size]}, size, kernel=kernel)


def plain(**more) -> dict:
    """Options of a network that takes colours from 0 to 1."""
    return {"mean": 0, "std": 1, **more}
