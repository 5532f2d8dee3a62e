"""Fine edges by closed-form matting, where PyMatting is installed.

Levin et al., "A Closed-Form Solution to Natural Image Matting", TPAMI 2008. Its cost grows with the zone that is
unknown, so it is used only where that is narrow, on a reduced picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from server.engines.cutout.edges import enlarged
from server.engines.vision import Array, cv2, numpy, shrunk

_SIDE = 768
_MOST_UNKNOWN = 0.25
"""The share of the picture that may be unknown."""
MISSING = "Alpha matting needs the extra 'taskarray[matting]'; the edges were refined by a guided filter instead."
VAGUE = "The mask leaves too much open for alpha matting; the edges were refined by a guided filter instead."


@dataclass(frozen=True)
class Trimap:
    """What counts as known: alpha above `foreground` or below `background`, both shrunk by a square of `erode` px."""

    foreground: int = 240
    background: int = 10
    erode: int = 10


def matted(picture: Array, alpha: Array, trimap: Trimap) -> tuple[Array | None, str]:
    """Alpha (uint8 h×w) with its edge solved anew, or None and a sentence that says why it could not be."""
    if find_spec("pymatting") is None:
        return None, MISSING
    small = shrunk(picture, _SIDE)
    height, width = small.shape[:2]
    known = _known(cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA), trimap, width / alpha.shape[1])
    unknown = float((known == 0.5).mean())
    if unknown > _MOST_UNKNOWN:
        return None, VAGUE
    if not unknown or not (known == 0).any() or not (known == 1).any():
        return alpha, ""
    from pymatting import estimate_alpha_cf

    return enlarged(estimate_alpha_cf(small / 255.0, known), picture), ""


def _known(alpha: Array, trimap: Trimap, scale: float) -> Array:
    """1 where the subject is for sure, 0 where the background is, 0.5 between."""
    side = max(1, round(trimap.erode * scale))
    square = numpy.ones((side, side), numpy.uint8)
    known = numpy.full(alpha.shape, 0.5)
    for value, sure in ((1.0, alpha > trimap.foreground), (0.0, alpha < trimap.background)):
        kept = cv2.erode(sure.astype(numpy.uint8), square, borderType=cv2.BORDER_REPLICATE)
        known[kept > 0] = value
    return known
