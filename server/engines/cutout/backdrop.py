"""Subjects before a plain backdrop: a smooth model of the backdrop, and what differs from it.

The backdrop is a polynomial of second order in Lab, fitted robustly to the border; what fits it and is connected with
the border is background. A soft shadow (darker, same colour) counts as backdrop.
"""

from __future__ import annotations

from dataclasses import dataclass

from server.engines.vision import Array, cv2, numpy, to_lab

_BORDER = 0.04
"""The border's width as a share of the shorter side."""
_LOOSE = 25.0
"""Border pixels further than this in Lab from the border's median take no part in the first fit."""
_FITTING = 8.0
"""A border pixel this near to the model fits it."""
_ENOUGH = 0.72
"""The share of border pixels that must fit; photographs of a scene with some sky stay below it."""
_LARGEST = 0.95
"""The share of the picture that a subject may take."""
_RIM = 4
"""How far into a subject, in pixels, its edge may be mixed with the backdrop."""
_APART, _ON_LINE = 0.3, 0.1
"""Distances between colours (channels 0 to 1): of subject and backdrop so that mixtures can be told, and of a mixture
from the line between the two."""


@dataclass(frozen=True)
class Keyed:
    """`subject` is a uint8 mask (0 or 1) of the picture's size; `fitting` the border's share that fits."""

    subject: Array
    fitting: float


def key(picture: Array) -> Keyed | None:
    """The subject before a plain backdrop, of a reduced h×w×3 RGB picture; None where the backdrop is not plain.

    Where nothing stands before the backdrop, the subject is empty.
    """
    lab = to_lab(picture)
    terms = _terms(*lab.shape[:2])
    fitted = _fit_border(lab, terms)
    if fitted is None:
        return None
    model, fitting, spread = fitted
    background = _behind(lab, terms @ model, spread)
    for _ in range(2):
        sure = background & (numpy.linalg.norm(lab - terms @ model, axis=-1) < _tolerance(spread))
        model = _solve(terms[sure], lab[sure], (1e-3, 1e-2))
        background = _behind(lab, terms @ model, spread)
    subject = _less_halo(picture, terms @ model, (~background).astype(numpy.uint8))
    return Keyed(subject, fitting) if subject.mean() < _LARGEST else None


def _terms(height: int, width: int) -> Array:
    y, x = numpy.mgrid[:height, :width].astype(numpy.float32)
    x, y = x / width - 0.5, y / height - 0.5
    return numpy.stack([numpy.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)


def _solve(terms: Array, values: Array, stiffness: tuple[float, float]) -> Array:
    """Ridge regression: `stiffness` holds the slopes and the curvature down, as a share of the pixels."""
    slope, curve = stiffness
    ridge = numpy.diag([0, slope, slope, curve, curve, curve]) * len(terms) * 0.05
    return numpy.linalg.solve(terms.T @ terms + ridge, terms.T @ values)


def _fit_border(lab: Array, terms: Array) -> tuple[Array, float, float] | None:
    """Model, share of the border that fits it, and typical distance from it; None where the border is no backdrop."""
    height, width = lab.shape[:2]
    edge = max(3, int(_BORDER * min(height, width)))
    border = numpy.ones((height, width), bool)
    border[edge:-edge, edge:-edge] = False
    away = numpy.linalg.norm(lab - numpy.median(lab[border], axis=0), axis=-1)
    plain = [(side < _LOOSE).mean() > 0.5 for side in (away[:edge], away[-edge:], away[:, :edge], away[:, -edge:])]
    stiffness = (1e-3, 1e-1) if all(plain) else (1e-2, 3.0)
    keep = away[border] < _LOOSE
    if keep.mean() < 0.55:
        return None
    points, values = terms[border], lab[border]
    model = _solve(points[keep], values[keep], stiffness)
    for _ in range(3):
        rest = numpy.linalg.norm(values - points @ model, axis=1)
        keep = rest < max(4, 2.5 * numpy.median(rest))
        model = _solve(points[keep], values[keep], stiffness)
    rest = numpy.linalg.norm(values - points @ model, axis=1)
    fitting = float((rest < _FITTING).mean())
    return (model, fitting, float(numpy.median(rest))) if fitting >= _ENOUGH else None


def _tolerance(spread: float) -> float:
    return max(5.0, 4 * spread)


def _behind(lab: Array, model: Array, spread: float) -> Array:
    """What is backdrop or a soft shadow on it, and connected with the border."""
    near = numpy.linalg.norm(lab - model, axis=-1) < _tolerance(spread)
    darker = model[..., 0] - lab[..., 0]
    tinted = numpy.linalg.norm(lab[..., 1:] - model[..., 1:], axis=-1)
    shadow = (darker > 0) & (darker < 28) & (tinted < 6) & (model[..., 0] > 35)
    candidates = (near | shadow).astype(numpy.uint8)
    _, parts = cv2.connectedComponents(candidates, connectivity=4)
    border = numpy.unique(numpy.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    return numpy.isin(parts, border[border > 0])


def _less_halo(picture: Array, model: Array, subject: Array) -> Array:
    """The subject without those pixels of its rim that are more backdrop than subject.

    Where the colours of the two are near each other, nothing can be told.
    """
    colours, ground = picture / numpy.float32(255), cv2.cvtColor(model.astype(numpy.float32), cv2.COLOR_LAB2RGB)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _RIM + 1, 2 * _RIM + 1))
    core = cv2.erode(subject, disc, borderType=cv2.BORDER_REPLICATE).astype(numpy.float32)
    window = (4 * _RIM + 1, 4 * _RIM + 1)
    weight = cv2.blur(core, window)[..., None]
    line = cv2.blur(colours * core[..., None], window) / (weight + 1e-6) - ground
    length = numpy.linalg.norm(line, axis=-1)
    share = ((colours - ground) * line).sum(axis=-1) / (length**2 + 1e-6)
    beside = numpy.linalg.norm(colours - ground - share[..., None] * line, axis=-1)
    told = (core == 0) & (weight[..., 0] > 0.02) & (length > _APART) & (beside < _ON_LINE)
    return numpy.where(told & (share < 0.5), 0, subject).astype(numpy.uint8)
