"""The way of an image into the server: what is taken, within which limits, and in what form it is stored.

An image is stored upright, at no more than `max_side` pixels a side, as its first frame, without metadata that
identifies and without anything appended. JPEG, PNG and WebP that are so already keep their pixels bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from server import containers, pixels
from server.containers import Copy, Damaged, Data, Facts, Unread
from server.errors import InvalidParameter, UnsupportedImageFormat, ValueTooLarge
from server.tally import tally
from server.task import Limits, NewImage


def fitted(width: int, height: int, max_side: int) -> tuple[int, int]:
    """The largest size of the same shape with no side above `max_side`; no side is ever 0. 0 is no cap."""
    longest = max(width, height)
    if not max_side or longest <= max_side:
        return width, height
    return max(1, round(width * max_side / longest)), max(1, round(height * max_side / longest))


def admit(source: Path, scratch: Callable[[str], Path], limits: Limits, *, parameter: str = "image") -> NewImage:
    """The image in a client's file, ready to be stored.

    Its path is `source` itself where nothing had to change, else a file from `scratch`. Refusals tell about
    `parameter` (wire spelling): InvalidParameter, UnsupportedImageFormat, ValueTooLarge.
    """
    try:
        with containers.mapped(source) as data:
            if limits.max_bytes and len(data) > limits.max_bytes:
                sentence = f"The file has {len(data)} bytes; {limits.max_bytes} are taken here."
                tally.add("images_rejected", "bytes")
                raise ValueTooLarge(sentence, parameter=parameter, maxBytes=limits.max_bytes)
            facts = containers.read(data)
            size = _size_within(facts, limits, parameter)
            stored = facts.format if facts.format in ("JPG", "WEBP") else "PNG"
            copy = _untouched(facts, size)
            if copy:
                path = _kept(source, data, facts, copy, scratch)
                return NewImage(path, stored, *size, source)
        path = scratch(f".{stored.lower()}")
        pixels.convert(source, facts, size, path)
        return NewImage(path, stored, *size, source)
    except Damaged as error:
        tally.add("images_rejected", "damaged")
        raise InvalidParameter(f"The image cannot be read: {error}.", parameter=parameter) from error
    except Unread as error:
        tally.add("images_rejected", "format")
        sentence = f"The file looks like {error}, which is not read here; {containers.FORMATS} are."
        raise UnsupportedImageFormat(sentence, parameter=parameter) from error


def _untouched(facts: Facts, size: tuple[int, int]) -> Copy | None:
    """The copy with the pixels as they are, if they can be stored so: upright, within the cap, not CMYK."""
    upright = facts.orientation == 1 and size == (facts.width, facts.height)
    return facts.copy if upright and not (facts.format == "JPG" and facts.components == 4) else None


def _kept(source: Path, data: Data, facts: Facts, copy: Copy, scratch: Callable[[str], Path]) -> Path:
    """Where the copy lies, proven to decode: `source` itself when nothing has to go."""
    if copy.is_all_of(data):
        pixels.check(source, data, facts)
        return source
    path = scratch(f".{facts.format.lower()}")
    copy.write(data, path)
    with containers.mapped(path) as written:
        pixels.check(path, written, facts)
    return path


def _size_within(facts: Facts, limits: Limits, parameter: str) -> tuple[int, int]:
    """The size at which the image is stored; ValueTooLarge where reading it would exceed a limit."""
    count = facts.width * facts.height * facts.frames
    if limits.max_pixels and count > limits.max_pixels:
        tally.add("images_rejected", "pixels")
        frames = f" × {facts.frames} frames" if facts.frames > 1 else ""
        raise ValueTooLarge(
            f"The image has {facts.width} × {facts.height}{frames} = {count} pixels; this server takes"
            f" {limits.max_pixels} (TASKARRAY_MAX_PIXELS).",
            parameter=parameter,
        )
    if limits.max_area and facts.width * facts.height > limits.max_area:
        sentence = f"The image has {facts.width} × {facts.height} pixels; {limits.max_area} are taken here."
        tally.add("images_rejected", "area")
        raise ValueTooLarge(sentence, parameter=parameter, maxPixels=limits.max_area)
    width, height = fitted(facts.width, facts.height, limits.max_side)
    # What is turned is held as a whole, at the size it is stored at.
    held = max(facts.memory, width * height * facts.components if facts.orientation > 2 else 0)
    if limits.max_decoded and held > limits.max_decoded:
        tally.add("images_rejected", "memory")
        raise ValueTooLarge(
            f"The image needs {held} bytes of memory to be decoded; this server gives one image"
            f" {limits.max_decoded} (TASKARRAY_MAX_DECODED).",
            parameter=parameter,
        )
    return (width, height) if facts.orientation < 5 else (height, width)
