"""Superpixels: a picture as a few hundred compact regions of one colour, and which of them touch.

SLIC (Achanta et al., "SLIC Superpixels Compared to State-of-the-Art Superpixel Methods", TPAMI 2012), with the
candidates of a pixel fixed to the nine seeds around its cell of the grid, so that every step is whole arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

from server.engines.vision import Array, cv2, numpy

_ROUNDS = 5
_SMALLEST = 0.25
"""Pieces below this share of a cell are given to their surroundings."""


@dataclass(frozen=True)
class Superpixels:
    """`labels` is h×w int32; `colours` n×3 and `centres` n×2 (y, x, in pixels) are the regions' means."""

    labels: Array
    colours: Array
    centres: Array
    sizes: Array

    def neighbours(self) -> Array:
        """Pairs of regions that share an edge, m×2, each pair once."""
        found = self.labels
        across = numpy.stack([found[:, :-1].ravel(), found[:, 1:].ravel()], axis=1)
        down = numpy.stack([found[:-1].ravel(), found[1:].ravel()], axis=1)
        pairs = numpy.concatenate([across, down])
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        return numpy.unique(numpy.sort(pairs, axis=1), axis=0)

    def border(self) -> Array:
        """For each region, whether it touches the border of the picture."""
        found = self.labels
        touching = numpy.zeros(len(self.sizes), bool)
        touching[numpy.concatenate([found[0], found[-1], found[:, 0], found[:, -1]])] = True
        return touching


def slic(lab: Array, regions: int, compactness: float = 15.0) -> Superpixels:
    """Part a Lab picture (float32 h×w×3, both sides at least 2) into about `regions` superpixels."""
    height, width = lab.shape[:2]
    step = (height * width / regions) ** 0.5
    rows, columns = max(1, round(height / step)), max(1, round(width / step))
    nearness = compactness / step
    y, x = numpy.mgrid[:height, :width].astype(numpy.float32) * nearness
    features = numpy.stack([*cv2.split(lab), y, x])
    cells = numpy.arange(height) * rows // height, numpy.arange(width) * columns // width
    labels = cells[0][:, None] * columns + cells[1]
    for _ in range(_ROUNDS):
        seeds = _means(features, labels, rows * columns)[0]
        labels = _nearest(features, seeds.reshape(5, rows, columns).astype(numpy.float32), *cells)
    labels = _connected(labels, columns, _SMALLEST * step * step)
    means, sizes = _means(features, labels, int(labels.max()) + 1)
    return Superpixels(labels, means[:3].T, means[3:].T / nearness, sizes)


def _means(features: Array, labels: Array, count: int) -> tuple[Array, Array]:
    """Of each feature (n×h×w) in each region, n×count; and the regions' sizes."""
    flat = labels.ravel()
    sizes = numpy.bincount(flat, minlength=count)
    sums = numpy.stack([numpy.bincount(flat, plane.ravel(), count) for plane in features])
    return sums / numpy.maximum(sizes, 1), sizes


def _nearest(features: Array, seeds: Array, cell_y: Array, cell_x: Array) -> Array:
    """The label of the nearest of the nine seeds around each pixel's cell."""
    _, rows, columns = seeds.shape
    best = numpy.full(features.shape[1:], numpy.inf, numpy.float32)
    labels = numpy.zeros(best.shape, numpy.int64)
    for dy in (-1, 0, 1):
        near_y = numpy.clip(cell_y + dy, 0, rows - 1)
        for dx in (-1, 0, 1):
            near_x = numpy.clip(cell_x + dx, 0, columns - 1)
            distance = numpy.zeros_like(best)
            for plane, seed in zip(features, seeds, strict=True):
                apart = plane - seed[near_y][:, near_x]
                apart *= apart
                distance += apart
            labels = numpy.where(distance < best, near_y[:, None] * columns + near_x, labels)
            numpy.minimum(best, distance, out=best)
    return labels


def _connected(labels: Array, columns: int, smallest: float) -> Array:
    """Each connected piece becomes a region of its own; small pieces join the piece nearest to them.

    Pixels that touch come from neighbouring cells, so their labels are at most three grid cells apart: labels of
    one class modulo 4 never touch, and one pass of connected components serves them all.
    """
    pieces = numpy.zeros(labels.shape, numpy.int32)
    count = 0
    classes = (labels // columns % 4) * 4 + labels % columns % 4
    for one in range(16):
        here = (classes == one).astype(numpy.uint8)
        found, parts = cv2.connectedComponents(here, connectivity=4)
        pieces = numpy.where(here > 0, parts + count, pieces)
        count += found - 1
    sizes = numpy.bincount(pieces.ravel(), minlength=count + 1)
    small = sizes[pieces] < min(smallest, sizes.max())
    if small.any():
        nearest = numpy.asarray(
            cv2.distanceTransformWithLabels(small.astype(numpy.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)[
                1
            ],
            numpy.int32,
        )
        owners = numpy.zeros(int(nearest.max()) + 1, numpy.int32)
        owners[nearest[~small]] = pieces[~small]
        pieces = owners[nearest]
    return numpy.unique(pieces, return_inverse=True)[1].reshape(labels.shape).astype(numpy.int32)
