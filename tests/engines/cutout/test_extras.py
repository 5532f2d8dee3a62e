"""What the extras add to cutting out: the sessions of rembg, and alpha matting. Both stand on PyMatting, which compiles
itself for a minute when it is first used: in one file, that is waited for once."""

from __future__ import annotations

import shutil
import socket
import sys
from pathlib import Path

import cv2
import numpy
import pytest

from server.engines.cutout import Edges, Trimap, cut
from server.engines.cutout.rembg import SESSIONS, find_with
from server.engines.vision import silent
from server.errors import ApiError, ModelNotFound, ProcessingFailed
from tests.engines.cutout.subjects import overlap
from tests.engines.cutout.test_network import red_on_blue, reddish
from tests.engines.maps.networks import constant

KINDS = {"u2netp": (320, 320), "isnet-general-use": (1024, 1024), "birefnet-general-lite": (1024, 1024)}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch):
    """A session that would download something fails."""

    def refuse(*_: object) -> None:
        raise AssertionError("something asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def network(path: Path, session: str) -> Path:
    return reddish(path / f"{session}.onnx", ("d0",), KINDS[session], session == "u2netp")


@pytest.mark.parametrize("session", KINDS)
def test_sessions(tmp_path: Path, session: str):
    """A session of rembg finds the subject with the file that is installed."""
    picture, truth = red_on_blue()
    path = network(tmp_path, session)
    found = find_with("test:1@1", path, {"session": session}, picture, silent)
    assert (found.engine, found.exact) == ("test:1@1", True)
    assert overlap(found.mask * 255, truth) > 0.95
    assert found.confidence > 0.4


@pytest.mark.parametrize("place", [".", "models/u2netp"])
def test_a_folder_of_rembg(tmp_path: Path, place: str):
    """A folder laid out as rembg's home will do as well as a file, in the old layout and in the new."""
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    network(tmp_path / place, "u2netp")
    picture, truth = red_on_blue()
    assert overlap(find_with("a:1@1", tmp_path, {"session": "u2netp"}, picture, silent).mask * 255, truth) > 0.95


def refusal(path: Path, **options: str) -> ApiError:
    with pytest.raises(ApiError) as refused:
        find_with("test:1@1", path, options, red_on_blue()[0], silent)
    assert refused.value.parameter == "model"
    assert "test:1@1" in refused.value.message
    return refused.value


@pytest.mark.parametrize("session", ["", "withoutbg", "atlascloud", "sam", "u2net_custom", "nothing"])
def test_other_sessions_are_refused(tmp_path: Path, session: str):
    """Sessions that send pictures away, or need more than a file, are refused, and so is a model that names none."""
    found = refusal(network(tmp_path, "u2netp"), session=session)
    assert isinstance(found, ModelNotFound)
    assert "isnet-general-use" in found.message


def test_a_missing_file(tmp_path: Path):
    """A folder without the session's file is refused, and nothing is downloaded."""
    found = refusal(tmp_path, session="u2netp")
    assert isinstance(found, ModelNotFound)
    assert "u2netp.onnx" in found.message


def test_a_file_that_is_no_network(tmp_path: Path):
    """A file that is no ONNX is refused by its name."""
    (tmp_path / "u2netp.onnx").write_bytes(b"\x00nothing" * 50)
    found = refusal(tmp_path / "u2netp.onnx", session="u2netp")
    assert isinstance(found, ProcessingFailed)
    assert "u2netp.onnx" in found.message


@pytest.mark.parametrize("value", [0.3, numpy.nan])
def test_answers_that_are_no_mask(tmp_path: Path, value: float):
    """A session whose network gives one number everywhere, or none at all, is refused."""
    path = constant(tmp_path / "u2netp.onnx", (320, 320), d0=numpy.full((1, 1, 320, 320), value))
    assert isinstance(refusal(path, session="u2netp"), ProcessingFailed)


def test_without_rembg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without rembg the refusal says what to install."""
    monkeypatch.setitem(sys.modules, "rembg", None)
    assert "taskarray[rembg]" in refusal(network(tmp_path, "u2netp"), session="u2netp").message


def test_the_list_of_sessions():
    """Every session that is let in is known to rembg and works on this machine."""
    from rembg.sessions import sessions

    assert set(SESSIONS) <= set(sessions)
    assert all(sessions[name].is_local() for name in SESSIONS)


def test_a_new_file_is_read_anew(tmp_path: Path):
    """A file that was replaced is read again."""
    picture, truth = red_on_blue()
    path = network(tmp_path, "u2netp")
    find_with("test:1@1", path, {"session": "u2netp"}, picture, silent)
    half = numpy.zeros((1, 1, 320, 320))
    half[..., :160] = 1
    shutil.move(constant(tmp_path / "new.onnx", (320, 320), d0=half), path)
    mask = find_with("test:1@1", path, {"session": "u2netp"}, picture, silent).mask
    assert overlap(mask * 255, numpy.arange(400) + 0 * truth < 200) > 0.95


def _hair() -> tuple[numpy.ndarray, numpy.ndarray]:
    """A dark body with hairs, 1 px wide, before a light ground; and its alpha from 0 to 1."""
    alpha = numpy.zeros((400, 400), numpy.float32)
    cv2.circle(alpha, (200, 200), 110, (1.0,), -1, cv2.LINE_AA)
    for angle in numpy.linspace(0, 2 * numpy.pi, 90):
        far = 200 + 120 * numpy.cos(angle), 200 + 120 * numpy.sin(angle)
        cv2.line(alpha, (200, 200), (round(far[0]), round(far[1])), (1.0,), 1)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 0.7)
    picture = alpha[..., None] * (60, 40, 30) + (1 - alpha[..., None]) * (210, 220, 230)
    return picture.astype(numpy.uint8), alpha


def _error(alpha: numpy.ndarray, truth: numpy.ndarray) -> float:
    return float(numpy.abs(alpha / 255 - truth).mean())


def test_matting():
    """Matting finds hair better than the guided filter does."""
    picture, truth = _hair()
    filtered, matted = cut(picture), cut(picture, edges=Edges(matting=Trimap(erode=25)))
    assert _error(matted.alpha, truth) < 0.8 * _error(filtered.alpha, truth)
    assert not matted.notice


def test_matting_without_its_extra(monkeypatch: pytest.MonkeyPatch):
    """Without PyMatting the edge is the guided filter's, and a notice names the extra."""
    monkeypatch.setitem(sys.modules, "pymatting", None)
    picture, _ = _hair()
    found = cut(picture, edges=Edges(matting=Trimap()))
    assert "taskarray[matting]" in found.notice
    assert (found.alpha == cut(picture).alpha).all()


def test_matting_of_a_vague_mask():
    """A mask that leaves more than a quarter open is not matted, and a notice says so."""
    picture, _ = _hair()
    found = cut(picture, edges=Edges(matting=Trimap(erode=200)))
    assert "too much open" in found.notice
    assert (found.alpha == cut(picture).alpha).all()


def test_matting_of_a_whole_picture():
    """A picture without a subject stays whole when matting is asked for."""
    found = cut(numpy.full((60, 60, 3), 90, numpy.uint8), edges=Edges(matting=Trimap()))
    assert (found.alpha == 255).all()
