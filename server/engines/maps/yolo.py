"""YOLO networks (v8 and after) of the operator's ONNX files: their candidates, thinned out. See `network`.

Such a network gives 1 × (4 + classes + more) × candidates: the middle and size of a box in pixels of its input, a
score for each class, and what else it says of a candidate. Colours go in from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.engines.network import Place, look, unlike
from server.engines.vision import Array, cv2, numpy
from server.errors import ProcessingFailed

_PLAIN = {"mean": 0, "std": 1, "size": 640}
_OVERLAP = 0.6
"""Of two candidates that share more of their boxes than this, the weaker one goes."""


@dataclass(frozen=True)
class Candidates:
    """What is left, the surest first. `place` is the place of the picture in the input."""

    boxes: Array
    """n × 4: left, top, right, bottom in pixels of the input."""
    scores: Array
    more: Array
    """n × more, as the network gives it."""
    outputs: list[Array]
    """What the network gives besides."""
    place: Place


def candidates(picture: Array, path: Path, options: Mapping[str, Any], score: float, more: int | None) -> Candidates:
    """The candidates of at least this score, of any class; of one class with the option `class = 0`.

    `more` is how many numbers of a candidate come after its classes; None: as many as the second output has planes,
    of which masks are mixed. Raises ProcessingFailed for another network.
    """
    outputs, place = look(picture, path, _PLAIN | dict(options), letterbox=True)
    found, *rest = outputs
    if more is None:
        if rest and rest[0].ndim != 4:
            raise unlike(path, rest[0], "masks as its second output, 1 × planes × height × width")
        more = int(rest[0].shape[1]) if rest else 0
    if found.ndim != 3 or found.shape[0] != 1 or found.shape[1] < 5 + more:
        raise unlike(path, found, f"1 × (4 + classes + {more}) × candidates")
    rows = numpy.nan_to_num(found[0].T.astype(numpy.float32), posinf=0, neginf=0)
    classes = rows[:, 4 : rows.shape[1] - more]
    scores = _scores(path, classes, options.get("class"))
    sure = scores >= score
    boxes, scores, extra = rows[sure, :4], scores[sure], rows[sure, rows.shape[1] - more :]
    boxes[:, :2] -= boxes[:, 2:] / 2
    kept = numpy.asarray(cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), score, _OVERLAP), int).reshape(-1)
    boxes[:, 2:] += boxes[:, :2]
    return Candidates(boxes[kept], scores[kept], extra[kept], rest, place)


def _scores(path: Path, classes: Array, only: int | None) -> Array:
    """Each candidate's score: that of one class, or of its surest. Raises ProcessingFailed where that class is none."""
    if only is None:
        return classes.max(axis=1)
    if not 0 <= only < classes.shape[1]:
        sentence = f"The network {path.name} has {classes.shape[1]} classes, and its option `class` names {only}."
        raise ProcessingFailed(sentence, parameter="model")
    return classes[:, only]
