"""TIFF: the directory of its first picture, and whether its strips or tiles are all there. It is never kept as it came.

What is read is what scanners, printers and image editors write (TIFF 6.0 with deflate); what cameras keep in a TIFF
is not a picture yet.
"""

from __future__ import annotations

import struct

from server.containers.facts import CUT, Data, Facts, Unread, need

_FORMS = {1: "B", 3: "H", 4: "I"}
"""How a value is written, by the types whose values are unsigned numbers."""
_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_STRIPS, _ORIENTATION, _SAMPLES, _ROWS, _STRIP_BYTES, _PLANAR = 273, 274, 277, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _SAMPLE_FORMAT = 322, 323, 324, 325, 339
_READ = (
    _SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _STRIPS, _ORIENTATION, _SAMPLES, _ROWS, _STRIP_BYTES,
    _PLANAR, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _SAMPLE_FORMAT,
)  # fmt: skip
_GREY, _RGB, _PALETTE, _CMYK, _YCBCR, _SENSOR = (0, 1), 2, 3, 5, 6, (32803, 34892)
_JPEG = 7
_COMPRESSIONS = (1, 2, 3, 4, 5, _JPEG, 8, 32773, 32946)
"""None, three of fax, LZW, JPEG, deflate, runs of bytes, and deflate under its old number."""
_MOST_PIECES = 2**18
_BROKEN = "its directory is broken"

Tags = dict[int, tuple[int, ...]]


def read(data: Data) -> Facts:
    """The facts of a TIFF file; raises Damaged or Unread."""
    tags = _directory(data, "<" if data[:2] == b"II" else ">")
    width, height = _one(tags, _WIDTH), _one(tags, _HEIGHT)
    need(width and height, "its header gives no size")
    components, bits = _layout(tags)
    rows, across = _piece(tags, width, height)
    _pieces(data, tags, width, height, rows, across)
    orientation = _one(tags, _ORIENTATION, 1)
    shown = 3 if _one(tags, _PHOTOMETRIC) == _PALETTE else components
    return Facts(
        "TIFF", width, height, components, bits,
        orientation=orientation if 1 <= orientation <= 8 else 1,
        memory=rows * max(width, across) * shown * (2 if bits == 16 else 1),
    )  # fmt: skip


def _one(tags: Tags, tag: int, default: int = 0) -> int:
    return tags.get(tag, (default,))[0]


def _directory(data: Data, order: str) -> Tags:
    """The values of the first directory that matter here. Of a tag that is there twice the first counts."""

    def numbers(at: int, form: str) -> tuple[int, ...]:
        need(at + struct.calcsize(order + form) <= len(data), CUT)
        return struct.unpack_from(order + form, data, at)

    (start,) = numbers(4, "I")
    need(start >= 8, _BROKEN)
    tags: Tags = {}
    for index in range(numbers(start, "H")[0]):
        at = start + 2 + 12 * index
        tag, kind, count = numbers(at, "HHI")
        if tag not in _READ or tag in tags or kind not in _FORMS or not count:
            continue
        need(count <= _MOST_PIECES, "it is in too many pieces")
        form = f"{count}{_FORMS[kind]}"
        place = at + 8 if struct.calcsize(order + form) <= 4 else numbers(at + 8, "I")[0]
        tags[tag] = numbers(place, form)
    return tags


def _layout(tags: Tags) -> tuple[int, int]:
    """Components and bits of each, of a layout that is read here."""
    need(_PHOTOMETRIC in tags, _BROKEN)
    photometric, compression = _one(tags, _PHOTOMETRIC), _one(tags, _COMPRESSION, 1)
    if photometric in _SENSOR or _one(tags, _SUBFILE) & 1:
        raise Unread("a camera's raw file")
    if compression not in _COMPRESSIONS:
        raise Unread(f"a TIFF in an uncommon compression ({compression})")
    components, depths = _one(tags, _SAMPLES, 1), set(tags.get(_BITS, (1,)))
    bits = max(depths)
    usual = {_RGB: (3, 4), _PALETTE: (1,), _CMYK: (4,), _YCBCR: (3,)}.get(photometric, (1, 2))
    deep = {_PALETTE: (1, 2, 4, 8), _CMYK: (8,), _YCBCR: (8,), _RGB: (8, 16)}.get(photometric, (1, 2, 4, 8, 16))
    known = photometric in (*_GREY, _RGB, _PALETTE, _CMYK) or (photometric, compression) == (_YCBCR, _JPEG)
    plain = set(tags.get(_SAMPLE_FORMAT, (1,))) == {1} and len(depths) == 1 and (bits >= 8 or components == 1)
    if not known or not plain or components not in usual or bits not in deep:
        raise Unread("a TIFF with uncommon colours")
    return components, bits


def _piece(tags: Tags, width: int, height: int) -> tuple[int, int]:
    """Rows and columns of one strip or tile."""
    if _TILES in tags:
        return _one(tags, _TILE_HEIGHT), _one(tags, _TILE_WIDTH)
    return min(_one(tags, _ROWS, height), height), width


def _pieces(data: Data, tags: Tags, width: int, height: int, rows: int, across: int) -> None:
    """Prove that as many strips or tiles as there must be lie within the file."""
    need(rows and across, _BROKEN)
    planes = _one(tags, _SAMPLES, 1) if _one(tags, _PLANAR, 1) == 2 else 1
    expected = -(-height // rows) * -(-width // across) * planes
    starts, lengths = (_TILES, _TILE_BYTES) if _TILES in tags else (_STRIPS, _STRIP_BYTES)
    need(len(tags.get(starts, ())) >= expected <= len(tags.get(lengths, ())), CUT)
    for start, length in zip(tags[starts][:expected], tags[lengths][:expected], strict=True):
        need(length and start + length <= len(data), CUT)
