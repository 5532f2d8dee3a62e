"""Poses drawn as ControlNet learnt them: the 18 points of OpenPose in the colours of the rainbow, on black."""

from __future__ import annotations

import colorsys

from server.engines.maps.pose import COCO, WHOLE_BODY
from server.engines.maps.scale import unit
from server.engines.vision import Array, cv2, numpy

_FROM_COCO = (0, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""The points of OpenPose after COCO's numbers: nose, right arm, left arm, right leg, left leg, eyes, ears. The neck,
which COCO lacks, comes after the nose."""
_SHOULDERS = [5, 6]
_FACE, _HANDS = slice(23, 91), (slice(91, 112), slice(112, 133))
_LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10),
    (1, 11), (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
_FINGERS = tuple(
    (0 if joint == 0 else 4 * finger + joint, 4 * finger + joint + 1) for finger in range(5) for joint in range(4)
)
_SURE = 0.3
"""Points of less confidence are not drawn."""
_STICK, _DOT, _FINE = 4, 4, 2
"""Half the width of a limb, the radius of a joint, and the width of a finger, in a 512-pixel picture."""
_LIMB_SHADE = 0.6
_FAR = 30_000
"""Pixels beyond which nothing is seen; OpenCV draws no further."""


def skeletons(people: Array, like: Array, *, body: bool, hands: bool, face: bool) -> Array:
    """People × points × 3 (x, y, confidence) drawn at the size of a picture, `h × w × 3`.

    Hands and faces are drawn where the points have them (see `has_hands_and_face`).
    """
    canvas = numpy.zeros_like(like)
    size = unit(like)
    for points in people.clip(-_FAR, _FAR):
        if body:
            _draw_body(canvas, openpose(points), size)
        if hands and has_hands_and_face(people):
            for hand in _HANDS:
                _draw_hand(canvas, points[hand], size)
        if face and has_hands_and_face(people):
            _draw_dots(canvas, points[_FACE], [(255, 255, 255)] * len(points), 0.75 * _DOT * size)
    return canvas


def has_hands_and_face(people: Array) -> bool:
    """Whether points (people × points × 3) are those of a whole body."""
    return people.shape[1] == WHOLE_BODY


def openpose(points: Array) -> Array:
    """The 18 body points of OpenPose from those of any of the forms, points × 3."""
    if len(points) not in (COCO, WHOLE_BODY):
        return points
    shoulders = points[_SHOULDERS]
    neck = [*shoulders[:, :2].mean(axis=0), shoulders[:, 2].min()]
    return numpy.insert(points[list(_FROM_COCO)], 1, neck, axis=0)


def _draw_body(canvas: Array, points: Array, size: float) -> None:
    colours = [_hue(index, len(points)) for index in range(len(points))]
    for (start, end), colour in zip(_LIMBS, colours, strict=False):
        if min(points[start, 2], points[end, 2]) >= _SURE:
            shade = tuple(int(level * _LIMB_SHADE) for level in colour)
            _draw_limb(canvas, points[start, :2], points[end, :2], shade, size)
    _draw_dots(canvas, points, colours, _DOT * size)


def _draw_limb(canvas: Array, start: Array, end: Array, colour: tuple[int, ...], size: float) -> None:
    """A slim ellipse from joint to joint."""
    middle, along = (start + end) / 2, end - start
    axes = max(1, round(float(numpy.hypot(*along)) / 2)), max(1, round(_STICK * size))
    angle = float(numpy.degrees(numpy.arctan2(along[1], along[0])))
    outline = cv2.ellipse2Poly((round(float(middle[0])), round(float(middle[1]))), axes, round(angle), 0, 360, 4)
    cv2.fillConvexPoly(canvas, numpy.array(outline), colour)


def _draw_hand(canvas: Array, points: Array, size: float) -> None:
    for index, (start, end) in enumerate(_FINGERS):
        if min(points[start, 2], points[end, 2]) >= _SURE:
            ends = numpy.round(points[[start, end], :2]).astype(int).tolist()
            cv2.line(canvas, ends[0], ends[1], _hue(index, len(_FINGERS)), max(1, round(_FINE * size)))
    _draw_dots(canvas, points, [(0, 0, 255)] * len(points), _DOT * size)


def _draw_dots(canvas: Array, points: Array, colours: list[tuple[int, int, int]], radius: float) -> None:
    for (x, y, sure), colour in zip(points, colours, strict=False):
        if sure >= _SURE:
            cv2.circle(canvas, (round(float(x)), round(float(y))), max(1, round(radius)), colour, cv2.FILLED)


def _hue(index: int, count: int) -> tuple[int, int, int]:
    """The colour so far round the circle of colours."""
    red, green, blue = colorsys.hsv_to_rgb(index / count, 1, 1)
    return round(red * 255), round(green * 255), round(blue * 255)
