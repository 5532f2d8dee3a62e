"""Faces, hands or persons by a YOLO network of the operator (v8 and after), in boxes or in their own shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from server.engines.maps.yolo import Candidates, candidates
from server.engines.masking.detection import Box, Detection
from server.engines.vision import Array, cv2, numpy


def detections(
    picture: Array, path: Path, options: Mapping[str, Any], confidence: float, outline: Callable[[Box], Array]
) -> list[Detection]:
    """What the network finds, outlined in its box; where the network gives masks too, in its own shape.

    Masks are mixed of the second output, 1 × planes × height × width (Bolya et al. 2019, YOLACT). Raises
    ProcessingFailed for another network.
    """
    seen = candidates(picture, path, options, confidence, None)
    found: list[Detection] = []
    for index, sides in enumerate(seen.boxes):
        left, top, right, bottom = seen.place.back(sides.reshape(2, 2)).reshape(4).tolist()
        box = left, top, right, bottom
        outlines = _shape(seen, index) if seen.outputs else (outline(box),)
        found.append(Detection(box, min(1.0, float(seen.scores[index])), outlines))
    return found


def _shape(seen: Candidates, index: int) -> tuple[Array, ...]:
    """The outlines of a candidate's mask within its box, in the picture."""
    planes = seen.outputs[0][0].astype(numpy.float32)
    mixed = cv2.resize(numpy.tensordot(seen.more[index], planes, axes=1), seen.place.size)
    inside = numpy.zeros(mixed.shape, numpy.uint8)
    left, top, right, bottom = seen.boxes[index].round().astype(int).clip(0, max(seen.place.size))
    # The network means a sigmoid, which is more than a half where its argument is positive.
    inside[top:bottom, left:right] = mixed[top:bottom, left:right] > 0
    contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return tuple(seen.place.back(contour.reshape(-1, 2) + 0.5) for contour in contours)
