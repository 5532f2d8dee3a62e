"""Maps by networks that judge every pixel: depth, surface normals, classes. See `network` for their options."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from server.engines.network import look, unlike
from server.engines.vision import Array, cv2, numpy

_GOLDEN = 0.618033988749895
"""Hues by this part of the circle apart never come together, and neighbours are far from each other."""
_COLOURS = 256


def depth(picture: Array, path: Path, options: Mapping[str, Any]) -> Array:
    """Near is white, far is black; grey `h × w`, stretched to the whole range.

    The network gives a number for each pixel, larger for nearer; with the option `distance = true`, for farther.
    """
    found = _output(picture, path, options)
    if found.ndim < 2 or found.size != found.shape[-1] * found.shape[-2]:
        raise unlike(path, found, "a number for each pixel, 1 × height × width")
    near = numpy.nan_to_num(found.reshape(found.shape[-2:]).astype(numpy.float32), posinf=0, neginf=0)
    low, high = float(near.min()), float(near.max())
    grey = (near - low) / (high - low) * 255 if high > low else numpy.zeros_like(near)
    return _enlarged(255 - grey if options.get("distance") else grey, picture).round().astype(numpy.uint8)


def normals(picture: Array, path: Path, options: Mapping[str, Any]) -> Array:
    """The directions of the surfaces as colours, `h × w × 3`: x, y, z from -1 to 1 are red, green, blue from 0 to 255.

    The network gives x, y and z for each pixel; the option `flip = [-1, 1, 1]` turns axes round.
    """
    found = _output(picture, path, options)
    if found.ndim != 4 or found.shape[1] < 3:
        raise unlike(path, found, "a direction for each pixel, 1 × 3 × height × width")
    directions = numpy.nan_to_num(found[0, :3].astype(numpy.float32).transpose(1, 2, 0))
    directions = _enlarged(directions * numpy.asarray(options.get("flip", (1, 1, 1)), numpy.float32), picture)
    length = numpy.linalg.norm(directions, axis=2, keepdims=True)
    return ((directions / numpy.maximum(length, 1e-6) + 1) * 127.5).round().astype(numpy.uint8)


def segmentation(picture: Array, path: Path, options: Mapping[str, Any]) -> Array:
    """Every pixel in the colour of its class, `h × w × 3`.

    The network gives a score for each class and pixel, or the number of the class. The option `palette`, a list
    of `[red, green, blue]`, has the colours that a ControlNet was trained with; without it they are computed.
    """
    found = _output(picture, path, options)
    classes = found.argmax(axis=1) if found.ndim == 4 and found.shape[1] > 1 else found
    if classes.ndim < 2 or classes.size != classes.shape[-1] * classes.shape[-2]:
        raise unlike(path, found, "a score for each class and pixel, 1 × classes × height × width")
    colours = numpy.asarray(options.get("palette") or palette(), numpy.uint8)
    map_ = colours[classes.reshape(classes.shape[-2:]).astype(numpy.int64) % len(colours)]
    return _enlarged(map_, picture, cv2.INTER_NEAREST)


def palette() -> list[tuple[int, int, int]]:
    """A colour for each of 256 classes, no two alike, neighbours far apart; the first is black."""
    colours = [(0, 0, 0)]
    for index in range(1, _COLOURS):
        saturation, value = 1 - 0.25 * (index % 3), 1 - 0.2 * (index % 4)
        red, green, blue = colorsys.hsv_to_rgb(index * _GOLDEN % 1, saturation, value)
        colours.append((round(red * 255), round(green * 255), round(blue * 255)))
    return colours


def _output(picture: Array, path: Path, options: Mapping[str, Any]) -> Array:
    outputs, _ = look(picture, path, options)
    return outputs[0]


def _enlarged(map_: Array, picture: Array, interpolation: int = cv2.INTER_LINEAR) -> Array:
    height, width = picture.shape[:2]
    return cv2.resize(map_, (width, height), interpolation=interpolation)
