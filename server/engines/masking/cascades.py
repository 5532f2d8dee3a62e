"""Faces that look at the viewer, and their eyes, by the Haar cascades inside OpenCV (Viola and Jones 2001)."""

from __future__ import annotations

from functools import cache
from math import exp
from typing import Any

from cv2.data import haarcascades

from server.engines.masking.detection import Box, Detection, around, ellipse
from server.engines.vision import Array, cv2, numpy

_WORKING_SIDE = 1280
_SMALLEST_FACE = 24
_FACE_WIDTH_FOR_EYES = 200
"""Pixels to which a face is scaled before its eyes are looked for; they are found best in this size."""
_FEWEST = 3
_DOUBTFUL = 16
"""So many windows that agree make a confidence of 0.63."""


def faces(picture: Array, confidence: float) -> list[Detection]:
    """The faces, each an ellipse from the brow to the chin."""
    return [Detection(box, sure, (_face_outline(box),)) for box, sure in _faces(_grey(picture), confidence)]


def eyes(picture: Array, confidence: float) -> list[Detection]:
    """The eyes, those of one face together; a face whose eyes are not found is left out."""
    grey = _grey(picture)
    found: list[Detection] = []
    for face, sure in _faces(grey, confidence):
        outlines = tuple(_eye_outline(eye) for eye in _eyes_of(grey, face))
        if outlines:
            found.append(Detection(around(outlines), sure, outlines))
    return found


def _faces(grey: Array, confidence: float) -> list[tuple[Box, float]]:
    """Boxes of faces in a grey picture and their confidence."""
    scale = min(1.0, _WORKING_SIDE / max(grey.shape))
    small = _scaled(grey, scale)
    if min(small.shape) < _SMALLEST_FACE:
        return []
    boxes = _windows("haarcascade_frontalface_alt2", small, _SMALLEST_FACE, max(small.shape))
    return [(_moved(box, scale), sure) for box, sure in boxes if sure >= confidence]


def _eyes_of(grey: Array, face: Box) -> list[Box]:
    """The surest eye in each half of a face, above its middle."""
    left, top, right, bottom = (round(side) for side in face)
    upper = grey[top : top + round((bottom - top) * 0.6), left:right]
    scale = _FACE_WIDTH_FOR_EYES / (right - left)
    smallest, largest = round(_FACE_WIDTH_FOR_EYES * 0.12), round(_FACE_WIDTH_FOR_EYES * 0.4)
    boxes = _windows("haarcascade_eye_tree_eyeglasses", _scaled(upper, scale), smallest, largest)
    halves: dict[bool, Box] = {}
    for box, _ in sorted(boxes, key=lambda found: found[1]):
        halves[(box[0] + box[2]) / 2 < _FACE_WIDTH_FOR_EYES / 2] = _moved(box, scale, left, top)
    return list(halves.values())


def _windows(name: str, grey: Array, smallest: int, largest: int) -> list[tuple[Box, float]]:
    """The boxes that a cascade finds, each with a confidence that grows with the number of windows in agreement.

    On photographs that number tells faces from chance finds: 7 to 80 against 3 or 4. What the last stage of the
    cascade weighs does not.
    """
    boxes: Any
    boxes, counts = _cascade(name).detectMultiScale2(
        grey, scaleFactor=1.1, minNeighbors=_FEWEST, minSize=(smallest, smallest), maxSize=(largest, largest)
    )
    return [
        ((float(x), float(y), float(x + width), float(y + height)), 1 - exp(-int(count) / _DOUBTFUL))
        for (x, y, width, height), count in zip(boxes, counts, strict=True)
    ]


@cache
def _cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(f"{haarcascades}{name}.xml")


def _grey(picture: Array) -> Array:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def _scaled(grey: Array, scale: float) -> Array:
    height, width = grey.shape
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def _moved(box: Box, scale: float, left: float = 0, top: float = 0) -> Box:
    """A box of a scaled cutting, in the picture."""
    return box[0] / scale + left, box[1] / scale + top, box[2] / scale + left, box[3] / scale + top


def _face_outline(box: Box) -> Array:
    """The ellipse of a face: the cascade's box ends above the chin."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    return ellipse(numpy.array([left + width / 2, top + 0.6 * height]), 0.48 * width, 0.58 * height)


def _eye_outline(box: Box) -> Array:
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    return ellipse(numpy.array([left + width / 2, top + height / 2]), 0.6 * width, 0.36 * height)
