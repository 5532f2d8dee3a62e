"""What stands out in a photograph: saliency by boundary connectivity, and where faces are.

Zhu et al., "Saliency Optimization from Robust Background Detection", CVPR 2014: regions well connected to the
border of the picture are background, regions that contrast with them are the subject.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from cv2.data import haarcascades

from server.engines.cutout.superpixels import Superpixels, slic
from server.engines.vision import Array, cv2, numpy, shrunk, to_lab

_SIDE = 300
_REGIONS = (100, 140, 190, 250, 320)
"""The picture is parted coarsely and finely; the mean depends less on where the regions' edges happen to fall."""
_SAME = 3.0
"""Neighbouring regions closer than this in Lab count as one surface."""
_COLOUR, _PLACE = 10.0, 0.4
"""Falloffs: of colour distances in Lab, of places as a share of the longer side."""
_SURE_FACE = 3.5


def saliency(picture: Array) -> Array:
    """How much each pixel stands out, float32 h×w from 0 to 1, of an h×w×3 RGB picture of at least 16 px a side."""
    found = _stretched(cv2.resize(connectivity(picture), picture.shape[1::-1]))
    people = faces(picture)
    return _stretched(0.5 * found + 0.6 * _bodies(picture.shape[:2], people)) if people else found


def connectivity(picture: Array) -> Array:
    """Saliency by boundary connectivity, float32 at no more than 300 px a side, 0 to 1."""
    lab = to_lab(shrunk(picture, _SIDE))
    return numpy.mean([_contrast(slic(lab, regions)) for regions in _REGIONS], axis=0)


def _contrast(regions: Superpixels) -> Array:
    differences = _distances(regions.colours)
    pairs = regions.neighbours()
    background = _background(regions, differences, pairs)
    places = regions.centres / max(regions.labels.shape)
    near = numpy.exp(-(_distances(places) ** 2) / (2 * _PLACE**2))
    contrast = _spread((differences * near * background).sum(axis=1))
    values = _optimised(differences, pairs, background, contrast)
    return values[regions.labels].astype(numpy.float32)


def _background(regions: Superpixels, differences: Array, pairs: Array) -> Array:
    """How surely each region is background, 0 to 1, by the share of its surface that lies on the border."""
    border = regions.border()
    steps = numpy.full(differences.shape, numpy.inf)
    steps[pairs[:, 0], pairs[:, 1]] = differences[pairs[:, 0], pairs[:, 1]]
    steps = numpy.minimum(steps, steps.T)
    steps[numpy.ix_(border, border)] = differences[numpy.ix_(border, border)]
    steps[steps < _SAME] = 0
    numpy.fill_diagonal(steps, 0)
    surface = numpy.exp(-(_shortest(steps) ** 2) / (2 * _COLOUR**2))
    connected = surface[:, border].sum(axis=1) / numpy.sqrt(surface.sum(axis=1))
    return 1 - numpy.exp(-(connected**2) / 2)


def _shortest(steps: Array) -> Array:
    """All shortest paths (Floyd, Warshall)."""
    paths = steps.astype(numpy.float32)
    detour = numpy.empty_like(paths)
    for through in range(len(paths)):
        numpy.add(paths[:, through, None], paths[through], out=detour)
        numpy.minimum(paths, detour, out=paths)
    return paths


def _optimised(differences: Array, pairs: Array, background: Array, contrast: Array) -> Array:
    """The least squares solution that agrees with contrast and background and is smooth within a colour."""
    smooth = numpy.zeros_like(differences)
    a, b = pairs[:, 0], pairs[:, 1]
    smooth[a, b] = smooth[b, a] = numpy.exp(-(differences[a, b] ** 2) / (2 * _COLOUR**2)) + 0.1
    pull = numpy.where(background < 0.1, 0, background * 5)
    system = numpy.diag(smooth.sum(axis=1) + pull + contrast + 1e-9) - smooth
    return _spread(numpy.linalg.solve(system, contrast))


def faces(picture: Array) -> list[tuple[int, int, int, int]]:
    """Frontal faces that are surely there, as x, y, width, height in pixels (Viola and Jones, 2001)."""
    small = shrunk(picture, 640)
    grey = cv2.equalizeHist(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
    scale = picture.shape[1] / small.shape[1]
    least = max(24, int(0.09 * min(grey.shape)))
    boxes, _, weights = _detector().detectMultiScale3(
        grey, scaleFactor=1.1, minNeighbors=6, minSize=(least, least), outputRejectLevels=True
    )
    sure = numpy.ravel(weights) > _SURE_FACE
    return [(int(x), int(y), int(w), int(h)) for x, y, w, h in numpy.array(boxes).reshape(-1, 4)[sure] * scale]


@lru_cache(maxsize=1)
def _detector() -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(str(Path(haarcascades) / "haarcascade_frontalface_default.xml"))


def _bodies(shape: tuple[int, ...], people: list[tuple[int, int, int, int]]) -> Array:
    """Where heads and shoulders are likely, 0 to 1, under the faces of a picture."""
    height, width = shape
    likely = numpy.zeros((height, width), numpy.float32)
    for x, y, w, h in people:
        middle = x + w / 2
        axes = (int(0.62 * w), int(0.85 * h))
        cv2.ellipse(likely, (int(middle), int(y + 0.45 * h)), axes, 0, 0, 360, (1.0,), -1)
        half = numpy.array([0.45, 0.45, 1.5, 1.8, -1.8, -1.5]) * [-1, 1, 1, 1, 1, 1] * w
        down = [y + 1.1 * h, y + 1.1 * h, y + 1.9 * h, height + h, height + h, y + 1.9 * h]
        cv2.fillPoly(likely, [numpy.stack([middle + half, down], axis=1).astype(numpy.int32)], (0.9,))
    return cv2.GaussianBlur(likely, (0, 0), max(1, 0.01 * max(height, width)))


def _distances(points: Array) -> Array:
    return numpy.linalg.norm(points[:, None] - points[None], axis=-1)


def _spread(values: Array) -> Array:
    return (values - values.min()) / (numpy.ptp(values) + 1e-9)


def _stretched(values: Array) -> Array:
    low, high = numpy.percentile(values, 1), numpy.percentile(values, 99.5)
    return numpy.clip((values - low) / (high - low + 1e-9), 0, 1).astype(numpy.float32)
