"""The built-in enlarger: sizes, flat areas, tiles, transparency, memory."""

from __future__ import annotations

import subprocess
import sys

import numpy
import pytest
from PIL import Image
from skimage import data

from server.engines.onnx import session
from server.engines.upscaling import CLEAN, ROBUST, enlarge
from server.engines.upscaling.builtin import WEIGHTS, doubled
from server.engines.upscaling.tiles import resized, surrounded, tiled

_MEMORY = """
import re, numpy
from pathlib import Path
from PIL import Image
from server.engines.upscaling import enlarge
side, factor, channels = {side}, {factor}, {channels}
small = numpy.random.default_rng(1).integers(0, 256, (16, 16, channels), numpy.uint8)
picture = numpy.asarray(Image.fromarray(small).resize((side, side)))
# Not ru_maxrss: that begins with what the parent held.
print(enlarge(picture, factor).shape, end=" ")
held = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
print(int(held[1]) // 1024)
"""


def _cat(channels: int = 3) -> numpy.ndarray:
    cat = data.chelsea()[60:190, 90:240]
    if channels == 3:
        return cat
    alpha = numpy.zeros(cat.shape[:2], numpy.uint8)
    alpha[30:100, 40:120] = 255
    return numpy.dstack([cat * (alpha > 0)[..., None], alpha])


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (7, 5)])
@pytest.mark.parametrize("channels", [3, 4])
def test_sizes(factor: int, size: tuple[int, int], channels: int):
    """Every size comes out exactly as many times larger, also a single pixel or a line, and keeps its channels."""
    picture = numpy.full((*size, channels), 77, numpy.uint8)
    picture[..., 3:] = 255
    enlarged = enlarge(picture, factor)
    assert (enlarged.shape, enlarged.dtype) == ((size[0] * factor, size[1] * factor, channels), numpy.uint8)
    assert (enlarged[..., :3] == 77).all()


@pytest.mark.parametrize("damaged", [False, True])
def test_flat_areas_are_exact(damaged: bool):
    """An area of one colour has exactly that colour afterwards, at all levels and all factors."""
    for level in range(0, 256, 3):
        for colour in ((level, level, level), (level, 255 - level, 40)):
            flat = numpy.full((6, 9, 3), colour, numpy.uint8)
            assert (enlarge(flat, 2 + level % 3, damaged=damaged) == colour).all()


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("network", [CLEAN, ROBUST])
def test_tiles_leave_no_trace(channels: int, network: str):
    """A picture in tiles comes out, bit for bit, as it does in one piece."""
    loaded = session(WEIGHTS[network])
    picture = _cat(channels)
    whole = doubled(loaded, picture, lambda: None, tile=1000)
    for tile in (16, 41, 100):
        assert (doubled(loaded, picture, lambda: None, tile) == whole).all()


def test_grey_stays_grey():
    """A picture without colour has none afterwards."""
    enlarged = enlarge(numpy.stack([data.camera()[100:200, 200:300]] * 3, -1), 2).astype(int)
    assert abs(enlarged - enlarged[..., :1]).max() <= 1


def test_colour_is_kept():
    """The mean colour of a picture is the same afterwards, within a level."""
    assert abs(enlarge(_cat(), 2).mean((0, 1)) - _cat().mean((0, 1))).max() < 1


def test_transparent_surroundings_leave_no_rim():
    """What lies hidden under transparent pixels does not reach the visible ones."""
    black, white = _cat(4), _cat(4)
    white[white[..., 3] == 0] = (255, 255, 255, 0)
    shown = [enlarge(picture, 2) for picture in (black, white)]
    opaque = shown[0][..., 3] == 255
    assert (shown[0][..., 3] == shown[1][..., 3]).all()
    assert (shown[0][opaque] == shown[1][opaque]).all()


def test_alpha_is_enlarged():
    """Transparency is interpolated: opaque within, transparent without."""
    alpha = enlarge(_cat(4), 4)[..., 3]
    assert (alpha[136:384, 176:464] == 255).all()
    assert (alpha[:112] == 0).all()


def test_progress_after_every_tile():
    """Progress is told after every tile, rises, and ends at 1; an exception out of it ends the work."""
    said: list[float] = []
    enlarge(numpy.zeros((300, 520, 3), numpy.uint8), 4, lambda fraction, _: said.append(fraction))
    assert len(said) == 2 * 3 + 3 * 5
    assert said == sorted(said) and said[-1] == 1

    def cancel(_: float, __: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enlarge(_cat(), 2, cancel)


def test_memory():
    """A picture of 4096 × 4096 is made in less than 500 MB, also at three times, which passes by way of four."""
    side, factor, channels = 1365, 3, 4
    script = _MEMORY.format(side=side, factor=factor, channels=channels)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    shape, peak = done.stdout.rsplit(maxsplit=1)
    assert shape == f"({side * factor}, {side * factor}, {channels})"
    assert int(peak) < 500


@pytest.mark.parametrize("kernel", [Image.Resampling.LANCZOS, Image.Resampling.BICUBIC])
@pytest.mark.parametrize(("height", "width"), [(900, 338), (1500, 500)])
def test_resizing_in_strips(height: int, width: int, kernel: Image.Resampling):
    """A picture resized in strips is what Pillow makes of the whole, but for rounding."""
    picture = numpy.tile(data.chelsea(), (4, 1, 1))
    expected = Image.fromarray(picture).resize((width, height), kernel)
    assert abs(resized(picture, height, width, kernel).astype(int) - numpy.asarray(expected)).max() <= 2


@pytest.mark.parametrize("mode", ["edge", "reflect"])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (40, 30)])
def test_surroundings(mode: str, size: tuple[int, int]):
    """A tile's surroundings are the picture's, and beyond the picture as NumPy pads it."""
    picture = numpy.random.default_rng(1).integers(0, 256, (*size, 3), numpy.uint8)
    padded = numpy.pad(picture, ((9, 9), (9, 9), (0, 0)), mode=mode)
    for tile in tiled(*size, 16):
        expected = padded[tile.top : tile.bottom + 18, tile.left : tile.right + 18]
        assert (surrounded(picture, tile, 9, mode) == expected).all()
