"""vectorize."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image
from skimage import data

from server.engines.vectors import NAME
from tasks.vectorize import vectorize
from tests.tasks.desk import Desk

CUP = Image.fromarray(data.coffee()).resize((150, 100), Image.Resampling.LANCZOS)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("asked", [{}, {"outputFormat": "svg"}, {"model": "recraft:1@1"}, {"model": "picsart:1@1"}])
def test_answer(desk: Desk, asked: dict[str, Any]):
    """An SVG as large as its input comes out, whichever model is named, and the answer says what drew it."""
    uuid = desk.keep(CUP)
    done = desk.run(vectorize, inputImage=uuid, **asked)
    assert done.item["inputImageUUID"] == uuid
    assert done.item["model"] == NAME
    assert done.item["imageURL"].endswith(".svg")
    (image,) = done.images
    assert (image["format"], image["mime"], image["width"], image["height"]) == ("SVG", "image/svg+xml", 150, 100)
    assert ElementTree.parse(done.path).getroot().get("viewBox") == "0 0 150 100"


def test_every_option_counts(desk: Desk):
    """Each option changes the drawing."""
    options = ({}, {"colorMode": "binary"}, {"filterSpeckle": 1}, {"colorPrecision": 2}, {"layerDifference": 90},
               {"pathPrecision": 0})  # fmt: skip
    drawings = {desk.run(vectorize, inputImage=desk.keep(CUP), **option).path.read_text() for option in options}
    assert len(drawings) == len(options)


@pytest.mark.parametrize(
    "wrong",
    [
        {"outputFormat": "PNG"},
        {"colorMode": "grey"},
        {"filterSpeckle": -1},
        {"filterSpeckle": 129},
        {"colorPrecision": 0},
        {"colorPrecision": 9},
        {"layerDifference": 256},
        {"pathPrecision": 9},
        {"pathPrecision": 2.5},
    ],
)
def test_refusals(desk: Desk, wrong: dict[str, Any]):
    """An option outside its range is refused by its name."""
    (parameter,) = wrong
    assert desk.run(vectorize, inputImage=desk.keep(CUP), **wrong).failure["parameter"] == parameter
