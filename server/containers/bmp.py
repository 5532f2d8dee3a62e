"""BMP: its header, and whether its pixels are all there. It is never kept as it came."""

from __future__ import annotations

from server.containers.facts import CUT, Data, Facts, Unread, need

_BYTES_A_PIXEL = 8
"""Four before and four after it is made smaller."""
_MOST_OF_RUNS = 2**22
"""Run lengths are unpacked pixel by pixel in Python: more pixels than this would take seconds."""
_PLAIN, _RUNS, _MASKS = (0,), (1, 2), (3, 6)
_BITS = (1, 4, 8, 16, 24, 32)


def _number(data: Data, at: int, size: int, signed: bool = False) -> int:
    return int.from_bytes(data[at : at + size], "little", signed=signed)


def read(data: Data) -> Facts:
    """The facts of a BMP file; raises Damaged or Unread."""
    need(len(data) >= 26, CUT)
    pixels, header = _number(data, 10, 4), _number(data, 14, 4)
    need(header in (12, 40, 52, 56, 64, 108, 124) and 14 + header <= len(data), "its header is broken")
    if header == 12:
        width, height, bits, compression = _number(data, 18, 2), _number(data, 20, 2), _number(data, 24, 2), 0
    else:
        width, height = _number(data, 18, 4, signed=True), abs(_number(data, 22, 4, signed=True))
        bits, compression = _number(data, 28, 2), _number(data, 30, 4)
    need(width > 0 and height > 0, "its header gives no size")
    need(bits in _BITS or compression in (4, 5), "its header is broken")
    if compression not in _PLAIN + _RUNS + _MASKS:
        raise Unread("a BMP with another file inside")
    need(14 + header <= pixels <= len(data), "its header is broken")
    if compression not in _RUNS:
        need(pixels + (width * bits + 31) // 32 * 4 * height <= len(data), CUT)
    else:
        need(pixels + _number(data, 34, 4) <= len(data), CUT)
        if width * height > _MOST_OF_RUNS:
            raise Unread("a run-length encoded BMP of more than four megapixels")
    return Facts("BMP", width, height, max(1, bits // 8), memory=width * height * _BYTES_A_PIXEL)
