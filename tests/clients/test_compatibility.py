"""The table of compatibility in the README says what the tests of the clients show, and nothing else."""

from __future__ import annotations

import pytest

from tests.clients.compatibility import README, Claims, collected, refreshed, stored


@pytest.fixture(scope="module")
def claims() -> Claims:
    """What the tests say that they prove."""
    return collected()


def test_the_file(claims: Claims) -> None:
    """The file claims what tests show, all of it and no more; `python -m tests.clients.compatibility` writes it."""
    assert stored() == claims


def test_the_readme(claims: Claims) -> None:
    """The README's table is that of the claims, and it is there."""
    readme = README.read_text()
    assert "<!-- compatibility -->" in readme
    assert readme == refreshed(readme, claims)
