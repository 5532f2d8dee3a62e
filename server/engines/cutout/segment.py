"""From what stands out to a subject with a border: GrabCut, and masks freed of crumbs and pinholes.

Rother et al., "GrabCut: Interactive Foreground Extraction using Iterated Graph Cuts", SIGGRAPH 2004, with the
saliency in place of the user's rectangle.
"""

from __future__ import annotations

from server.engines.vision import Array, cv2, numpy

_ROUNDS = 4
_CRUMB = 0.12
"""Pieces smaller than this share of the largest piece are dropped."""
_PINHOLE = 0.004
"""Holes smaller than this share of the picture are filled."""
_REACH, _WEIGHTY = 9, 0.02
"""How far from an outline its two sides are compared, in pixels; what share of the surroundings they must fill."""


def grab(picture: Array, salient: Array) -> Array:
    """The subject as a uint8 mask (0 or 1), from saliency (float32, 0 to 1, of the picture's size, not constant)."""
    hints = _hints(salient)
    backgrounds, foregrounds = numpy.zeros((1, 65)), numpy.zeros((1, 65))
    cv2.setRNGSeed(7)
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    cv2.grabCut(bgr, hints, (0, 0, 0, 0), backgrounds, foregrounds, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    return ((hints == cv2.GC_FGD) | (hints == cv2.GC_PR_FGD)).astype(numpy.uint8)


def _hints(salient: Array) -> Array:
    """What GrabCut starts from; both sure classes have members, as it demands."""
    split = otsu(salient)
    hints = numpy.full(salient.shape, cv2.GC_PR_BGD, numpy.uint8)
    hints[salient > split] = cv2.GC_PR_FGD
    hints[salient > max(0.8, split + 0.5 * (1 - split))] = cv2.GC_FGD
    hints[salient < 0.35 * split] = cv2.GC_BGD
    hints[salient == salient.max()] = cv2.GC_FGD
    hints[salient == salient.min()] = cv2.GC_BGD
    return hints


def otsu(values: Array) -> float:
    """The threshold that parts values of 0 to 1 best into two classes (Otsu, 1979)."""
    return cv2.threshold((values * 255).astype(numpy.uint8), 0, 255, cv2.THRESH_OTSU)[0] / 255


def tidy(mask: Array) -> Array:
    """The mask (uint8, 0 or 1) without thin threads, crumbs and pinholes."""
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, numpy.ones((3, 3), numpy.uint8))
    _, parts, facts, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    areas = facts[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    kept = numpy.flatnonzero((areas > 0) & (areas >= _CRUMB * areas.max()))
    solid = numpy.isin(parts, kept).astype(numpy.uint8)
    _, parts, facts, _ = cv2.connectedComponentsWithStats(1 - solid, connectivity=4)
    holes = numpy.flatnonzero(facts[:, cv2.CC_STAT_AREA] < _PINHOLE * mask.size)
    solid[numpy.isin(parts, holes[holes > 0])] = 1
    return solid


def likeness(picture: Array, mask: Array) -> float:
    """How alike the colours of a subject and of the rest are, 0 to 1: Bhattacharyya's coefficient of 16³ classes."""
    levels = (picture >> 4).astype(numpy.int32)
    classes = ((levels[..., 0] << 8) | (levels[..., 1] << 4) | levels[..., 2]).ravel()
    counts = [numpy.bincount(classes, part.ravel(), 4096) for part in (mask, 1 - mask)]
    return float(numpy.sqrt(counts[0] * counts[1]).sum() / numpy.sqrt(counts[0].sum() * counts[1].sum() + 1e-9))


def distinctness(lab: Array, mask: Array) -> float:
    """How much the subject differs in Lab from what lies next to it, where a quarter of its outline differs less."""
    window = (2 * _REACH + 1, 2 * _REACH + 1)
    sides: list[Array] = []
    weights: list[Array] = []
    for part in (mask, 1 - mask):
        depth = cv2.distanceTransform(part, cv2.DIST_L2, 3)
        band = ((depth > 2) & (depth < _REACH)).astype(numpy.float32)
        weights.append(cv2.blur(band, window))
        sides.append(cv2.blur(lab * band[..., None], window) / (weights[-1][..., None] + 1e-6))
    outline = cv2.dilate(mask, numpy.ones((3, 3), numpy.uint8)) > mask
    told = outline & (weights[0] > _WEIGHTY) & (weights[1] > _WEIGHTY)
    return float(numpy.percentile(numpy.linalg.norm(sides[0] - sides[1], axis=-1)[told], 25)) if told.any() else 0.0
