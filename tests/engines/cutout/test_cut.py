"""Cutting out without a model."""

from __future__ import annotations

import time
from functools import cache

import cv2
import numpy
import pytest
from skimage import data

from server.engines.cutout import Cutout, cut
from tests.engines.cutout.subjects import BACKDROPS, PHOTOGRAPHS, SITTERS, outlined, overlap, photograph, studio

BACKDROP, SALIENCY, NOTHING = "taskarray:backdrop@1", "taskarray:saliency@1", "taskarray:none@1"


@cache
def cut_photograph(name: str) -> Cutout:
    return cut(photograph(name))


def test_studio():
    """Twelve subjects before plain backdrops, with shadow and noise: mean overlap 0.97 or more, none below 0.96."""
    made = {(sitter, backdrop): studio(sitter, backdrop) for sitter in SITTERS for backdrop in BACKDROPS}
    found = {each: cut(picture) for each, (picture, _) in made.items()}
    overlaps = {each: overlap(found[each].alpha, truth) for each, (_, truth) in made.items()}
    assert numpy.mean(list(overlaps.values())) >= 0.97, overlaps
    assert min(overlaps.values()) >= 0.96, overlaps
    assert {each.engine for each in found.values()} == {BACKDROP}
    assert all(each.confidence > 0.7 and not each.notice for each in found.values())


def test_photographs():
    """Six photographs of scenes, outlined by hand: mean overlap 0.66 or more."""
    overlaps = {name: round(overlap(cut_photograph(name).alpha, outlined(name)), 3) for name in PHOTOGRAPHS}
    assert numpy.mean(list(overlaps.values())) >= 0.66, overlaps
    assert {cut_photograph(name).engine for name in PHOTOGRAPHS} == {SALIENCY}


@pytest.mark.parametrize(("name", "said"), [("camera.png", "two or more sides"), ("chelsea.png", "hardly stands out")])
def test_doubts(name: str, said: str):
    """A subject cut by the frame, or like its surroundings, is told to be doubtful and has little confidence."""
    found = cut_photograph(name)
    assert said in found.notice
    assert found.confidence < 0.5


def test_no_doubts():
    """A subject that stands out is not told to be doubtful."""
    found = cut_photograph("coffee.png")
    assert (found.notice, found.confidence > 0.8) == ("", True)


def _noise(*shape: int) -> numpy.ndarray:
    return numpy.random.default_rng(5).integers(0, 256, shape, numpy.uint8)


@pytest.mark.parametrize(
    "picture",
    [
        numpy.zeros((1, 1, 3), numpy.uint8),
        _noise(3, 500, 3),
        _noise(500, 3, 3),
        numpy.full((120, 200, 3), 255, numpy.uint8),
        numpy.zeros((120, 200, 3), numpy.uint8),
        _noise(16, 16, 3),
        _noise(64, 64, 3),
        _noise(300, 400, 3),
        _noise(90, 120, 1).repeat(3, axis=2),
        numpy.full((200, 200, 3), 250, numpy.uint8) - _noise(200, 200, 1) // 50,
    ],
    ids=["pixel", "3x500", "500x3", "white", "black", "noise 16", "noise 64", "noise 400", "grey noise", "paper"],
)
def test_nothing_to_cut_out(picture: numpy.ndarray):
    """A picture without a subject comes back whole, without confidence, and with a notice."""
    found = cut(picture)
    assert (found.engine, found.confidence) == (NOTHING, 0)
    assert found.notice.endswith(".")
    assert (found.alpha == 255).all()
    assert (found.colours == picture).all()


def test_nothing_but_texture():
    """A texture is never taken for a sure subject; it costs no more than a photograph, though GrabCut would."""
    began = time.process_time()
    found = cut(numpy.stack([data.grass()[:300, :300]] * 3, axis=-1))
    assert time.process_time() - began < 10
    assert found.confidence < 0.1


