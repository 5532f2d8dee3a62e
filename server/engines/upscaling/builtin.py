"""The built-in enlarger: a small network doubles the luma, bicubic interpolation the colour.

The weights are trained by `python -m bench.upscaler`; MODEL_CARD.md beside them says on what and how well they do.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy
from onnxruntime import InferenceSession
from PIL import Image

from server.engines.onnx import session
from server.engines.upscaling.tiles import Steps, coloured, luma, resized, surrounded, tiled
from server.engines.vision import Array, Progress, silent

CLEAN, ROBUST = "taskarray:enlarge@1", "taskarray:enlarge-robust@1"
WEIGHTS = {
    CLEAN: Path(__file__).parent / "weights" / "enlarge.onnx",
    ROBUST: Path(__file__).parent / "weights" / "enlarge-robust.onnx",
}
_TILE = 256


def enlarge(picture: Array, factor: int, progress: Progress = silent, *, damaged: bool = False) -> Array:
    """A picture (h × w × 3 or 4, uint8) 2, 3 or 4 times larger.

    Four times is twice the double, three times is four times made smaller. `damaged` says that the picture shows
    the marks of a JPEG or the like (see `is_damaged`): these are smoothed rather than sharpened. `progress` is called
    after every tile.
    """
    height, width = picture.shape[:2]
    # What comes of a doubling is soft and partly guessed: the second is by the network that expects such pictures.
    names = [ROBUST if damaged else CLEAN, ROBUST][: 1 if factor == 2 else 2]
    step = Steps(progress, sum(len(tiled(height << done, width << done, _TILE)) for done in range(len(names))))
    for name in names:
        picture = doubled(session(WEIGHTS[name]), picture, step)
    return picture if factor != 3 else resized(picture, 3 * height, 3 * width, Image.Resampling.LANCZOS)


def doubled(network: InferenceSession, picture: Array, step: Callable[[], None], tile: int = _TILE) -> Array:
    """Twice the picture. Whatever the tile, the answer is the same: each sees all that its pixels depend on."""
    height, width = picture.shape[:2]
    pad = int(network.get_modelmeta().custom_metadata_map["pad"])
    # Interpolated as a whole, then given the network's luma: the colour of each pixel is moved along the grey axis.
    result = resized(picture, 2 * height, 2 * width, Image.Resampling.BICUBIC)
    for piece in tiled(height, width, tile):
        if picture.shape[2] == 4:
            small = coloured(surrounded(picture, piece, 2 * pad, "edge"), pad)[pad:-pad, pad:-pad]
        else:
            small = surrounded(picture, piece, pad, "edge")
        answer: Array = network.run(None, {"y": luma(small)[None, None] / 255})[0][0, 0] * 255  # type: ignore[index]
        colour = piece.of(result, 2)[..., :3]
        shift = answer - luma(colour)
        colour[...] = numpy.clip(colour + shift[..., None] + 0.5, 0, 255)
        step()
    return result
