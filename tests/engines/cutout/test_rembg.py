"""Cutting out with the sessions of rembg."""

from __future__ import annotations

import shutil
import socket
import sys
from pathlib import Path

import numpy
import pytest

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
