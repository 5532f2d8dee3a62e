"""GIF (89a): its blocks up to the trailer, and the size of its first frame. It is never kept as it came."""

from __future__ import annotations

from server.containers.facts import CUT, Data, Facts, need

_BYTES_A_PIXEL = 6
"""The palette's indexes, and colours with alpha and room to make them smaller."""


def _byte(data: Data, at: int) -> int:
    need(at < len(data), CUT)
    return data[at]


def _u16(data: Data, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _after_table(flags: int, at: int) -> int:
    """Where a colour table that starts at `at`, if the flags say there is one, ends."""
    return at + 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else at


def _after_blocks(data: Data, at: int) -> int:
    while length := _byte(data, at):
        at += 1 + length
    return at + 1


def read(data: Data) -> Facts:
    """The facts of a GIF file; raises Damaged."""
    need(len(data) >= 13, CUT)
    width, height = _u16(data, 6), _u16(data, 8)
    at = _after_table(data[10], 13)
    frames = 0
    while (kind := _byte(data, at)) != 0x3B:
        need(kind in (0x21, 0x2C), "a block is of no known kind")
        if kind == 0x21:
            at = _after_blocks(data, at + 2)
            continue
        flags = _byte(data, at + 9)
        if not frames:
            # A first frame that does not fit makes the picture larger.
            width = max(width, _u16(data, at + 1) + _u16(data, at + 5))
            height = max(height, _u16(data, at + 3) + _u16(data, at + 7))
        frames += 1
        at = _after_blocks(data, _after_table(flags, at + 10) + 1)
    need(frames and width and height, "it has no pixels")
    return Facts("GIF", width, height, components=1, frames=frames, memory=width * height * _BYTES_A_PIXEL)
