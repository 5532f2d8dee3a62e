"""Faces and their parts by YuNet (Wu et al. 2023), a network of the operator that OpenCV runs.

Option `size`: pixels of the longer side at which faces are looked for, 640 without it. Faces are found from about
10 to 300 pixels there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import atan2, hypot
from pathlib import Path
from typing import Any

from server.engines.masking.detection import Box, Detection, around, ellipse, inscribed
from server.engines.vision import Array, cv2
from server.errors import ProcessingFailed

_USUAL_SIDE = 640
_OVERLAP = 0.3
_MOST = 5000


def faces(picture: Array, path: Path, options: Mapping[str, Any], confidence: float) -> list[Detection]:
    """The faces, each an ellipse. Raises ProcessingFailed for a file that is no YuNet."""
    found = _found(picture, path, options, confidence)
    return [Detection(box, sure, (inscribed(box),)) for box, _, sure in found]


def parts(
    picture: Array, path: Path, options: Mapping[str, Any], confidence: float, names: Sequence[str]
) -> list[Detection]:
    """Parts of each face together: of `eyes`, `nose`, `lips` those that are named. Raises ProcessingFailed."""
    found: list[Detection] = []
    for _, points, sure in _found(picture, path, options, confidence):
        outlines = tuple(outline for name in names for outline in _OUTLINES[name](points))
        found.append(Detection(around(outlines), sure, outlines))
    return found


def _found(picture: Array, path: Path, options: Mapping[str, Any], confidence: float) -> list[tuple[Box, Array, float]]:
    """Box, points and confidence of each face. The points: the eyes, the tip of the nose, the corners of the mouth."""
    height, width = picture.shape[:2]
    scale = min(1.0, options.get("size", _USUAL_SIDE) / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
    try:
        detector = cv2.FaceDetectorYN.create(str(path), "", size, confidence, _OVERLAP, _MOST)
        # It gives None, not an empty array, where there is no face.
        rows: Any = detector.detect(small)[1]
    except cv2.error as failure:
        sentence = f"The network {path.name} cannot be used: OpenCV does not take it for a YuNet."
        raise ProcessingFailed(sentence, parameter="model") from failure
    across, down = width / size[0], height / size[1]
    return [] if rows is None else [_face(row * ([across, down] * 7 + [1])) for row in rows]


def _face(row: Array) -> tuple[Box, Array, float]:
    left, top, width, height = row[:4].tolist()
    return (left, top, left + width, top + height), row[4:14].reshape(5, 2), float(row[14])


def _eyes(points: Array) -> list[Array]:
    apart, angle = _apart(points)
    return [ellipse(eye, 0.3 * apart, 0.18 * apart, angle) for eye in points[:2]]


def _nose(points: Array) -> list[Array]:
    """From the root, between the eyes, to below the tip."""
    apart, angle = _apart(points)
    root, tip = points[:2].mean(axis=0), points[2]
    return [ellipse(root + 0.75 * (tip - root), 0.3 * apart, 0.65 * hypot(*(tip - root)), angle)]


def _lips(points: Array) -> list[Array]:
    _, angle = _apart(points)
    wide = hypot(*(points[4] - points[3]))
    return [ellipse(points[3:].mean(axis=0), 0.6 * wide, 0.3 * wide, angle)]


def _apart(points: Array) -> tuple[float, float]:
    """How far the eyes are from each other, and the angle of the line through them."""
    across, down = (points[1] - points[0]).tolist()
    return max(1.0, hypot(across, down)), atan2(down, across)


_OUTLINES: Mapping[str, Callable[[Array], list[Array]]] = {"eyes": _eyes, "nose": _nose, "lips": _lips}
