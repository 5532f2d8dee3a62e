"""Poses by a network of the operator: the points of people, in the picture. See `network` for its options.

The points are the 17 of COCO, the 18 of OpenPose or the 133 of COCO WholeBody. Networks of three kinds are read:
YOLO with (x, y, confidence) of each point, for many people; for one person that fills the picture, heat maps
1 × points × height × width (with 19, the last is OpenPose's background), and SimCC, which gives 1 × points × columns
and 1 × points × rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from server.engines.maps.yolo import candidates
from server.engines.network import look, unlike
from server.engines.vision import Array, numpy

COCO, OPENPOSE, WHOLE_BODY = 17, 18, 133
_SCORE = 0.25
_NO_BACKGROUND = {OPENPOSE + 1: OPENPOSE}


def people(picture: Array, path: Path, options: Mapping[str, Any]) -> Array:
    """Everybody whom a YOLO network finds: people × points × 3, x and y in pixels and a confidence.

    The option `points` says how many points it gives of each; 17 without it.
    """
    points = options.get("points", COCO)
    found = candidates(picture, path, options, _SCORE, 3 * points)
    placed = found.more.reshape(-1, points, 3)
    placed[..., :2] = found.place.back(placed[..., :2])
    return placed


def person(picture: Array, path: Path, options: Mapping[str, Any]) -> Array:
    """The one person that heat maps or SimCC show: 1 × points × 3, x and y in pixels and a confidence."""
    outputs, place = look(picture, path, options, letterbox=True)
    found = outputs[0]
    if found.ndim == 4:
        points = _warmest(found[0], place.size)
    elif found.ndim == 3 and len(outputs) == 2 and found.shape[1] == outputs[1].shape[1]:
        points = _most_likely(found[0], outputs[1][0], place.size)
    else:
        raise unlike(path, found, "heat maps 1 × points × height × width, or SimCC's two outputs")
    if len(points) not in (COCO, OPENPOSE, WHOLE_BODY):
        raise unlike(path, found, f"{COCO}, {OPENPOSE} or {WHOLE_BODY} points")
    points[:, :2] = place.back(points[:, :2])
    return points[None]


def _warmest(heat: Array, size: tuple[int, int]) -> Array:
    """Where each heat map is warmest, points × 3 in pixels of an input of this size.

    A quarter of a cell towards the warmer neighbour makes up for the coarse grid (Newell et al. 2016).
    """
    heat = numpy.nan_to_num(heat[: _NO_BACKGROUND.get(len(heat), len(heat))].astype(numpy.float32))
    height, width = heat.shape[1:]
    points = numpy.empty((len(heat), 3), numpy.float32)
    for index, plane in enumerate(heat):
        row, column = divmod(int(plane.argmax()), width)
        around = numpy.pad(plane, 1, mode="edge")[row : row + 3, column : column + 3]
        across, down = numpy.sign((around[1, 2] - around[1, 0], around[2, 1] - around[0, 1])) / 4
        x, y = (column + 0.5 + across) * size[0] / width, (row + 0.5 + down) * size[1] / height
        points[index] = x, y, plane[row, column]
    return points


def _most_likely(across: Array, down: Array, size: tuple[int, int]) -> Array:
    """The most likely column and row of each point, points × 3 in pixels of an input of this size."""
    x = (across.argmax(axis=1) + 0.5) * size[0] / across.shape[1]
    y = (down.argmax(axis=1) + 0.5) * size[1] / down.shape[1]
    sure = numpy.minimum(across.max(axis=1), down.max(axis=1))
    return numpy.nan_to_num(numpy.stack([x, y, sure], axis=1).astype(numpy.float32))
