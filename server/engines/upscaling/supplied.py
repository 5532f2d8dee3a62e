"""Enlargers that the operator supplies: ONNX models of the ESRGAN kind, run tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
from onnxruntime import InferenceSession
from PIL import Image

from server.engines.onnx import session
from server.engines.upscaling.tiles import Steps, Tile, coloured, resized, surrounded, tiled
from server.engines.vision import Array, Progress, silent
from server.errors import ModelNotFound

_TILE, _OVERLAP = 192, 32
"""Networks pad with zeros at a tile's border; 32 pixels on, none of the known ones shows it."""


def enlarge_with(
    path: Path, options: Mapping[str, Any], picture: Array, factor: int, progress: Progress = silent
) -> Array:
    """A picture (h × w × 3 or 4, uint8) `factor` times larger by a model (1, 3, h, w), RGB between 0 and 1.

    The model is run again until the picture is large enough, which is then made smaller if it is too large.
    `options` are the `scale` of the model, and the `tile` and `overlap` in pixels. Raises ModelNotFound for a file that
    is no such model.
    """
    network = _Network.read(path, options)
    height, width = picture.shape[:2]
    scales = [1]
    while scales[-1] < factor:
        scales.append(scales[-1] * network.scale)
    total = sum(len(tiled(height * scale, width * scale, network.tile)) for scale in scales[:-1])
    step = Steps(progress, total)
    for _ in scales[:-1]:
        picture = network.enlarged(picture, step)
    if scales[-1] == factor:
        return picture
    return resized(picture, factor * height, factor * width, Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class _Network:
    """A model, and the size of the tiles that it is shown: `tile` pixels and `overlap` on every side."""

    session: InferenceSession
    name: str
    scale: int
    tile: int
    overlap: int

    @classmethod
    def read(cls, path: Path, options: Mapping[str, Any]) -> _Network:
        try:
            opened = session(path)
        except Exception as failure:  # onnxruntime's failures have no common class
            raise _unfit(path.name, "it cannot be read as ONNX") from failure
        tile, overlap = int(options.get("tile", _TILE)), int(options.get("overlap", _OVERLAP))
        shape = opened.get_inputs()[0].shape
        if len(opened.get_inputs()) != 1 or len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != 3):
            raise _unfit(path.name, "it does not take one picture of the form (1, 3, height, width)")
        if isinstance(shape[2], int):
            overlap = min(overlap, shape[2] // 4)
            tile = shape[2] - 2 * overlap
        found = cls(opened, path.name, int(options.get("scale", 0)), tile, overlap)
        return found if found.scale > 1 else cls(opened, path.name, found._measured(), tile, overlap)

    def _measured(self) -> int:
        side = self.tile + 2 * self.overlap
        return self._run(numpy.zeros((side, side, 3), numpy.uint8)).shape[0] // side

    def enlarged(self, picture: Array, step: Callable[[], None]) -> Array:
        height, width, channels = picture.shape
        result = numpy.empty((height * self.scale, width * self.scale, channels), numpy.uint8)
        for piece in tiled(height, width, self.tile):
            # Every tile is shown at full size, since some models take no other; what is too much is cut off.
            whole = Tile(piece.top, piece.left, piece.top + self.tile, piece.left + self.tile)
            shown = surrounded(picture, whole, self.overlap, "reflect")
            answer = self._run(coloured(shown, self.overlap) if channels == 4 else shown)
            first = self.overlap * self.scale
            target = piece.of(result, self.scale)[..., :3]
            target[...] = answer[first : first + target.shape[0], first : first + target.shape[1]]
            step()
        if channels == 4:
            result[..., 3] = resized(picture[..., 3], *result.shape[:2], Image.Resampling.BICUBIC)
        return result

    def _run(self, shown: Array) -> Array:
        wanted = self.session.get_inputs()[0]
        kind = numpy.float16 if "float16" in wanted.type else numpy.float32
        given = (shown.astype(numpy.float32) / 255).astype(kind).transpose(2, 0, 1)[None]
        try:
            answer = numpy.asarray(self.session.run(None, {wanted.name: given})[0], numpy.float32)
        except Exception as failure:
            reason = str(failure).partition("\n")[0]
            raise _unfit(self.name, f"it failed: {reason}") from failure
        height, width = shown.shape[:2]
        scale = self.scale or (answer.shape[-1] // width if answer.ndim else 0)
        if scale < 2 or answer.shape != (1, 3, height * scale, width * scale):
            raise _unfit(self.name, f"for {(height, width)} it answered {answer.shape}")
        return numpy.clip(numpy.nan_to_num(answer[0].transpose(1, 2, 0)) * 255 + 0.5, 0, 255).astype(numpy.uint8)


def _unfit(name: str, why: str) -> ModelNotFound:
    sentence = f"The file {name} is no model that this server can enlarge with: {why}. Replace the file."
    return ModelNotFound(sentence, parameter="model")
