"""Photographs whose subjects were outlined by hand, 2 to 4 pixels exact, and those subjects before other backdrops."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import cv2
import numpy
import skimage
from PIL import Image

_FOLDER = Path(skimage.__file__).parent / "data"
_OUTLINES = {
    "astronaut.png": """154,52 168,38 185,28 215,18 245,16 270,24 290,42 300,68 300,95 290,118 276,132 266,140 256,172
        280,185 300,215 303,238 335,258 352,285 360,325 362,350 390,344 420,345 455,362 480,395 495,440 503,460 511,475
        511,511 108,511 60,511 30,495 22,455 18,405 26,360 28,330 38,290 48,270 75,240 112,208 116,190 130,165 150,152
        180,147 183,135 160,112 154,85""",
    "coffee.png": """172,80 185,50 210,32 250,20 290,17 335,25 375,45 397,70 405,66 420,68 424,78 420,105 445,130
        468,170 479,215 476,260 455,310 420,350 370,376 310,388 250,385 190,368 135,335 95,285 78,235 77,195 90,150
        115,110 150,82""",
    "rocket.jpg": """323,126 330,134 334,145 334,390 355,392 356,365 358,395 372,408 374,427 268,427 268,408 285,400
        288,365 308,365 308,170 312,145 316,134""",
    "camera.png": """0,250 20,235 50,190 75,145 100,128 132,122 150,106 160,100 165,80 185,66 210,62 235,72 255,85
        270,105 271,130 258,140 290,138 322,138 325,155 315,170 328,168 332,190 320,205 308,215 307,245 298,250 304,275
        297,310 320,302 335,298 338,305 325,308 308,318 308,325 318,340 385,460 395,478 405,511 398,511 385,490 300,487
        270,487 245,495 238,511 230,511 230,490 250,440 282,330 278,320 288,305 284,285 265,302 245,312 215,298 190,320
        160,360 145,380 150,430 150,511 142,511 120,475 100,445 90,511 0,511""",
    "motorcycle_left.png": """92,215 95,200 130,205 140,200 140,165 145,148 160,148 165,160 200,165 235,165 270,188
        320,190 355,190 395,175 430,158 470,155 475,130 495,115 500,98 530,95 545,120 560,138 560,170 545,190 555,200
        575,258 610,270 645,300 640,312 665,340 682,385 680,420 660,445 635,450 590,435 555,405 520,350 508,325 506,300
        520,275 490,225 470,225 470,245 478,290 470,340 445,370 410,380 345,375 340,395 340,425 330,437 323,430 325,375
        280,362 265,380 235,395 205,402 165,390 135,360 122,320 125,280 145,250 160,240 110,248""",
    "chelsea.png": """42,0 385,0 395,12 380,40 355,65 362,110 362,150 350,180 325,205 318,235 300,262 285,299 0,299
        0,190 30,120 33,70 38,30""",
}
PHOTOGRAPHS = tuple(_OUTLINES)
SITTERS = ("astronaut.png", "coffee.png", "motorcycle_left.png")
BACKDROPS = ("white", "grey", "teal", "dark")


@cache
def photograph(name: str) -> numpy.ndarray:
    """h × w × 3."""
    return numpy.asarray(Image.open(_FOLDER / name).convert("RGB"))


@cache
def outlined(name: str) -> numpy.ndarray:
    """Where the subject of a photograph is, as its outline says."""
    mask = numpy.zeros(photograph(name).shape[:2], numpy.uint8)
    points = [tuple(map(int, point.split(","))) for point in _OUTLINES[name].split()]
    return cv2.fillPoly(mask, [numpy.array(points, numpy.int32)], 1) > 0


def overlap(alpha: numpy.ndarray, truth: numpy.ndarray) -> float:
    """Intersection over union of alpha (0 to 255) above the half and the truth."""
    found = alpha > 127
    return float((found & truth).sum() / (found | truth).sum())


@cache
def studio(name: str, backdrop: str, side: int = 480) -> tuple[numpy.ndarray, numpy.ndarray]:
    """A subject as if it had been photographed before a plain backdrop, and where it is.

    With a cast shadow, noise, the marks of a JPEG, and an edge that mixes subject and backdrop.
    """
    inside = cv2.erode(outlined(name).astype(numpy.uint8), numpy.ones((5, 5)), borderValue=1).astype(numpy.float32)
    rows, columns = (numpy.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    scale = 0.72 * side / max(inside[part].shape)
    colours, alpha = (
        cv2.resize(one[part].astype(numpy.float32), None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        for one in (photograph(name), cv2.GaussianBlur(inside, (0, 0), 0.8))
    )
    height, width = alpha.shape
    top = side - height if name == "astronaut.png" else (side - height) // 2
    place = slice(top, top + height), slice((side - width) // 2, (side - width) // 2 + width)
    opaque = numpy.zeros((side, side, 1), numpy.float32)
    opaque[place] = alpha[..., None]
    ground = _backdrop(backdrop, side)
    shift = numpy.array([[1, 0, 0.012 * side], [0, 1, 0.018 * side]], numpy.float32)
    shadow = cv2.GaussianBlur(cv2.warpAffine(opaque, shift, (side, side)), (0, 0), 0.016 * side)
    picture = ground * (1 - 0.22 * shadow[..., None]) * (1 - opaque)
    picture[place] += colours * opaque[place]
    picture += numpy.random.default_rng(0).normal(0, 2, (side, side, 1))
    return _as_jpeg(numpy.clip(picture, 0, 255).astype(numpy.uint8)), opaque[..., 0] > 0.5


def _backdrop(kind: str, side: int) -> numpy.ndarray:
    y, x = numpy.mgrid[:side, :side][..., None] / side
    one = numpy.ones(3)
    return {
        "white": 250 * one + 0 * x,
        "grey": (235 - 50 * y + 10 * x) * one,
        "teal": (1.15 - 0.5 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)) * [40, 140, 150],
        "dark": (58 - 20 * y) * one,
    }[kind]


def _as_jpeg(picture: numpy.ndarray) -> numpy.ndarray:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="JPEG", quality=90)
    return numpy.asarray(Image.open(file))
