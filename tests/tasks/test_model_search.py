"""modelSearch."""

from __future__ import annotations

from pathlib import Path

from tasks.model_search import model_search
from tests.tasks.desk import Desk

TABLE = """
[[model]]
air = "acme:1@2"
name = "Acme Dream"
kind = "checkpoint"
file = "dream.safetensors"
engine = "diffusers"
options = { architecture = "sd15" }
licence = "MIT"

[[model]]
air = "acme:2@1"
name = "Acme Nightmare"
kind = "checkpoint"
file = "absent.safetensors"
engine = "diffusers"
"""


def names(desk: Desk, **fields: object) -> list[str]:
    return [found["air"] for found in desk.run(model_search, **fields).item["results"]]


def test_installed_models(tmp_path: Path):
    """What is installed is found by words, kind and architecture; what is not installed is not."""
    desk = Desk(tmp_path, table=TABLE)
    (tmp_path / "models" / "dream.safetensors").write_bytes(b"weights")
    for fields in ({"search": "DREAM acme"}, {"category": "checkpoint"}, {"architecture": "sd15"}):
        assert names(desk, **fields) == ["acme:1@2"], fields
    assert names(desk, search="nightmare") == []
    (item,) = desk.run(model_search, search="dream").item["results"]
    assert item == {
        "air": "acme:1@2", "name": "Acme Dream", "version": "2", "category": "checkpoint",
        "architecture": "sd15", "comment": "MIT", "tags": [], "heroImage": "", "private": False,
    }  # fmt: skip


def test_pages(tmp_path: Path):
    """limit and offset cut a page out of all that was found; the server's own engines are among it."""
    desk = Desk(tmp_path)
    every = desk.run(model_search, limit=100).item
    assert every["totalResults"] == len(every["results"]) >= 3
    assert all(found["air"].startswith("taskarray:") for found in every["results"])
    page = desk.run(model_search, limit=2, offset=1).item
    assert page["totalResults"] == every["totalResults"]
    assert page["results"] == every["results"][1:3]