@pytest.mark.parametrize("kind", ["ramp", "halves", "stripes", "thin"])
def test_odd_pictures(kind: str):
    """Pictures of patterns end in a cut-out of their own size, and never in sureness."""
    ramp = numpy.linspace(0, 255, 160)
    row = {"ramp": ramp, "halves": (ramp > 127) * 255, "stripes": (ramp // 10 % 2) * 255, "thin": ramp}[kind]
    picture = numpy.tile(row.astype(numpy.uint8)[None, :, None], (18 if kind == "thin" else 120, 1, 3))
    found = cut(picture)
    assert found.alpha.shape == picture.shape[:2]
    assert found.confidence < 0.5
    assert found.notice


def test_a_tiny_subject():
    """A very small subject is cut out, and told to be small."""
    picture = numpy.full((400, 400, 3), 240, numpy.uint8)
    picture[190:210, 190:210] = 20, 60, 200
    found = cut(picture)
    assert "very small" in found.notice
    assert overlap(found.alpha, picture[..., 0] < 100) > 0.9


def _soft_disc(height: int, colour: tuple[int, ...], ground: tuple[int, ...]) -> tuple[numpy.ndarray, numpy.ndarray]:
    """A disc with an edge 4 px wide before a ground, and its alpha from 0 to 1."""
    y, x = numpy.mgrid[:height, :400]
    alpha = numpy.clip((130 - numpy.hypot(y - height / 2, x - 200)) / 4 + 0.5, 0, 1)[..., None]
    return numpy.round(alpha * colour + (1 - alpha) * numpy.array(ground)).astype(numpy.uint8), alpha[..., 0]


def test_colours_are_free_of_the_backdrop():
    """Where alpha is partial the colour is the subject's own; where it is 0 there is none."""
    picture, _ = _soft_disc(400, (200, 30, 40), (20, 200, 60))
    found = cut(picture)
    partial = (found.alpha > 30) & (found.alpha < 225)
    assert partial.sum() > 300
    apart = numpy.abs(found.colours[partial].astype(int) - (200, 30, 40)).mean()
    assert apart < 20
    assert apart < numpy.abs(picture[partial].astype(int) - (200, 30, 40)).mean() / 3
    assert not found.colours[found.alpha == 0].any()
    assert (found.colours[found.alpha == 255] == picture[found.alpha == 255]).all()


def test_edges_lie_where_they_are():
    """The edge before a plain backdrop is true to a fifth of a pixel: the subject is neither eaten nor haloed."""
    picture, alpha = _soft_disc(400, (230, 200, 40), (70, 80, 90))
    found, truth = (numpy.sqrt(opaque.sum() / numpy.pi) for opaque in (cut(picture).alpha / 255, alpha))
    assert abs(found - truth) < 0.2


def test_large_pictures():
    """A large picture is cut out at its own size."""
    picture, alpha = _soft_disc(400, (230, 200, 40), (70, 80, 90))
    found = cut(cv2.resize(picture, (2400, 2400), interpolation=cv2.INTER_CUBIC))
    assert found.alpha.shape == (2400, 2400)
    assert overlap(found.alpha, cv2.resize(alpha, (2400, 2400)) > 0.5) > 0.99


def test_same_again():
    """The same picture gives the same cut-out."""
    first, again = cut(photograph("coffee.png")[::3, ::3]), cut(photograph("coffee.png")[::3, ::3])
    assert (again.alpha == first.alpha).all()
    assert (again.colours == first.colours).all()


def test_progress():
    """The work says how far it is, always further, and ends where that raises."""
    said: list[float] = []
    cut(photograph("rocket.jpg")[::4, ::4], lambda fraction, _: said.append(fraction))
    assert said == sorted(set(said))
    assert len(said) >= 4

    class Cancelled(Exception):
        pass

    def cancel(fraction: float, stage: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        cut(photograph("rocket.jpg")[::4, ::4], cancel)
