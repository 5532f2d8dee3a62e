"""EXIF and XMP: how a picture is turned, and the same metadata without what tells who, where or which device.

EXIF is a tree of directories (TIFF 6.0, CIPA DC-008). What goes: the position, the maker's own block, serial
numbers, names of owner and author, the thumbnail, and other metadata or images inside. The rest stays.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_ORIENTATION = 0x0112
_SUBDIRECTORIES = (0x8769, 0xA005)
_IDENTIFYING = frozenset(
    (
        0x013B,  # Artist
        0x013C,  # HostComputer
        0x014A,  # SubIFDs: further images
        0x02BC,  # XMP
        0x83BB,  # IPTC
        0x8649,  # Photoshop's block, which carries IPTC
        0x8825,  # position
        0x927C,  # MakerNote
        0x9C9D,  # XPAuthor
        0xA420,  # ImageUniqueID
        0xA430,  # CameraOwnerName
        0xA431,  # BodySerialNumber
        0xA435,  # LensSerialNumber
        0xA437,  # Photographer
        0xA438,  # ImageEditor
        0xC62F,  # CameraSerialNumber
        0xC634,  # DNGPrivateData
    )
)
_IDENTIFYING_XMP = re.compile(
    rb"(?i:gps)|SerialNumber|OwnerName|:[cC]reator\b|Author|Location|:City|Person|mwg-rs:"
    rb"|GImage|GDepth|GCamera|Container:|hdrgm"
)


@dataclass(frozen=True)
class _Entry:
    kind: int
    count: int
    value: bytes | _Directory


_Directory = dict[int, _Entry]


class _Unreadable(Exception):
    pass


class _Reader:
    """Reads the directories of one TIFF block and notes whether anything in it identifies."""

    def __init__(self, block: bytes) -> None:
        self.block = block
        self.order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4], "")
        self.identifies = False
        self.unread = len(block)
        if not self.order:
            raise _Unreadable

    def number(self, code: str, offset: int) -> int:
        try:
            return struct.unpack_from(self.order + code, self.block, offset)[0]
        except struct.error as error:
            raise _Unreadable from error

    def rows(self) -> range:
        """Where the rows of the first directory start."""
        start = self.number("I", 4)
        return range(start + 2, start + 2 + 12 * self.number("H", start), 12)

    def root(self) -> _Directory:
        rows = self.rows()
        # The directory after the first describes the thumbnail, which may show what was cut away.
        self.identifies = any(self.block[rows.stop : rows.stop + 4])
        return self.directory(rows.start - 2)

    def directory(self, start: int, depth: int = 0) -> _Directory:
        count = self.number("H", start)
        self.spend(12 * count)
        found: _Directory = {}
        for offset in range(start + 2, start + 2 + 12 * count, 12):
            tag = self.number("H", offset)
            if tag in _IDENTIFYING:
                self.identifies = True
            elif tag in _SUBDIRECTORIES and depth < 2:
                found[tag] = _Entry(4, 1, self.directory(self.number("I", offset + 8), depth + 1))
            else:
                found[tag] = self.entry(offset)
        return found

    def entry(self, offset: int) -> _Entry:
        kind, count = self.number("H", offset + 2), self.number("I", offset + 4)
        size = _SIZES.get(kind, 0) * count
        start = offset + 8 if size <= 4 else self.number("I", offset + 8)
        self.spend(size if size > 4 else 0)
        if start + size > len(self.block):
            raise _Unreadable
        return _Entry(kind, count, self.block[start : start + size])

    def spend(self, size: int) -> None:
        """Values may share their bytes, so that a small block unfolds to a huge one: count what is read."""
        self.unread -= size
        if self.unread < 0:
            raise _Unreadable


def _written(directory: _Directory, start: int, order: str) -> bytes:
    """A directory as it stands at `start`: its rows, then the values too long for a row."""
    body_at = start + 2 + 12 * len(directory) + 4
    rows, body = b"", b""
    for tag, entry in sorted(directory.items()):
        value = entry.value
        if isinstance(value, dict):
            value = _written(value, body_at + len(body), order)
            cell, body = struct.pack(order + "I", body_at + len(body)), body + value
        elif len(value) > 4:
            cell, body = struct.pack(order + "I", body_at + len(body)), body + value + b"\0" * (len(value) % 2)
        else:
            cell = value.ljust(4, b"\0")
        rows += struct.pack(order + "HHI", tag, entry.kind, entry.count) + cell
    return struct.pack(order + "H", len(directory)) + rows + bytes(4) + body


def clean_exif(block: bytes) -> bytes:
    """The same TIFF block without what identifies; unchanged where nothing does, empty where unreadable."""
    try:
        reader = _Reader(block)
        root = reader.root()
    except _Unreadable:
        return b""
    if not reader.identifies:
        return block
    head = b"II*\0" if reader.order == "<" else b"MM\0*"
    return head + struct.pack(reader.order + "I", 8) + _written(root, 8, reader.order)


def orientation(block: bytes) -> int:
    """How the picture is turned, 1 to 8; 1 where the block does not say."""
    try:
        reader = _Reader(block)
        for offset in reader.rows():
            if reader.number("H", offset) == _ORIENTATION:
                is_long = reader.number("H", offset + 2) in (4, 13)
                value = reader.number("I" if is_long else "H", offset + 8)
                return value if 1 <= value <= 8 else 1
    except _Unreadable:
        pass
    return 1


def harmless(text: bytes) -> bool:
    """Whether an XMP packet or a keyword may stay: no place, person or device, no second image."""
    return not _IDENTIFYING_XMP.search(text.replace(b"\0", b""))
