"""How a cut-out is framed."""

from __future__ import annotations

import numpy
import pytest
from PIL import Image

from server.engines.cutout.framing import cropped, within


def subject(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    found = Image.new("RGBA", size, (0, 0, 0, 0))
    found.paste((200, 30, 30, 255), box)
    return found


def test_cropped():
    """A crop is the subject's box; faint noise around it does not count, and without a subject nothing is cut."""
    found = subject((60, 40), (10, 5, 31, 22))
    found.putpixel((50, 39), (9, 9, 9, 12))
    assert cropped(found).size == (21, 17)
    assert numpy.asarray(cropped(found))[..., 3].min() == 255
    nothing = subject((60, 40), (0, 0, 0, 0))
    assert cropped(nothing).size == (60, 40)


@pytest.mark.parametrize(
    ("size", "megapixels", "expected"),
    [
        ((400, 300), 0.012, (126, 94)),
        ((400, 300), 0.12, (400, 300)),
        ((100, 100), 0.25, (100, 100)),
        ((1, 4000), 0.001, (1, 2000)),
        ((20_000, 20), 50, (10_000, 10)),
        ((20, 20), 1e-9, (1, 1)),
    ],
)
def test_within(size: tuple[int, int], megapixels: float, expected: tuple[int, int]):
    """A larger picture is made smaller to so many pixels, rounded down; a smaller one is never enlarged."""
    assert within(Image.new("RGBA", size, "red"), megapixels).size == expected
