"""Dead leaves: made pictures with the edges, occlusions and spectra of photographs, and no owner.

After Lee, Mumford and Huang, "Occlusion models for natural images" (2001): opaque shapes whose sizes follow a
power law, each before the ones drawn earlier.
"""

from __future__ import annotations

import cv2
import numpy
from numpy.random import Generator

_OVERSAMPLING = 2
_TEXTURES = 5


def picture(seed: int, size: int) -> numpy.ndarray:
    """A grey picture, size × size, float32 between 0 and 255, made of the seed alone."""
    rng = numpy.random.default_rng(seed)
    side = size * _OVERSAMPLING
    canvas = numpy.full((side, side), rng.uniform(0, 255), numpy.float32)
    textures = [_texture(rng, side) for _ in range(_TEXTURES)]
    for radius in _radii(rng):
        _drop(rng, canvas, radius * _OVERSAMPLING, textures[rng.integers(_TEXTURES)])
    return cv2.resize(numpy.clip(canvas, 0, 255), (size, size), interpolation=cv2.INTER_AREA)


def _radii(rng: Generator) -> numpy.ndarray:
    """Radii with the density r⁻³, which makes the picture look alike at every scale."""
    least, most = rng.uniform(2, 8), rng.uniform(60, 220)
    share = rng.random(int(rng.integers(250, 900)))
    radii = (most**-2 + (least**-2 - most**-2) * share) ** -0.5
    return numpy.sort(radii)[::-1] if rng.random() < 0.4 else radii


def _texture(rng: Generator, side: int) -> numpy.ndarray:
    """What a leaf is covered with: nothing, soft noise, stripes, or noise with a falling spectrum."""
    kind = rng.integers(4)
    if kind == 0:
        return numpy.zeros((side, side), numpy.float32)
    noise = rng.standard_normal((side, side)).astype(numpy.float32)
    if kind == 1:
        noise = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.5, 4))
    elif kind == 2:
        noise = _stripes(rng, side) + 0.2 * noise
    else:
        noise = falling(noise, rng.uniform(0.8, 1.6))
    return noise / (noise.std() + 1e-6) * numpy.float32(rng.uniform(3, 28))


def falling(noise: numpy.ndarray, power: float) -> numpy.ndarray:
    """White noise given an amplitude spectrum of frequency to the power of −`power`."""
    height, width = noise.shape
    radius = numpy.hypot(numpy.fft.fftfreq(height)[:, None], numpy.fft.rfftfreq(width)[None])
    radius[0, 0] = 1
    return numpy.fft.irfft2(numpy.fft.rfft2(noise) / radius**power, s=noise.shape).astype(numpy.float32)


def _stripes(rng: Generator, side: int) -> numpy.ndarray:
    y, x = numpy.mgrid[:side, :side].astype(numpy.float32)
    angle = rng.uniform(0, numpy.pi)
    return numpy.sin(rng.uniform(0.05, 0.9) * (x * numpy.cos(angle) + y * numpy.sin(angle)))


def _drop(rng: Generator, canvas: numpy.ndarray, radius: float, texture: numpy.ndarray) -> None:
    """Draw one leaf somewhere."""
    side = canvas.shape[0]
    x, y = rng.uniform(0, side, 2)
    left, right = int(max(0, x - 2 * radius - 2)), int(min(side, x + 2 * radius + 2))
    top, bottom = int(max(0, y - 2 * radius - 2)), int(min(side, y + 2 * radius + 2))
    shape = _shape(rng, (bottom - top, right - left), (x - left, y - top), radius).astype(numpy.float32) / 255
    if rng.random() < 0.2:
        shape = cv2.GaussianBlur(shape, (0, 0), rng.uniform(0.5, 4) * _OVERSAMPLING)
    grey = numpy.clip(rng.normal(127, 70), 0, 255) + texture[top:bottom, left:right]
    if rng.random() < 0.5:
        slope = rng.uniform(-24, 24, 2) / max(radius, 4)
        grey = grey + slope[0] * (numpy.arange(left, right) - x) + slope[1] * (numpy.arange(top, bottom) - y)[:, None]
    under = canvas[top:bottom, left:right]
    under += shape * (grey.astype(numpy.float32) - under)


def _shape(rng: Generator, size: tuple[int, int], centre: tuple[float, float], radius: float) -> numpy.ndarray:
    """A leaf's outline, filled with 255: an ellipse, a polygon, a line or a few letters."""
    mask = numpy.zeros(size, numpy.uint8)
    x, y = centre
    kind = rng.integers(5)
    if kind <= 1:
        axes = max(1, int(radius)), max(1, int(radius * rng.uniform(0.3, 1)))
        cv2.ellipse(mask, (int(x), int(y)), axes, rng.uniform(0, 180), 0, 360, 255, -1)
    elif kind == 2:
        angles = numpy.sort(rng.uniform(0, 2 * numpy.pi, rng.integers(3, 8)))
        reach = radius * rng.uniform(0.5, 1.4, len(angles))
        corners = numpy.stack([x + numpy.cos(angles) * reach, y + numpy.sin(angles) * reach], 1)
        cv2.fillPoly(mask, [corners.astype(numpy.int32)], 255)
    elif kind == 3:
        angle = rng.uniform(0, numpy.pi)
        dx, dy = 2 * radius * numpy.cos(angle), 2 * radius * numpy.sin(angle)
        thickness = int(rng.integers(1, 6)) * _OVERSAMPLING
        cv2.line(mask, (int(x - dx), int(y - dy)), (int(x + dx), int(y + dy)), 255, thickness)
    else:
        letters = "".join(chr(code) for code in rng.integers(33, 126, rng.integers(2, 9)))
        scale, thickness = _OVERSAMPLING * rng.uniform(0.35, 1.6), int(rng.integers(1, 4)) * _OVERSAMPLING
        cv2.putText(mask, letters, (0, int(y)), int(rng.integers(8)), scale, 255, thickness, cv2.LINE_AA)
    return mask
