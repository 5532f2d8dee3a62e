"""Metadata made byte by byte, with what identifies and without, and put into image files."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

Rows = dict[int, "tuple[int, bytes] | Rows"]

SECRETS = (b"SN-12345678", b"Jane Roe", b"maker's own block", b"what was cropped away")
"""Every identifying value of `telling_exif`, besides the position."""
SERIAL, OWNER, MAKER, THUMBNAIL = SECRETS
MODEL = b"Test Camera Model"
TELLING_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf exif:GPSLatitude="52,31.2N"/></x:xmpmeta>'
HARMLESS_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Make="Test" xmp:Rating="5"/></x:xmpmeta>'
_ASCII, _SHORT, _RATIONAL, _BYTES = 2, 3, 5, 7
_SIZES = {_ASCII: 1, _SHORT: 2, _RATIONAL: 8, _BYTES: 1}


def _directory(rows: Rows, start: int, order: str, linked: bool = False) -> bytes:
    """A directory of EXIF as it stands at `start`; `linked` says that another follows."""
    free = start + 2 + 12 * len(rows) + 4
    table, body = b"", b""
    for tag, value in rows.items():
        where = free + len(body)
        if isinstance(value, dict):
            kind, count, cell = 4, 1, struct.pack(order + "I", where)
            body += _directory(value, where, order)
        else:
            kind, count = value[0], len(value[1]) // _SIZES[value[0]]
            cell = value[1].ljust(4, b"\0")
            if len(value[1]) > 4:
                cell = struct.pack(order + "I", where)
                body += value[1] + b"\0" * (len(value[1]) % 2)
        table += struct.pack(order + "HHI", tag, kind, count) + cell
    following = free + len(body) if linked else 0
    return struct.pack(order + "H", len(rows)) + table + struct.pack(order + "I", following) + body


def _block(rows: Rows, order: str, thumbnail: Rows | None = None) -> bytes:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    block = head + _directory(rows, 8, order, linked=thumbnail is not None)
    return b"Exif\0\0" + block + (_directory(thumbnail, len(block), order) if thumbnail else b"")


def plain_exif(orientation: int = 1, order: str = "<") -> bytes:
    """EXIF, as a JPEG carries it, that says how the picture is turned and which camera model took it."""
    return _block({0x0110: (_ASCII, MODEL + b"\0"), 0x0112: (_SHORT, struct.pack(order + "H", orientation))}, order)


def telling_exif(order: str = "<") -> bytes:
    """EXIF with position, serial number, names, the maker's block and a thumbnail, in either byte order."""
    position: Rows = {1: (_ASCII, b"N\0"), 2: (_RATIONAL, struct.pack(order + "6I", 52, 1, 31, 1, 12, 1))}
    camera: Rows = {
        0x829A: (_RATIONAL, struct.pack(order + "2I", 1, 250)),
        0x927C: (_BYTES, MAKER),
        0xA430: (_ASCII, OWNER + b"\0"),
        0xA431: (_ASCII, SERIAL + b"\0"),
    }
    rows: Rows = {
        0x0110: (_ASCII, MODEL + b"\0"),
        0x0112: (_SHORT, struct.pack(order + "H", 1)),
        0x013B: (_ASCII, OWNER + b"\0"),
        0x8769: camera,
        0x8825: position,
    }
    return _block(rows, order, thumbnail={0x0201: (_BYTES, THUMBNAIL)})


def jpeg_with(jpeg: bytes, *segments: tuple[int, bytes]) -> bytes:
    """A JPEG with these segments, each as (marker, body), after its first marker."""
    added = b"".join(bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body for marker, body in segments)
    return jpeg[:2] + added + jpeg[2:]


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk of a PNG, its checksum right."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(png: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG with these chunks after its header."""
    return png[:33] + b"".join(png_chunk(*chunk) for chunk in chunks) + png[33:]


def webp_chunks(webp: bytes) -> list[tuple[bytes, bytes]]:
    """The chunks of a WebP file, as (kind, body)."""
    found, at = [], 12
    while at < len(webp):
        length = struct.unpack_from("<I", webp, at + 4)[0]
        found.append((webp[at : at + 4], webp[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return found


def webp_of(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP file of these chunks."""
    body = b"".join(k + struct.pack("<I", len(b)) + b + b"\0" * (len(b) % 2) for k, b in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def linear_grey_profile() -> bytes:
    """A colour profile for grey whose levels are proportional to light."""
    white = struct.pack(">3i", 63190, 65536, 54061)
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"grey\0" + bytes(81),
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": b"XYZ \0\0\0\0" + white,
        b"kTRC": b"curv\0\0\0\0" + struct.pack(">IHH", 1, 256, 0),
    }
    table, body = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I4sI4s4s4s", 128 + len(table + body), b"lcms", 0x02400000, b"mntr", b"GRAY", b"XYZ ")
    return (head + bytes(12) + b"acsp" + bytes(28) + white).ljust(128, b"\0") + table + body


def archive() -> bytes:
    """A ZIP archive, as it is appended to images to make one file of two kinds."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as writer:
        writer.writestr("hidden.txt", "hidden words")
    return file.getvalue()
