"""WebP (RFC 9649): its RIFF chunks up to the length it gives, the image's own header, and the first frame.

An animation whose first frame fills the canvas gives that frame as it is coded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from server.containers.exif import clean_exif, harmless, orientation
from server.containers.facts import CUT, Copy, Data, Facts, need

_PROFILE, _ALPHA, _EXIF, _XMP, _ANIMATED = 0x20, 0x10, 0x08, 0x04, 0x02
_KEPT = (b"ICCP", b"ALPH", b"VP8 ", b"VP8L")


@dataclass(frozen=True)
class _Chunk:
    """A chunk; its body lies between `start` and `end`."""

    kind: bytes
    start: int
    end: int


@dataclass(frozen=True)
class _Picture:
    """One coded picture, as its own header says."""

    width: int
    height: int
    alpha: bool
    lossless: bool


def _chunks(data: Data, at: int, stop: int) -> Iterator[_Chunk]:
    while at < stop:
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        need(at + 8 <= stop and end <= stop, CUT)
        yield _Chunk(bytes(data[at : at + 4]), at + 8, end)
        at = end + (end - at) % 2


def _u24(data: Data, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")


def _picture(data: Data, chunks: list[_Chunk]) -> _Picture:
    """What the one coded picture among these chunks says of itself."""
    coded = [chunk for chunk in chunks if chunk.kind in (b"VP8 ", b"VP8L")]
    need(len(coded) == 1, "it has no pixels" if not coded else "it has two images in one place")
    head = bytes(data[coded[0].start : min(coded[0].start + 10, coded[0].end)])
    if coded[0].kind == b"VP8L":
        need(len(head) >= 5 and head[0] == 0x2F, "its header is broken")
        packed = int.from_bytes(head[1:5], "little")
        need(packed >> 29 == 0, "its header is broken")
        size = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
        return _Picture(*size, alpha=bool(packed >> 28 & 1), lossless=True)
    need(len(head) == 10 and head[3:6] == b"\x9d\x01\x2a" and not head[0] & 1, "its header is broken")
    width, height = (int.from_bytes(head[i : i + 2], "little") & 0x3FFF for i in (6, 8))
    need(width and height, "its header gives no size")
    return _Picture(width, height, alpha=any(c.kind == b"ALPH" for c in chunks), lossless=False)


def _facts(picture: _Picture, copy: Copy | None) -> Facts:
    # A lossless picture is unpacked as a whole before its rows are handed out.
    held = picture.width * picture.height * (6 if picture.lossless else 4)
    return Facts(
        format="WEBP",
        width=picture.width,
        height=picture.height,
        components=4 if picture.alpha else 3,
        lossless=picture.lossless,
        subsampled=not picture.lossless,
        memory=held,
        copy=copy,
    )


def _assembled(chunks: list[_Chunk], picture: _Picture, own: dict[bytes, bytes]) -> Copy:
    """A file of its own from these chunks; `own` gives chunks another body."""
    flags = {b"ICCP": _PROFILE, b"ALPH": _ALPHA, b"EXIF": _EXIF, b"XMP ": _XMP}
    flag = sum(bit for kind, bit in flags.items() if any(c.kind == kind for c in chunks))
    flag |= _ALPHA if picture.alpha else 0
    size = (picture.width - 1).to_bytes(3, "little") + (picture.height - 1).to_bytes(3, "little")
    pieces = Copy()
    if flag & ~_ALPHA or any(c.kind == b"ALPH" for c in chunks):
        pieces.add(b"VP8X\x0a\0\0\0" + bytes((flag, 0, 0, 0)) + size)
    for chunk in chunks:
        body = own.get(chunk.kind)
        if body is None:
            pieces.keep(chunk.start - 8, chunk.end)
        else:
            pieces.add(chunk.kind + len(body).to_bytes(4, "little") + body)
        if (chunk.end - chunk.start if body is None else len(body)) % 2:
            pieces.add(b"\0")
    length = sum(len(p) if isinstance(p, bytes) else p[1] - p[0] for p in pieces.pieces)
    return Copy([b"RIFF" + (length + 4).to_bytes(4, "little") + b"WEBP", *pieces.pieces])


def _still(data: Data, chunks: list[_Chunk], stop: int) -> Facts:
    picture = _picture(data, chunks)
    kept, own, turned = list[_Chunk](), dict[bytes, bytes](), 1
    for chunk in chunks:
        if chunk.kind == b"EXIF":
            block = bytes(data[chunk.start : chunk.end]).removeprefix(b"Exif\0\0")
            turned, cleaned = orientation(block), clean_exif(block)
            if cleaned and cleaned != block:
                own[b"EXIF"] = cleaned
            kept += [chunk] if cleaned else []
        elif chunk.kind in _KEPT or (chunk.kind == b"XMP " and harmless(bytes(data[chunk.start : chunk.end]))):
            kept.append(chunk)
    if own or len(kept) < sum(chunk.kind != b"VP8X" for chunk in chunks):
        copy = _assembled(kept, picture, own)
    else:
        copy = Copy([(0, stop)])
    return replace(_facts(picture, copy), orientation=turned)


def _animated(data: Data, chunks: list[_Chunk], canvas: tuple[int, int]) -> Facts:
    frames = [chunk for chunk in chunks if chunk.kind == b"ANMF"]
    need(frames, "it has no pixels")
    first = frames[0]
    inside = list(_chunks(data, first.start + 16, first.end))
    picture = _picture(data, inside)
    corner = (2 * _u24(data, first.start), 2 * _u24(data, first.start + 3))
    size = (picture.width, picture.height)
    need(size == (_u24(data, first.start + 6) + 1, _u24(data, first.start + 9) + 1), "a frame's size is wrong")
    need(all(c + s <= full for c, s, full in zip(corner, size, canvas, strict=True)), "a frame is off the image")
    turned = [orientation(bytes(data[c.start : c.end])) for c in chunks if c.kind == b"EXIF"]
    copy = None
    if size == canvas:
        kept = [c for c in chunks if c.kind == b"ICCP"] + [c for c in inside if c.kind in _KEPT[1:]]
        copy = _assembled(kept, picture, {})
    shown = replace(picture, width=canvas[0], height=canvas[1], alpha=picture.alpha or size != canvas)
    return replace(_facts(shown, copy), frames=len(frames), orientation=turned[0] if turned else 1)


def read(data: Data) -> Facts:
    """The facts of a WebP file; raises Damaged."""
    stop = 8 + int.from_bytes(data[4:8], "little")
    need(stop <= len(data), CUT)
    chunks = list(_chunks(data, 12, stop))
    if not chunks or chunks[0].kind != b"VP8X":
        return _still(data, chunks, stop)
    head = chunks[0]
    need(head.end - head.start == 10, "its header is broken")
    canvas = _u24(data, head.start + 4) + 1, _u24(data, head.start + 7) + 1
    if data[head.start] & _ANIMATED:
        return _animated(data, chunks, canvas)
    facts = _still(data, chunks, stop)
    need((facts.width, facts.height) == canvas, "its headers give two sizes")
    return facts
