"""Drawings from pictures: areas of colour traced by vtracer, as SVG in which nothing but paths can stand."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

import vtracer
from PIL import Image

from server.engines.vision import Progress, cv2, numpy, silent
from server.errors import InvalidParameter

NAME = "taskarray:trace@1"

_MAX_SIDE = 768
"""What is traced; finer detail doubles the time and the file for a tenth of the error."""
_CALM = (7, 30, 3)
"""Diameter (px) and reach (levels, px) of a bilateral filter: it takes out the grain, of which each speck would be a
shape, and leaves the edges."""
_MIN_SIDE = 128
"""Smaller pictures are enlarged first: a speck in them may be all there is."""
_MAX_CHARACTERS = 32_000_000
_VISIBLE = [255 * (alpha >= 128) for alpha in range(256)]
"""An edge runs where pixels are half visible."""
_NUMBER = r"-?[0-9]+(\.[0-9]+)?"
_ALLOWED = {
    "d": re.compile(r"[MLCZ0-9 ,.-]+"),
    "fill": re.compile(r"#[0-9A-F]{6}"),
    "transform": re.compile(rf"translate\({_NUMBER},{_NUMBER}\)"),
}
"""The attributes of a path, and all that they may say."""


@dataclass(frozen=True)
class Style:
    """How coarse a drawing is. vtracer takes what lies outside these ranges without a word, or panics."""

    color_mode: Literal["color", "binary"] = "color"
    filter_speckle: int = 8
    """Areas of less than this many pixels squared are left out, 0 to 128."""
    color_precision: int = 5
    """Bits of a colour channel that count, 1 to 8."""
    layer_difference: int = 24
    """Levels between two layers of colour, 0 to 255."""
    path_precision: int = 2
    """Decimals in paths, 0 to 8."""


def trace(picture: Image.Image, style: Style, progress: Progress = silent) -> str:
    """The drawing of a picture (RGB or RGBA) as SVG, its units the picture's pixels.

    What is less than half visible is left bare. In binary style, the darker pixels of the two classes of Otsu
    (IEEE Transactions on Systems, Man, and Cybernetics 9, 1979) are black and the rest is bare. Raises
    InvalidParameter about `inputImage` where no drawing of a sensible size comes out.
    """
    size = picture.size
    progress(0.1, "smoothing")
    picture = _sized(picture)
    plain = _binary(picture) if style.color_mode == "binary" else _coloured(picture, style.color_precision)
    progress(0.3, "tracing")
    drawing = _traced(plain, style)
    if len(drawing) > _MAX_CHARACTERS:
        raise InvalidParameter(
            f"The drawing would take {len(drawing) // 1_000_000} MB. Raise filterSpeckle or layerDifference, lower"
            " colorPrecision or pathPrecision, or send a calmer image.",
            parameter="inputImage",
        )
    progress(0.8, "writing")
    return "".join(_written(ElementTree.fromstring(drawing.encode()), size, picture.size))


def _sized(picture: Image.Image) -> Image.Image:
    longest = max(picture.size)
    target = min(max(longest, _MIN_SIDE), _MAX_SIDE)
    if target == longest:
        return picture
    width, height = (max(1, round(side * target / longest)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _binary(picture: Image.Image) -> Image.Image:
    """Black or white by brightness, on white; vtracer itself would look at red alone, and at hidden colours."""
    if picture.mode == "RGBA":
        ground = Image.new("RGBA", picture.size, "white")
        ground.alpha_composite(picture)
        picture = ground
    _, ink = cv2.threshold(numpy.asarray(picture.convert("L")), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return Image.fromarray(ink)


def _coloured(picture: Image.Image, bits: int) -> Image.Image:
    calm = Image.fromarray(cv2.bilateralFilter(numpy.asarray(picture.convert("RGB")), *_CALM))
    if picture.mode == "RGBA":
        calm.putalpha(picture.getchannel("A"))
    return _cut_out(_levelled(calm, bits))


def _levelled(picture: Image.Image, bits: int) -> Image.Image:
    """Colours of so many bits a channel, black and white as they are.

    vtracer, told so many bits, also joins neighbours one level apart, and so on along every soft shade: a lit cup
    becomes one spot. Told all eight bits of levels that lie further apart, it keeps them apart.
    """
    top = 2**bits - 1
    levels = [round(round(level * top / 255) * 255 / top) for level in range(256)]
    return picture.point(levels * 3 + list(range(256)) * (picture.mode == "RGBA"))


def _cut_out(picture: Image.Image) -> Image.Image:
    """Every pixel either opaque or nothing.

    vtracer leaves out what is transparent only where it finds plenty of it in a few rows, the last one among
    them, and else draws hidden colours: a transparent row is added for it to find.
    """
    if picture.mode != "RGBA":
        return picture
    sheet = Image.new("RGBA", (picture.width, picture.height + 1))
    opaque = picture.convert("RGB")
    sheet.paste(opaque, mask=picture.getchannel("A").point(_VISIBLE))
    return sheet


def _traced(picture: Image.Image, style: Style) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    sentence = "No drawing can be made of this image: it may have too many specks. Blur it or make it smaller."
    try:
        return vtracer.convert_raw_image_to_svg(
            file.getvalue(),
            img_format="png",
            colormode=style.color_mode,
            filter_speckle=style.filter_speckle,
            color_precision=8,
            layer_difference=style.layer_difference,
            path_precision=style.path_precision,
        )
    except BaseException as failure:
        # A panic of vtracer is no Exception, and its type cannot be imported.
        if isinstance(failure, Exception) or type(failure).__name__ == "PanicException":
            raise InvalidParameter(sentence, parameter="inputImage") from failure
        raise


def _written(drawing: ElementTree.Element, size: tuple[int, int], drawn: tuple[int, int]) -> Iterator[str]:
    """The SVG anew: paths with what is allowed in them, and nothing else of what was read."""
    width, height = size
    yield f'<svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="{width}" height="{height}"'
    yield f' viewBox="0 0 {width} {height}">\n<g transform="scale({width / drawn[0]:.6g},{height / drawn[1]:.6g})">\n'
    for path in drawing.iter("{http://www.w3.org/2000/svg}path"):
        kept = {name: path.get(name, "") for name in _ALLOWED}
        if all(_ALLOWED[name].fullmatch(value) for name, value in kept.items()):
            yield "<path " + " ".join(f'{name}="{value}"' for name, value in kept.items()) + "/>\n"
    yield "</g>\n</svg>\n"
