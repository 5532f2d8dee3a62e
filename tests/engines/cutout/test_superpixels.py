"""Superpixels."""

from __future__ import annotations

import cv2
import numpy
import pytest

from server.engines.cutout.superpixels import Superpixels, slic
from server.engines.vision import to_lab
from tests.engines.cutout.subjects import photograph


@pytest.fixture(scope="module")
def cup() -> Superpixels:
    return slic(to_lab(cv2.resize(photograph("coffee.png"), (300, 200), interpolation=cv2.INTER_AREA)), 200)


def test_regions_are_connected(cup: Superpixels):
    """There are about as many regions as asked for, each of one piece, and their sizes add up."""
    assert 150 <= len(cup.sizes) <= 260
    assert cup.sizes.sum() == 200 * 300
    assert all(
        cv2.connectedComponents((cup.labels == each).astype(numpy.uint8), connectivity=4)[0] == 2
        for each in range(len(cup.sizes))
    )


def test_regions_follow_edges():
    """No region lies on both sides of an edge between two colours."""
    lab = to_lab(numpy.zeros((120, 160, 3), numpy.uint8))
    cv2.circle(lab, (80, 60), 37, (80, 40, 20), -1)
    regions = slic(lab, 60)
    inside = lab[..., 0] > 40
    shares = numpy.bincount(regions.labels.ravel(), inside.ravel()) / regions.sizes
    assert (numpy.minimum(shares, 1 - shares) < 0.02).all()


def test_neighbours_and_border(cup: Superpixels):
    """Regions that share an edge are neighbours, once a pair; those at the border are told."""
    pairs = cup.neighbours()
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert len(numpy.unique(pairs, axis=0)) == len(pairs)
    assert tuple(sorted((cup.labels[100, 0], cup.labels[100, 60]))) not in {tuple(pair) for pair in pairs}
    assert cup.border()[cup.labels[0, 150]]
    assert not cup.border()[cup.labels[100, 150]]
    assert numpy.allclose(cup.centres[cup.labels[100, 150]], (100, 150), atol=25)
