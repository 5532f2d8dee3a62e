"""A network with the outputs of YuNet that takes every red cell of 32 pixels for a face."""

from __future__ import annotations

from math import log
from pathlib import Path

import numpy
from onnx import NodeProto, helper

from tests.engines.maps.networks import write

EYES, NOSE, MOUTH = ((0.2, 0.3), (0.8, 0.3)), (0.5, 0.6), ((0.3, 0.8), (0.7, 0.8))
"""Where the points of its faces lie in their cells."""
_SIDE = 1.5
"""Its faces are so much larger than their cells, about the same middle."""


def yunet(path: Path) -> Path:
    """Write the network, for pictures of any size; `path`."""
    nodes: list[NodeProto] = []
    outputs: dict[str, list[int | str]] = {}
    constants: dict[str, numpy.ndarray] = {}
    for stride in (8, 16, 32):
        size = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes.append(helper.make_node("AveragePool", ["picture"], [f"cells_{stride}"], **size))
        for name, weights, bias in _heads(stride):
            kernel = numpy.asarray(weights, numpy.float32)[:, :, None, None]
            constants |= {f"{name}_k": kernel, f"{name}_b": numpy.asarray(bias, numpy.float32)}
            constants |= {f"{name}_s": numpy.array([1, -1, len(bias)])}
            sigmoid = name.startswith(("cls", "obj"))
            made = helper.make_node("Conv", [f"cells_{stride}", f"{name}_k", f"{name}_b"], [f"{name}_c"])
            sure = helper.make_node("Sigmoid" if sigmoid else "Identity", [f"{name}_c"], [f"{name}_a"])
            turned = helper.make_node("Transpose", [f"{name}_a"], [f"{name}_t"], perm=[0, 2, 3, 1])
            nodes += [made, sure, turned, helper.make_node("Reshape", [f"{name}_t", f"{name}_s"], [name])]
            outputs[name] = [1, f"cells of {stride}", len(bias)]
    return write(path, nodes, outputs, (640, 640), **constants)


def _heads(stride: int) -> list[tuple[str, list[list[float]], list[float]]]:
    """Name, weights of blue, green and red, and what is added, of each output of a stride."""
    red = [-0.1, 0, 0.1] if stride == 32 else [0, 0, 0]
    points = [side for point in (*EYES, NOSE, *MOUTH) for side in point]
    nothing = [[0.0, 0.0, 0.0]]
    return [
        (f"cls_{stride}", nothing, [20.0]),
        (f"obj_{stride}", [red], [-20.0]),
        (f"bbox_{stride}", nothing * 4, [0.5, 0.5, log(_SIDE), log(_SIDE)]),
        (f"kps_{stride}", nothing * 10, points),
    ]
