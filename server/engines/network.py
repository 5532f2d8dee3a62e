"""Networks of the operator's ONNX files that look at a whole picture: how it goes in, and what comes out.

What the server must know of a network stands in the options of its model:

- `size`: pixels a side of the input, or `[width, height]`; 512 without it. A size fixed in the file goes before.
- `mean`, `std`: of the channels, where 1 is white; a number stands for all three. Without them, those of ImageNet.
- `output`: the name of the output that counts; without it, the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.engines.onnx import session
from server.engines.vision import Array, cv2, numpy
from server.errors import ProcessingFailed

_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
_USUAL_SIDE = 512
_GREY = 114
_TYPES = {"tensor(float)": numpy.float32, "tensor(float16)": numpy.float16}


@dataclass(frozen=True)
class Place:
    """Where a picture lies in an input: the input's width and height, the picture's scale and its left top corner."""

    size: tuple[int, int]
    scale: tuple[float, float]
    corner: tuple[int, int] = (0, 0)

    def back(self, points: Array) -> Array:
        """Points of the input (… × 2: x, y) as points of the picture."""
        return (points - numpy.array(self.corner)) / numpy.array(self.scale)


def look(
    picture: Array, path: Path, options: Mapping[str, Any], *, letterbox: bool = False
) -> tuple[list[Array], Place]:
    """What a network gives for a picture `h × w × 3`, and where the picture lay in its input.

    The picture is stretched to the input; with `letterbox` it keeps its shape, and the rest is grey. Raises
    ProcessingFailed for a file or options with which that cannot be done.
    """
    try:
        network = session(path)
        entry = network.get_inputs()[0]
        size = _size(entry.shape, options)
        place = _letterbox(picture, size) if letterbox else _stretch(picture, size)
        tensor = _normal(_put(picture, place), options).astype(_TYPES[entry.type])
        outputs = network.run([options["output"]] if "output" in options else None, {entry.name: tensor[None]})
    except MemoryError:
        raise
    except Exception as failure:
        # onnxruntime has an exception of its own for each way in which a file can be wrong.
        reason = str(failure).partition("\n")[0].replace(str(path), path.name)
        raise ProcessingFailed(f"The network {path.name} cannot be used: {reason}", parameter="model") from failure
    return [numpy.asarray(output) for output in outputs], place


def unlike(path: Path, found: Array, wanted: str) -> ProcessingFailed:
    """The refusal of a network whose output is not what its task needs."""
    form = " × ".join(str(side) for side in found.shape)
    sentence = f"The network {path.name} gives {form} numbers, and this needs {wanted}. Is its `output` the right one?"
    return ProcessingFailed(sentence, parameter="model")


def _size(shape: list[Any], options: Mapping[str, Any]) -> tuple[int, int]:
    """Width and height of an input of this shape; names stand in it for sides that may be of any length."""
    if len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != 3):
        raise ValueError(f"its input is {shape}, and must be 1 × 3 × height × width.")
    given = options.get("size", _USUAL_SIDE)
    width, height = (given, given) if isinstance(given, int) else given
    return (shape[3] if isinstance(shape[3], int) else width), (shape[2] if isinstance(shape[2], int) else height)


def _stretch(picture: Array, size: tuple[int, int]) -> Place:
    height, width = picture.shape[:2]
    return Place(size, (size[0] / width, size[1] / height))


def _letterbox(picture: Array, size: tuple[int, int]) -> Place:
    height, width = picture.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    corner = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    return Place(size, (inner[0] / width, inner[1] / height), corner)


def _put(picture: Array, place: Place) -> Array:
    """The input as a picture."""
    height, width = picture.shape[:2]
    inner = round(width * place.scale[0]), round(height * place.scale[1])
    smaller = inner[0] * inner[1] < width * height
    left, top = place.corner
    canvas = numpy.full((place.size[1], place.size[0], 3), _GREY, numpy.uint8)
    canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(
        picture, inner, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    )
    return canvas


def _normal(picture: Array, options: Mapping[str, Any]) -> Array:
    """3 × height × width, of the mean and deviation that the network was trained with."""
    mean, std = (numpy.asarray(options.get(name, _IMAGENET[name]), numpy.float32) for name in ("mean", "std"))
    return ((picture.astype(numpy.float32) / 255 - mean) / std).transpose(2, 0, 1)
