"""blur, sharpen, grayscale and adjust."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from PIL import Image
from skimage.filters import gaussian

from server.engines.transforms.tone import adjust, blur, grayscale, sharpen
from tests.engines.transforms.drawing import cat, cut_out, pixels, ramp, seen

SAME: dict[str, Any] = {"brightness": 1, "contrast": 1, "saturation": 1}
MASK: dict[str, Any] = {"amount": 1, "radius": 2, "threshold": 0}


@pytest.mark.parametrize("sigma", [1, 4])
def test_blur(sigma: float):
    """blur is a Gaussian of that sigma."""
    true = gaussian(pixels(cat()), sigma, channel_axis=2, preserve_range=True, mode="nearest")
    assert abs(pixels(blur(cat(), sigma=sigma)) - true).mean() < 1


def test_blur_without_fringe():
    """A blur makes transparent edges soft, and hidden colours do not show in them."""
    found = blur(cut_out(), sigma=4)
    assert (seen(found) > 240).all()
    assert len(numpy.unique(pixels(found)[..., 3])) > 50


def test_sharpen():
    """sharpen adds amount times what a blur takes away."""
    original, blurred = pixels(cat()), pixels(blur(cat(), sigma=2))
    expected = (original + 1.5 * (original - blurred)).clip(0, 255)
    assert abs(pixels(sharpen(cat(), **MASK | {"amount": 1.5})) - expected).max() <= 1


def test_sharpen_leaves_small_differences():
    """What differs by no more than the threshold stays as it is."""
    original, found = pixels(cat()), pixels(sharpen(cat(), **MASK | {"threshold": 12}))
    changed = (original != found).any(axis=2)
    steep = pixels(Image.fromarray(abs(original - pixels(blur(cat(), sigma=2))).astype(numpy.uint8)).convert("L")) > 12
    assert 0 < changed.mean() < 0.5
    assert not changed[~steep].any()


def test_sharpen_without_fringe():
    """sharpen keeps transparency, and hidden colours do not count."""
    found = sharpen(cut_out(), **MASK | {"amount": 3})
    assert (pixels(found)[..., 3] == pixels(cut_out())[..., 3]).all()
    assert (seen(found) == 255).all()


def test_grayscale():
    """grayscale has one luma in all three channels, and keeps transparency."""
    found, original = pixels(grayscale(cat())), pixels(cat())
    assert (found[..., 0] == found[..., 1]).all()
    assert (found[..., 0] == found[..., 2]).all()
    assert abs(found[..., 0] - original @ [0.299, 0.587, 0.114]).max() <= 1
    assert (pixels(grayscale(cut_out())) == pixels(cut_out())).all()


def test_adjust_nothing():
    """Factors of 1 leave every pixel as it is."""
    assert (pixels(adjust(cat(), **SAME)) == pixels(cat())).all()
    assert (pixels(adjust(cut_out(), **SAME)) == pixels(cut_out())).all()


def test_brightness_and_contrast():
    """brightness multiplies; contrast then moves away from middle grey."""
    original = pixels(ramp(256, 2))
    bright = (original * 1.5).clip(0, 255)
    assert abs(pixels(adjust(ramp(256, 2), **SAME | {"brightness": 1.5})) - bright).max() <= 1
    both = ((bright - 127.5) * 0.5 + 127.5).clip(0, 255)
    assert abs(pixels(adjust(ramp(256, 2), **SAME | {"brightness": 1.5, "contrast": 0.5})) - both).max() <= 1
    assert (pixels(adjust(cat(), **SAME | {"brightness": 0})) == 0).all()


def test_saturation():
    """saturation 0 gives greys, more than 1 stronger colours of the same light."""
    grey = pixels(adjust(cat(), **SAME | {"saturation": 0}))
    assert numpy.ptp(grey, axis=2).max() <= 1
    strong = pixels(adjust(cat(), **SAME | {"saturation": 1.5}))
    assert numpy.ptp(strong, axis=2).mean() > 1.3 * numpy.ptp(pixels(cat()), axis=2).mean()
    assert abs((strong - pixels(cat())) @ [0.213, 0.715, 0.072]).mean() < 1


@pytest.mark.parametrize("size", [(1, 1), (1, 8192)])
def test_thin_pictures(size: tuple[int, int]):
    """Even a picture of one pixel, or of one column, can be blurred and sharpened."""
    assert blur(ramp(*size), sigma=1000).size == size
    assert sharpen(ramp(*size), **MASK | {"radius": 100}).size == size
