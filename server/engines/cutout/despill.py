"""Takes the green that a screen behind the subject has thrown on its edge out of a cut-out."""

from __future__ import annotations

from server.engines.vision import Array, cv2, numpy, to_lab

_GREEN = (-0.788, 0.616)
"""The hue of the usual screens, as a direction in the plane of a and b of CIE Lab."""
_SURE, _OTHER = 0.91, 0.71
"""Cosines of the angles to it, 25° and 45°, up to which a hue is green, and from which on it is another one."""
_REACH = 1 / 60
"""How far into the subject the screen shines, as a share of the longer side."""
_OPAQUE = 250


def despilled(colours: Array, alpha: Array) -> Array:
    """The colours (h×w×3 uint8) of a cut-out without green at its edge, each pixel as light as before.

    What is green becomes grey; deeper inside the subject less and less, so that a green shirt stays one.
    """
    lab = to_lab(colours)
    a, b = lab[..., 1], lab[..., 2]
    likeness = (a * _GREEN[0] + b * _GREEN[1]) / numpy.maximum(numpy.hypot(a, b), 1)
    spill = numpy.clip((likeness - _OTHER) / (_SURE - _OTHER), 0, 1) * _nearness(alpha)
    lab[..., 1:] *= 1 - spill[..., None]
    clean = cv2.cvtColor(lab, cv2.COLOR_Lab2RGB)
    kept = (spill == 0)[..., None]
    return numpy.where(kept, colours, numpy.clip(numpy.rint(clean * 255), 0, 255).astype(numpy.uint8))


def _nearness(alpha: Array) -> Array:
    """1 where something else shows through, falling to 0 at the reach inside the subject (h×w float32)."""
    reach = max(2.0, max(alpha.shape) * _REACH)
    inside = cv2.copyMakeBorder((alpha >= _OPAQUE).astype(numpy.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1]
    return numpy.clip(1 - (depth - 1) / reach, 0, 1).astype(numpy.float32)
