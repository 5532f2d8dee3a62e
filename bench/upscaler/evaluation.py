"""How much closer to the original a network comes than Lanczos, measured on what the server itself would answer."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy
from PIL import Image

from bench.upscaler.pictures import TESTED, TESTED_TOO, luma, photograph
from server.engines.onnx import session
from server.engines.upscaling.builtin import doubled

_BORDER = 4
Damage = Callable[[Image.Image], Image.Image]


def table(path: Path, robust: Path) -> str:
    """Peak signal-to-noise ratios of the luma in dB, for every picture that is held out, as Markdown.

    `path` doubles; `robust` doubles again, as in the server.
    """
    columns = {
        "×2": lambda name: gain([path], name),
        "×4": lambda name: gain([path, robust], name),
        "×2 of JPEG 85": lambda name: gain([path], name, jpeg(85)),
        "×2 of JPEG 60": lambda name: gain([path], name, jpeg(60)),
    }
    lines = [f"| picture | {' | '.join(columns)} |", "| --- |" + " --- |" * len(columns)]
    found = {name: [measure(name) for measure in columns.values()] for name in TESTED + TESTED_TOO}
    lines += [_row(name, pairs) for name, pairs in found.items()]
    means = [tuple(numpy.mean([found[name][column] for name in TESTED], 0)) for column in range(len(columns))]
    return "\n".join([*lines, _row(f"mean of the first {len(TESTED)}", means)])


def gain(paths: list[Path], name: str, damage: Damage = lambda small: small) -> tuple[float, float]:
    """What Lanczos reaches on a picture halved for each network, and what they reach one after the other, in dB."""
    rgb = photograph(name)
    factor = 2 ** len(paths)
    height, width = (side // factor * factor for side in rgb.shape[:2])
    original = rgb[:height, :width]
    small = damage(Image.fromarray(original).resize((width // factor, height // factor), Image.Resampling.BICUBIC))
    lanczos = numpy.asarray(small.resize((width, height), Image.Resampling.LANCZOS))
    enlarged = numpy.asarray(small)
    for path in paths:
        enlarged = doubled(session(path), enlarged, lambda: None)
    return psnr(lanczos, original), psnr(enlarged, original)


def jpeg(quality: int) -> Damage:
    """Once through a JPEG."""

    def damage(small: Image.Image) -> Image.Image:
        kept = io.BytesIO()
        small.save(kept, "JPEG", quality=quality)
        return Image.open(kept).convert("RGB")

    return damage


def psnr(answer: numpy.ndarray, original: numpy.ndarray) -> float:
    """Of the luma, without the outermost pixels."""
    inner = slice(_BORDER, -_BORDER)
    return float(10 * numpy.log10(255**2 / numpy.mean((luma(answer) - luma(original))[inner, inner] ** 2)))


def _row(name: str, pairs: list[tuple[float, float]]) -> str:
    cells = [f"{lanczos:.2f} → {network:.2f} ({network - lanczos:+.2f})" for lanczos, network in pairs]
    return f"| {name} | {' | '.join(cells)} |"
