"""Everyday changes to a picture, each a pure function: a picture and its settings in, a new picture out.

Pictures are PIL images, mode RGB or RGBA; colours are (red, green, blue, alpha), 0 to 255. Wherever neighbouring
pixels are mixed, a colour counts as much as it is visible, so that what is transparent leaves no fringe. A result
that would be too large is refused before memory is used for it: ValueTooLarge, InvalidParameter.
"""

from __future__ import annotations

from collections.abc import Callable

from PIL.Image import Image

from server.engines.transforms.geometry import crop, flip, pad, rotate
from server.engines.transforms.layers import composite, flatten, watermark
from server.engines.transforms.resizing import resize
from server.engines.transforms.tone import adjust, blur, grayscale, sharpen

OPERATIONS: dict[str, Callable[..., Image]] = {
    "resize": resize,
    "crop": crop,
    "pad": pad,
    "rotate": rotate,
    "flip": flip,
    "blur": blur,
    "sharpen": sharpen,
    "grayscale": grayscale,
    "adjust": adjust,
    "flatten": flatten,
    "composite": composite,
    "watermark": watermark,
}
"""Every operation by its name on the wire. Its settings are keyword arguments, named as the refusals tell of them."""
