"""Teach a network with patches drawn at random."""

from __future__ import annotations

import math
import time

import numpy
import torch
from numpy.random import Generator

from bench.upscaler import damage, pictures
from bench.upscaler.network import PAD, SCALE, TinyDC

_PATCH, _BATCH, _RATE, _WARM_UP = 40, 16, 2e-3, 100
_LEAF_PICTURES = 160
_REPORT_EVERY = 250


def train(kind: str, steps: int, seconds: float, seed: int) -> TinyDC:
    """A network for "clean" or "robust" pictures after so many steps, or earlier when the seconds are over."""
    torch.manual_seed(seed)
    rng = numpy.random.default_rng(seed)
    shown, shares = pictures.training(_LEAF_PICTURES, seed)
    network = TinyDC()
    optimiser = torch.optim.Adam(network.parameters(), _RATE)
    begin, step, done = time.monotonic(), 0, 0.0
    while done < 1:
        for group in optimiser.param_groups:
            group["lr"] = _RATE * min(1, (step + 1) / _WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * done) + 0.005)
        small, large = _batch(rng, shown, shares, damage.KINDS[kind])
        # Charbonnier's loss: as the absolute difference, but smooth below a quarter of a level.
        loss = torch.sqrt((network(small) - large) ** 2 + 1e-6).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        done = max(step / steps, (time.monotonic() - begin) / seconds)
        if step % _REPORT_EVERY == 0:
            print(f"{kind} {step} steps, {time.monotonic() - begin:.0f} s, loss {loss.item():.5f}", flush=True)
    return network


def _batch(
    rng: Generator, shown: list[numpy.ndarray], shares: numpy.ndarray, shrink: damage.Shrink
) -> tuple[torch.Tensor, torch.Tensor]:
    """Small patches with their surroundings, and what they were made of."""
    side, margin = (_PATCH + 2 * PAD) * SCALE, PAD * SCALE
    small, large = [], []
    for number in rng.choice(len(shown), _BATCH, p=shares):
        patch = damage.varied(rng, _cut(rng, shown[number], side))
        small.append(shrink(rng, patch))
        large.append(patch[margin:-margin, margin:-margin])
    return _tensor(small), _tensor(large)


def _cut(rng: Generator, picture: numpy.ndarray, side: int) -> numpy.ndarray:
    top, left = (rng.integers(length - side + 1) for length in picture.shape)
    return picture[top : top + side, left : left + side]


def _tensor(patches: list[numpy.ndarray]) -> torch.Tensor:
    return torch.from_numpy(numpy.stack(patches)[:, None].astype(numpy.float32) / 255)
