"""TinyDC: a network of 29 thousand numbers that doubles the height and width of a picture's luma."""

from __future__ import annotations

import numpy
import torch
from torch import Tensor, nn
from torch.nn import functional

SCALE = 2
PAD = 7
"""Pixels on each side that the answer is smaller by, before it is enlarged: every convolution is valid."""
_CHANNELS, _DEPTH, _LINEAR = 32, 3, 5


class TinyDC(nn.Module):
    """(n, 1, h + 14, w + 14) between 0 and 1 becomes (n, 1, 2h, 2w).

    The answer is the sum of a 5 × 5 linear filter to each of the four pixels, which starts as bicubic
    interpolation and always has the sum 1, and of a deep branch that sees the picture minus its 5 × 5 mean and whose
    answer to nothing is taken off. So a flat area comes out as it went in.
    """

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Parameter(torch.from_numpy(_bicubic()))
        self.head = nn.Conv2d(1, _CHANNELS, 3)
        self.body = nn.ModuleList(nn.Conv2d(_CHANNELS, _CHANNELS, 3) for _ in range(_DEPTH))
        self.tail = nn.Conv2d(_CHANNELS, SCALE * SCALE, 3, bias=False)
        self.register_buffer("mean", torch.full((1, 1, 5, 5), 1 / 25))
        for layer in (self.head, *self.body):
            nn.init.kaiming_normal_(layer.weight, a=0.1)
            nn.init.zeros_(layer.bias)
        self.tail.weight.data.mul_(0.1)

    def forward(self, picture: Tensor) -> Tensor:
        inner = picture[:, :, 5:-5, 5:-5]
        detail = picture[:, :, 2:-2, 2:-2] - functional.conv2d(picture, self.mean)
        answer = functional.conv2d(inner, self.kernels()) + self._deep(detail) - self.rest()
        return functional.pixel_shuffle(answer, SCALE)

    def kernels(self) -> Tensor:
        """The linear branch's four kernels, each of the sum 1."""
        return self.linear / self.linear.sum((1, 2, 3), keepdim=True)

    def rest(self) -> Tensor:
        """The deep branch's answer to a flat area, (1, 4, 1, 1)."""
        return self._deep(torch.zeros(1, 1, 2 * PAD - 3, 2 * PAD - 3))

    def _deep(self, detail: Tensor) -> Tensor:
        found = functional.relu(self.head(detail))
        for layer in self.body:
            found = functional.relu(layer(found))
        return self.tail(found)


def _bicubic() -> numpy.ndarray:
    """Keys' kernel (a = −1/2) at the four places of the enlarged picture's pixels in one pixel of the small one."""
    distances = numpy.arange(_LINEAR)[None] - _LINEAR // 2 - numpy.array([[-0.25], [0.25]])
    x = abs(distances)
    rows = numpy.where(x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1, numpy.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))
    kernels = numpy.einsum("iy,jx->ijyx", rows, rows)
    return kernels.reshape(SCALE * SCALE, 1, _LINEAR, _LINEAR).astype(numpy.float32)
