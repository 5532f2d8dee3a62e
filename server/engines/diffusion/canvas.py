"""What is drawn on: the picture to start from, where it may change, and the sizes of work and result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy
from PIL import Image, ImageFilter

_STEP = 8
"""Pixels that one cell of a latent stands for, along a side."""
_LEAST, _MOST = 128, 2048
_REPAINTED = 128
"""The level from which a pixel of a mask is one to be repainted."""


@dataclass(frozen=True)
class Canvas:
    """Where a picture comes to be. `start` is RGB; `mask` is L, of the same size, and white is what is repainted.

    Without a start the result has `size`; with one, `size` or else its own, reduced to 2048 pixels a side.
    """

    size: tuple[int, int]
    start: Image.Image | None = None
    mask: Image.Image | None = None

    @classmethod
    def of(
        cls, start: Image.Image, mask: Image.Image | None = None, width: int | None = None, height: int | None = None
    ) -> Canvas:
        """The canvas of a picture (RGB, RGBA; what is transparent becomes white). A mask of another size is resized."""
        share = min(1, _MOST / max(start.size))
        size = (width or max(1, round(start.width * share)), height or max(1, round(start.height * share)))
        return cls(
            size,
            _opaque(start).resize(size, Image.Resampling.LANCZOS),
            mask.resize(size, Image.Resampling.BILINEAR) if mask else None,
        )

    @property
    def working(self) -> tuple[int, int]:
        """The size that is drawn in, which networks can draw in."""
        width, height = (min(max(round(side / _STEP) * _STEP, _LEAST), _MOST) for side in self.size)
        return width, height

    def given(self) -> dict[str, Image.Image]:
        """The pictures that a pipeline starts from, in the working size."""
        found = dict[str, Image.Image]()
        if self.start:
            found["image"] = self.start.resize(self.working, Image.Resampling.LANCZOS)
        if self.mask:
            mask = self.mask.resize(self.working, Image.Resampling.BILINEAR)
            found["mask_image"] = mask.point([255 * (level >= _REPAINTED) for level in range(256)])
        return found

    def finished(self, drawn: Image.Image) -> Image.Image:
        """What was drawn, in the size of the result. Where the mask is black, the pixels of the start stay; a network
        would have changed them a little."""
        result = drawn.resize(self.size, Image.Resampling.LANCZOS)
        return Image.composite(result, self.start, self.mask) if self.start and self.mask else result


def repainted(mask: Image.Image) -> Image.Image | None:
    """A mask's lightness as mode L, what is transparent as black; None where no pixel is to be repainted."""
    flat = Image.new("RGB", mask.size)
    flat.paste(mask, mask=mask.getchannel("A") if mask.mode == "RGBA" else None)
    found = flat.convert("L")
    return found if numpy.asarray(found).max() >= _REPAINTED else None


def extended(
    picture: Image.Image, top: int, right: int, bottom: int, left: int, blur: int = 0
) -> tuple[Image.Image, Image.Image]:
    """A picture with so many pixels more on its sides, and the mask of these; `blur` is the width of the passage.

    What is to be repainted begins as the pixels of the border drawn out.
    """
    pixels = numpy.asarray(_opaque(picture))
    canvas = Image.fromarray(numpy.pad(pixels, ((top, bottom), (left, right), (0, 0)), mode="edge"))
    mask = Image.new("L", canvas.size, 255)
    reach = blur // 2  # of the passage, half lies within the picture
    kept = (left + reach * bool(left), top + reach * bool(top))
    end = (canvas.width - right - reach * bool(right), canvas.height - bottom - reach * bool(bottom))
    if kept[0] < end[0] and kept[1] < end[1]:
        mask.paste(0, (*kept, *end))
    return canvas, mask.filter(ImageFilter.BoxBlur(reach)) if reach else mask


def _opaque(picture: Image.Image) -> Image.Image:
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    ground = Image.new("RGB", picture.size, (255, 255, 255))
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground
