"""Drawings: only paths, as large as the picture, and like it."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy
import pytest
import pyvips
from PIL import Image, ImageDraw
from skimage import data

from server.engines.vectors import Style, trace
from server.errors import InvalidParameter

SVG = "{http://www.w3.org/2000/svg}"
CUP = Image.fromarray(data.coffee()).resize((300, 200), Image.Resampling.LANCZOS)


def rendered(svg: str) -> numpy.ndarray:
    """A drawing's pixels, with transparency."""
    return pyvips.Image.svgload_buffer(svg.encode()).numpy().astype(int)


def disc(*, hidden: str = "black", inside: str = "red") -> Image.Image:
    """A disc on nothing."""
    picture = Image.new("RGB", (200, 160), hidden)
    ImageDraw.Draw(picture).ellipse((40, 20, 160, 140), fill=inside)
    mask = Image.new("L", picture.size)
    ImageDraw.Draw(mask).ellipse((40, 20, 160, 140), fill=255)
    picture.putalpha(mask)
    return picture


@pytest.mark.parametrize("size", [(300, 200), (40, 90), (1700, 300), (1, 1), (1, 8192), (8192, 1)])
def test_size(size: tuple[int, int]):
    """A drawing is as large as its picture, its units are the picture's pixels, and it fills all of it."""
    svg = trace(Image.new("RGB", size, "teal"), Style())
    root = ElementTree.fromstring(svg)
    assert (root.get("width"), root.get("height")) == (str(size[0]), str(size[1]))
    assert root.get("viewBox") == f"0 0 {size[0]} {size[1]}"
    found = rendered(svg)
    assert found.shape == (size[1], size[0], 4)
    assert abs(found[size[1] // 2, size[0] // 2] - [0, 128, 128, 255]).max() <= 8


@pytest.mark.parametrize("mode", ["color", "binary"])
def test_only_paths(mode: str):
    """Nothing stands in a drawing but paths, each with its shape, its colour and its place."""
    root = ElementTree.fromstring(trace(CUP, Style(mode)))
    (group,) = root
    assert (root.tag, group.tag) == (f"{SVG}svg", f"{SVG}g")
    assert root.keys() == ["version", "width", "height", "viewBox"]
    assert group.keys() == ["transform"]
    assert {path.tag for path in group} == {f"{SVG}path"}
    assert {tuple(path.keys()) for path in group} == {("d", "fill", "transform")}
    assert not [path for path in group if len(path) or path.text]


def test_resemblance():
    """A drawing of a photograph looks like it: shades stay apart, also where they run into each other."""
    found = rendered(trace(CUP, Style()))
    assert (found[..., 3] == 255).mean() > 0.99
    assert abs(found[..., :3] - numpy.asarray(CUP)).mean() < 12
    coarse = rendered(trace(CUP, Style(color_precision=2)))
    assert abs(coarse[..., :3] - numpy.asarray(CUP)).mean() > 14


def test_black_and_white_stay():
    """Black is black and white is white, at every precision."""
    picture = Image.new("RGB", (200, 200), "white")
    ImageDraw.Draw(picture).rectangle((50, 50, 150, 150), fill="black")
    for bits in (1, 3, 8):
        found = rendered(trace(picture, Style(color_precision=bits)))
        assert (found[100, 100, :3] == 0).all()
        assert (found[10, 10, :3] == 255).all()


@pytest.mark.parametrize("mode", ["color", "binary"])
@pytest.mark.parametrize("hidden", ["black", "white", "red", "lime"])
def test_transparency(mode: str, hidden: str):
    """What is transparent is bare, whatever colour is hidden there."""
    found = rendered(trace(disc(hidden=hidden), Style(mode)))
    mask = numpy.asarray(disc())[..., 3] > 127
    assert ((found[..., 3] > 127) == mask).mean() > 0.99
    assert found[80, 100].tolist() == ([255, 0, 0, 255] if mode == "color" else [0, 0, 0, 255])


def test_a_small_hole():
    """Even a small hole in the middle is bare."""
    picture = CUP.copy()
    mask = Image.new("L", picture.size, 255)
    ImageDraw.Draw(mask).ellipse((140, 90, 170, 120), fill=0)
    picture.putalpha(mask)
    found = rendered(trace(picture, Style()))
    assert found[105, 155, 3] == 0
    assert (found[..., 3] > 127).mean() > 0.98


def test_binary():
    """In binary style, what is darker is black and the rest is bare, whatever its colour."""
    picture = Image.new("RGB", (200, 160), "white")
    ImageDraw.Draw(picture).ellipse((40, 20, 160, 140), fill=(255, 120, 0))
    found = rendered(trace(picture, Style("binary", filter_speckle=0)))
    assert found[80, 100].tolist() == [0, 0, 0, 255]
    assert found[5, 5, 3] == 0


def test_style():
    """Specks below their size are left out, larger layers make fewer paths, fewer decimals shorter ones."""
    plain = trace(CUP, Style())
    assert trace(CUP, Style(filter_speckle=2)).count("<path") > 1.5 * plain.count("<path")
    assert trace(CUP, Style(layer_difference=96)).count("<path") < 0.7 * plain.count("<path")
    assert len(trace(CUP, Style(path_precision=0))) < 0.9 * len(plain)


def test_small_pictures():
    """What is in an icon of 16 pixels is drawn."""
    icon = Image.new("RGB", (16, 16), "white")
    ImageDraw.Draw(icon).rectangle((4, 4, 7, 7), fill="blue")
    found = rendered(trace(icon, Style()))
    assert abs(found[5, 5, :3] - [0, 0, 255]).max() < 60
    assert (found[12, 12, :3] > 245).all()


@pytest.mark.parametrize("mode", ["color", "binary"])
def test_nothing_to_draw(mode: str):
    """Of a picture that is all transparent comes a drawing without paths."""
    svg = trace(Image.new("RGBA", (50, 40), (255, 0, 0, 0)), Style(mode))
    assert "<path" not in svg
    assert (rendered(svg) == 0).all()


def test_what_cannot_be_drawn():
    """A picture of too many specks is refused by name, also where the tracer panics."""
    dots = numpy.full((768, 768, 3), 255, numpy.uint8)
    dots[::2, ::2] = 0
    picture = Image.fromarray(dots)
    with pytest.raises(InvalidParameter) as caught:
        trace(picture, Style("binary", filter_speckle=0))
    assert caught.value.parameter == "inputImage"


def test_what_would_be_huge(monkeypatch: pytest.MonkeyPatch):
    """A drawing that would be larger than is sensible is refused, and what to change is said."""
    monkeypatch.setattr("server.engines.vectors._MAX_CHARACTERS", 1000)
    with pytest.raises(InvalidParameter, match="filterSpeckle") as caught:
        trace(CUP, Style())
    assert caught.value.parameter == "inputImage"
