"""How large a picture may become, and where a smaller one lies on a larger one."""

from __future__ import annotations

from server.errors import ValueTooLarge

MAX_SIDE = 8192
MAX_PIXELS = 64_000_000

Size = tuple[int, int]
"""Width and height in pixels."""

_GRAVITY = {
    "northwest": (0.0, 0.0),
    "north": (0.5, 0.0),
    "northeast": (1.0, 0.0),
    "west": (0.0, 0.5),
    "center": (0.5, 0.5),
    "east": (1.0, 0.5),
    "southwest": (0.0, 1.0),
    "south": (0.5, 1.0),
    "southeast": (1.0, 1.0),
}


def bounded(size: Size, across: str, down: str) -> None:
    """Raise ValueTooLarge for a size that no picture may have, told about `across` or, for the height, `down`."""
    width, height = size
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise ValueTooLarge(
            f"The picture would become {width} × {height} pixels; {MAX_SIDE} a side and {MAX_PIXELS} in all are"
            " allowed. Ask for a smaller one.",
            parameter=down if height > MAX_SIDE >= width else across,
        )


def scaled(size: Size, across: float, down: float) -> Size:
    """A size times a factor a side, in whole pixels; no side is ever 0."""
    return max(1, round(size[0] * across)), max(1, round(size[1] * down))


def placed(inner: tuple[float, float], outer: tuple[float, float], gravity: str) -> tuple[float, float]:
    """Left and top of what is drawn towards a side or corner of something else; negative where it is larger."""
    right, down = _GRAVITY[gravity]
    return (outer[0] - inner[0]) * right, (outer[1] - inner[1]) * down
