"""What is drawn on: sizes, masks, margins. No network is needed for it."""

from __future__ import annotations

import numpy
import pytest
from PIL import Image
from skimage import data

from server.engines.diffusion import Canvas, extended, known, repainted
from server.engines.diffusion.schedulers import NAMES
from server.errors import InvalidParameter

_PHOTO = Image.fromarray(data.astronaut()).resize((150, 130))


@pytest.mark.parametrize(
    ("size", "working"),
    [((512, 768), (512, 768)), ((150, 130), (152, 128)), ((1, 1), (128, 128)), ((1, 8192), (128, 2048))],
)
def test_working_size(size: tuple[int, int], working: tuple[int, int]):
    """Drawing is done in multiples of 8 pixels between 128 and 2048, whatever the picture's size."""
    canvas = Canvas.of(Image.new("RGB", size))
    assert canvas.working == working
    assert canvas.given()["image"].size == working


def test_result_size():
    """The result has the size of the picture it comes from, reduced to 2048 pixels a side, or the one asked for."""
    drawn = Image.new("RGB", (128, 128))
    assert Canvas.of(_PHOTO).finished(drawn).size == (150, 130)
    assert Canvas.of(Image.new("RGB", (4096, 1024))).finished(drawn).size == (2048, 512)
    assert Canvas.of(_PHOTO, width=256, height=128).finished(drawn).size == (256, 128)


def test_outside_of_the_mask():
    """Where the mask is black the picture stays as it was, where it is white it is what was drawn."""
    mask = Image.new("L", _PHOTO.size)
    mask.paste(255, (10, 20, 60, 70))
    canvas = Canvas.of(_PHOTO, mask)
    result = numpy.asarray(canvas.finished(Image.new("RGB", canvas.working, (1, 2, 3))))
    inside = numpy.asarray(mask) > 0
    assert (result[inside] == (1, 2, 3)).all()
    assert (result[~inside] == numpy.asarray(_PHOTO)[~inside]).all()


def test_mask_of_another_size():
    """A mask of another size is stretched to the picture."""
    mask = Image.new("L", (75, 65))
    mask.paste(255, (0, 0, 75, 30))
    canvas = Canvas.of(_PHOTO, mask)
    result = numpy.asarray(canvas.finished(Image.new("RGB", canvas.working)))
    assert not result[:58].any()
    assert (result[62:] == numpy.asarray(_PHOTO)[62:]).all()


@pytest.mark.parametrize("picture", [Image.new("L", (8, 8), 127), Image.new("RGBA", (8, 8), (255, 255, 255, 0))])
def test_empty_mask(picture: Image.Image):
    """A mask with no pixel at least half white repaints nothing; what is transparent is black."""
    assert repainted(picture) is None


def test_transparency():
    """What is transparent in a picture becomes white."""
    assert Canvas.of(Image.new("RGBA", (8, 8), (9, 9, 9, 0))).start.getpixel((0, 0)) == (255, 255, 255)


def test_margins():
    """A picture grows on each side as asked, filled with its border, and only the new part is to be repainted."""
    canvas, mask = extended(_PHOTO, top=64, right=0, bottom=128, left=192)
    assert canvas.size == mask.size == (150 + 192, 130 + 192)
    pixels, levels, photo = numpy.asarray(canvas), numpy.asarray(mask), numpy.asarray(_PHOTO)
    assert (pixels[64:194, 192:] == photo).all()
    assert (pixels[0, 192:] == photo[0]).all()
    assert not levels[64:194, 192:].any()
    assert (numpy.delete(levels, slice(64, 194), 0) == 255).all()
    assert (levels[:, :192] == 255).all()


def test_passage():
    """With a blur the mask passes from white to black over so many pixels, half of them in the picture."""
    _, mask = extended(_PHOTO, top=0, right=0, bottom=0, left=64, blur=32)
    row = numpy.asarray(mask)[65].astype(int)
    assert (numpy.diff(row) <= 0).all()
    assert (row[:64] == 255).all()
    assert 0 < row[80] < 255
    assert not row[97:].any()


def test_scheduler_names():
    """A scheduler is known by its name in any case and by its class; Default is the model's own."""
    assert known("euler A") == known("Euler a") == known("EulerAncestralDiscreteScheduler")
    assert known("default") is None
    with pytest.raises(InvalidParameter) as refused:
        known("Oiler")
    assert refused.value.details["allowedValues"] == ["Default", *NAMES]
