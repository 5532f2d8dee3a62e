"""Find the subject of a picture without a model: before a plain backdrop, or by what stands out."""

from __future__ import annotations

from dataclasses import dataclass

from server.engines.cutout import backdrop
from server.engines.cutout.saliency import saliency
from server.engines.cutout.segment import distinctness, grab, likeness, otsu, tidy
from server.engines.vision import Array, Progress, cv2, numpy, shrunk, to_lab

BACKDROP, SALIENCY, NOTHING = "taskarray:backdrop@1", "taskarray:saliency@1", "taskarray:none@1"

_SIDE = 512
_NARROWEST = 16
"""Pictures with a side below this (once reduced to 512 px) show no subject to be found."""
_FLAT = 2.0
"""Standard deviation of the strongest channel, in levels, below which a picture is of one colour."""
_SPECK, _TINY, _HUGE = 0.0005, 0.01, 0.85
"""Shares of the picture: too little to be a subject, suspiciously little, suspiciously much."""
_NOISE = 3.0
"""How much more the parts of a picture must differ than those of independent pixels would."""
_TOUCHING = 0.05
"""A side of the picture counts as touched where the subject lies on this share of it."""
_DISTINCT = 20.0
"""Distance in Lab from which on a subject stands out clearly from what lies next to it."""
_ALIKE = 0.9
"""Where the colours of subject and surroundings are more alike than this, GrabCut finds nothing, and takes minutes."""
_UNSURE = 0.5


@dataclass(frozen=True)
class Subject:
    """Where the subject is.

    `mask` is float32, 0 to 1, at any size. `exact` says that it is alpha already and needs no edge of its own.
    `confidence` is 0 to 1; `notice` is one sentence where the result may be poor, else empty.
    """

    mask: Array
    engine: str
    confidence: float
    notice: str = ""
    exact: bool = False


def find(picture: Array, progress: Progress) -> Subject:
    """The subject of an h×w×3 RGB picture of any size; the whole picture where none is found."""
    small = shrunk(picture, _SIDE)
    if min(small.shape[:2]) < _NARROWEST:
        return _whole("The picture is too small or too narrow to tell a subject from its background.")
    if float(small.reshape(-1, 3).std(axis=0).max()) < _FLAT:
        return _whole("The picture is of one colour, so there is no subject to cut out.")
    progress(0.1, "backdrop")
    keyed = backdrop.key(small)
    if keyed is not None:
        return _judged(tidy(keyed.subject), BACKDROP, keyed.fitting)
    progress(0.2, "saliency")
    return _salient(small, progress)


def _whole(notice: str) -> Subject:
    return Subject(numpy.ones((1, 1), numpy.float32), NOTHING, 0.0, notice, exact=True)


def _salient(picture: Array, progress: Progress) -> Subject:
    found = None if _is_noise(picture) else saliency(picture)
    if found is None or not found.any():
        return _whole("No subject stands out, so the picture is returned whole.")
    progress(0.4, "outline")
    standing = (found > otsu(found)).astype(numpy.uint8)
    alike = likeness(picture, standing)
    mask = tidy(grab(picture, found) if alike < _ALIKE else standing)
    distinct = min(1.0, distinctness(to_lab(picture), mask) / _DISTINCT)
    return _judged(mask, SALIENCY, _overlap(standing, mask) * distinct * min(1.0, 4 * (1 - alike)))


def _overlap(one: Array, other: Array) -> float:
    """Intersection over union of two masks."""
    return float((one & other).sum() / max(1, (one | other).sum()))


def _is_noise(picture: Array) -> bool:
    """Whether the means of a picture's parts vary as little as those of independent pixels."""
    parts = min(16, min(picture.shape[:2]) // 4)
    means = cv2.resize(picture.astype(numpy.float32), (parts, parts), interpolation=cv2.INTER_AREA)
    pixels = picture.shape[0] * picture.shape[1] / parts**2
    return bool(means.var(axis=(0, 1)).sum() * pixels < _NOISE * picture.var(axis=(0, 1)).sum())


def _judged(mask: Array, engine: str, confidence: float) -> Subject:
    """The subject with what speaks against it: each doubt halves the confidence, the first is told."""
    share = float(mask.mean())
    if share < _SPECK or share == 1:
        return _whole("No subject stands out, so the picture is returned whole.")
    doubts = [sentence for sentence, holds in _doubts(mask, share) if holds]
    confidence *= 0.5 ** len(doubts)
    if not doubts and confidence < _UNSURE:
        doubts = ["The subject hardly stands out from its surroundings, so parts may be missing or too much."]
    return Subject(mask.astype(numpy.float32), engine, round(confidence, 3), doubts[0] if doubts else "")


def _doubts(mask: Array, share: float) -> list[tuple[str, bool]]:
    sides = mask[0], mask[-1], mask[:, 0], mask[:, -1]
    touched = sum(side.mean() > _TOUCHING for side in sides)
    return [
        ("The subject touches two or more sides of the picture, so parts may be missing or too much.", touched >= 2),
        ("The subject found is very small; it may be a detail of the real one.", share < _TINY),
        ("The subject found fills nearly the whole picture; some background may be left.", share > _HUGE),
    ]
