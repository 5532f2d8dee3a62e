"""The edge of a cut-out: alpha that follows the picture's own edges, and colours free of the old background.

He et al., "Guided Image Filtering", TPAMI 2013, with colour guidance; Forte, "Approximate Fast Foreground Colour
Estimation" (blur fusion), ICIP 2021.
"""

from __future__ import annotations

from server.engines.vision import Array, cv2, numpy, shrunk

_SIDE = 1024
_RADIUS = 0.006
"""Of the guided filter, as a share of the longer side."""
_FLAT = 1e-4
"""Variance (of channels from 0 to 1) below which the filter smooths."""
_SMOOTH = 2.0
"""Of a mask that is smoothed, in pixels."""
_STRIP, _OVERLAP = 256, 52
_FAR, _NEAR = 90, 6
"""Widths in pixels of the two passes of blur fusion; the overlap of strips covers their halves."""


def guided(picture: Array, mask: Array) -> Array:
    """A mask (float 0 to 1 or uint8 0 or 1, any size) as alpha, uint8 h×w, along the edges of an RGB picture."""
    small = shrunk(picture, _SIDE)
    height, width = small.shape[:2]
    wanted = cv2.resize(mask.astype(numpy.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    radius = max(2, round(_RADIUS * max(height, width)))
    alpha = _filtered(small.astype(numpy.float32) / 255, wanted, radius)
    alpha = numpy.clip((alpha - 0.12) / 0.76, 0, 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (4 * radius + 1, 4 * radius + 1))
    solid = (wanted > 0.5).astype(numpy.uint8)
    alpha[cv2.erode(solid, disc, borderType=cv2.BORDER_REPLICATE) > 0] = 1
    alpha[cv2.dilate(solid, disc) == 0] = 0
    return enlarged(alpha, picture)


def enlarged(alpha: Array, picture: Array) -> Array:
    """Alpha (float, 0 to 1) as uint8 at the size of the picture."""
    levels = (numpy.clip(alpha, 0, 1) * 255 + 0.5).astype(numpy.uint8)
    return cv2.resize(levels, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def smoothed(alpha: Array) -> Array:
    """Alpha (uint8) without threads and crumbs, its border rounded off, two pixels wide."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    soft = cv2.GaussianBlur(cv2.morphologyEx(alpha, cv2.MORPH_OPEN, disc), (0, 0), _SMOOTH).astype(numpy.float32)
    return numpy.clip((soft - 128) * _SMOOTH * 1.25 + 128, 0, 255).astype(numpy.uint8)


def _filtered(guide: Array, values: Array, radius: int) -> Array:
    """The guided filter: in every window, values as a linear function of the guide's colours."""

    def mean(of: Array) -> Array:
        return cv2.blur(of, (2 * radius + 1, 2 * radius + 1))

    colours = cv2.split(guide)
    centre, level = [mean(one) for one in colours], mean(values)
    shared = [mean(one * values) - middle * level for one, middle in zip(colours, centre, strict=True)]
    spread = {
        (i, j): mean(colours[i] * colours[j]) - centre[i] * centre[j] + (_FLAT if i == j else 0)
        for i in range(3)
        for j in range(i, 3)
    }
    slopes = _solved(spread, shared)
    offset = level - sum(slope * middle for slope, middle in zip(slopes, centre, strict=True))
    return mean(offset) + sum(mean(slope) * one for slope, one in zip(slopes, colours, strict=True))


def _solved(spread: dict[tuple[int, int], Array], shared: list[Array]) -> list[Array]:
    """x of spread · x = shared at every pixel, for a symmetric positive 3×3 matrix, by its adjugate."""
    a, b, c, d, e, f = (spread[key] for key in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)))
    rows = (
        (d * f - e * e, c * e - b * f, b * e - c * d),
        (c * e - b * f, a * f - c * c, b * c - a * e),
        (b * e - c * d, b * c - a * e, a * d - b * b),
    )
    whole = a * rows[0][0] + b * rows[0][1] + c * rows[0][2]
    return [sum(cell * part for cell, part in zip(row, shared, strict=True)) / whole for row in rows]


def foreground(picture: Array, alpha: Array) -> Array:
    """The subject's own colours, uint8 h×w×3: free of background where alpha is partial, zero where it is 0.

    In strips over the columns that hold partial alpha, so that large pictures take little memory.
    """
    colours = picture.copy()
    colours[alpha == 0] = 0
    partial = (alpha > 0) & (alpha < 255)
    columns = numpy.flatnonzero(partial.any(axis=0))
    if not columns.size:
        return colours
    left, right = max(0, columns[0] - _OVERLAP), columns[-1] + 1 + _OVERLAP
    for top in range(0, len(alpha), _STRIP):
        here = partial[top : top + _STRIP, left:right]
        if here.any():
            start = max(0, top - _OVERLAP)
            window = slice(start, top + _STRIP + _OVERLAP), slice(left, right)
            fused = _fused(picture[window], alpha[window])[top - start :][: len(here)]
            colours[top : top + _STRIP, left:right][here] = fused[here]
    return colours


def _fused(picture: Array, alpha: Array) -> Array:
    """Blur fusion in two passes, over wide and then narrow surroundings."""
    colours = picture.astype(numpy.float32) / 255
    opaque = (alpha.astype(numpy.float32) / 255)[..., None]
    front = behind = colours
    for width in (_FAR, _NEAR):
        front, behind = _pass(colours, front, behind, opaque, width)
    return (front * 255 + 0.5).astype(numpy.uint8)


def _pass(colours: Array, front: Array, behind: Array, opaque: Array, width: int) -> tuple[Array, Array]:
    def mean(of: Array) -> Array:
        return cv2.blur(of, (width, width))

    weight = mean(opaque)[..., None]
    front = mean(front * opaque) / (weight + 1e-5)
    behind = mean(behind * (1 - opaque)) / (1 - weight + 1e-5)
    missing = colours - opaque * front - (1 - opaque) * behind
    return numpy.clip(front + opaque * missing, 0, 1), behind
