"""Find the subject by a network of the operator's: an ONNX file of the U²-Net, ISNet, BiRefNet, RMBG or MODNet kind.

These take one RGB picture and give one map of the subject. Beside what every network's options say (`size`, `mean`,
`std`, `output`), those of a model may hold:

- `activation`: `"sigmoid"` where the map is logits, `"none"` (the default) where it is 0 to 1 already.
- `normalise`: true where the map is to be stretched so that its extremes are 0 and 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from server.engines.cutout.subject import Subject
from server.engines.network import look, unlike
from server.engines.vision import Array, Progress, numpy
from server.errors import ProcessingFailed

_EMPTY = "The model sees no subject in this picture."
_SEEN = 0.5
"""Where the map stays below this, the model sees no subject."""


def find_with(name: str, path: Path, options: Mapping[str, Any], picture: Array, progress: Progress) -> Subject:
    """The subject of an h×w×3 RGB picture as the model `name` in the file `path` sees it.

    Raises ProcessingFailed for a file that is no such model, and for a map that is no mask.
    """
    progress(0.1, "model")
    answer = look(picture, path, options)[0][0]
    seen = numpy.squeeze(answer).astype(numpy.float32)
    if seen.ndim != 2:
        raise unlike(path, answer, "one map of the subject, 1 × 1 × height × width")
    return believed(name, _map(name, seen, options))


def _map(name: str, seen: Array, options: Mapping[str, Any]) -> Array:
    """The map from 0 to 1."""
    if options.get("activation", "none") == "sigmoid":
        seen = 1 / (1 + numpy.exp(-numpy.clip(seen, -30, 30)))
    if not numpy.isfinite(seen).all():
        raise ProcessingFailed(
            f"The model {name} gave numbers that are not finite. Its file is damaged, or made for another precision.",
            parameter="model",
        )
    if options.get("normalise", False):
        low, spread = seen.min(), numpy.ptp(seen)
        seen = (seen - low) / spread if spread > 0 else seen
    return numpy.clip(seen, 0, 1)


def believed(name: str, mask: Array) -> Subject:
    """A model's mask (0 to 1) as the subject; as sure as the model was decided about what it took to be subject."""
    area = float(mask.sum())
    if not area or mask.max() < _SEEN:
        return Subject(mask, name, 0.0, _EMPTY, exact=True)
    undecided = float((mask * (1 - mask)).sum())
    return Subject(mask, name, round(1 - undecided / area, 3), "", exact=True)
