"""What a detector has found, and the outlines by which a mask shows it."""

from __future__ import annotations

from dataclasses import dataclass

from server.engines.vision import Array, numpy

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels; right and bottom lie outside."""

_CORNERS = 72


@dataclass(frozen=True)
class Detection:
    """Something found, with a confidence of 0 to 1. An outline is a polygon, corners × 2 (x, y)."""

    box: Box
    confidence: float
    outlines: tuple[Array, ...]


def ellipse(middle: Array, across: float, down: float, angle: float = 0) -> Array:
    """The outline of an ellipse with these half axes, turned clockwise by an angle in radians."""
    turn = numpy.linspace(0, 2 * numpy.pi, _CORNERS, endpoint=False)
    x, y = across * numpy.cos(turn), down * numpy.sin(turn)
    cos, sin = numpy.cos(angle), numpy.sin(angle)
    return numpy.stack([middle[0] + x * cos - y * sin, middle[1] + x * sin + y * cos], axis=1)


def inscribed(box: Box) -> Array:
    """The outline of the upright ellipse in a box."""
    left, top, right, bottom = box
    return ellipse(numpy.array([left + right, top + bottom]) / 2, (right - left) / 2, (bottom - top) / 2)


def rectangle(box: Box) -> Array:
    """The outline of a box."""
    left, top, right, bottom = box
    return numpy.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def around(outlines: tuple[Array, ...]) -> Box:
    """The box of outlines."""
    corners = numpy.concatenate(outlines)
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return left, top, right, bottom
