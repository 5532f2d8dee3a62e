"""No block of the README goes untried, and nothing that it leads to is missing."""

from __future__ import annotations

import re

import pytest

from tests.readme.blocks import BLOCKS, README, ROOT, RUNNERS, Block, of


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_claimed(block: Block) -> None:
    """Every block is tried by one runner."""
    assert len([name for name, claims in RUNNERS.items() if claims(block)]) == 1


@pytest.mark.parametrize("runner", RUNNERS)
def test_busy(runner: str) -> None:
    """Every runner has something to try."""
    assert of(runner)


def test_links() -> None:
    """Every file that it leads to is there, and every heading."""
    headings = {
        re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^#+ (.+)$", README, re.M)
    }
    for place in set(re.findall(r"\]\(([^)]+)\)", README)):
        if place.startswith("#"):
            assert place[1:] in headings
        elif not place.startswith("https://"):
            assert (ROOT / place).exists(), place


def test_test_command() -> None:
    """The command that tests it is the one that CI calls."""
    (block,) = of("test")
    assert block.text.strip() in (ROOT / ".ci" / "run").read_text()
