"""PNG and APNG (W3C PNG, third edition): chunks with their checksums up to IEND, and the coded rows.

A chunk is kept when it is known to be needed or harmless. An animation's still image is kept, its frames go.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from server.containers.exif import clean_exif, harmless, orientation
from server.containers.facts import CUT, Copy, Data, Facts, need

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_BITS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_KEPT = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP cICP mDCV cLLI sBIT bKGD hIST pHYs sPLT oFFs sCAL pCAL tIME".split()
)
_TEXT = (b"tEXt", b"zTXt", b"iTXt")
_XMP = b"XML:com.adobe.xmp"
_LARGEST_TEXT = 2**20
"""More than this, unpacked, and common readers refuse the whole file."""
_BLOCK = 2**18


@dataclass
class _Walk:
    """What has been seen so far, chunk by chunk."""

    data: Data
    copy: Copy | None = field(default_factory=Copy)
    header: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    palette: bool = False
    pixels: bool = False
    frames: int = 1
    turned: int = 1

    def chunk(self, kind: bytes, start: int, end: int) -> None:
        """Take one chunk, whose length field is at `start` and whose checksum ends at `end`."""
        if kind == b"acTL":
            self.frames = max(1, int.from_bytes(self.data[start + 8 : start + 12], "big"))
        elif kind == b"eXIf":
            self.exif(start, end)
        elif kind in _TEXT:
            if _harmless_text(kind, self.data[start + 8 : end - 4]):
                self.keep(start, end)
        elif kind in _KEPT:
            if kind == b"PLTE":
                need(0 < end - start - 12 <= 768 and (end - start) % 3 == 0, "its palette is broken")
                self.palette = True
            self.pixels |= kind == b"IDAT"
            if kind == b"iCCP" and _unpacked(self.data[start + 8 : end - 4].partition(b"\0")[2][1:]) is None:
                # Only converting the colours gives a file that every reader takes.
                self.copy = None
            self.keep(start, end)
        else:
            need(kind[0] & 32, "it has a chunk of no known kind")

    def keep(self, start: int, end: int) -> None:
        if self.copy:
            self.copy.keep(start, end)

    def exif(self, start: int, end: int) -> None:
        body = bytes(self.data[start + 8 : end - 4]).removeprefix(b"Exif\0\0")
        self.turned = orientation(body)
        cleaned = clean_exif(body)
        if cleaned == body:
            self.keep(start, end)
        elif cleaned and self.copy:
            self.copy.add(_chunk(b"eXIf", cleaned))

    def facts(self) -> Facts:
        """The facts of an image whose end has been reached."""
        width, height, bits, colour, interlaced = self.header
        need(self.pixels, "it has no pixels")
        need(self.palette or colour != 3, "its palette is missing")
        channels = _CHANNELS[colour]
        # A palette is unfolded to colours with alpha, single bits to bytes.
        unfolded = 4 if colour == 3 else channels * max(bits, 8) // 8
        return Facts(
            format="PNG",
            width=width,
            height=height,
            components=channels,
            bits=bits,
            frames=self.frames,
            orientation=self.turned,
            multiscan=bool(interlaced),
            memory=width * height * unfolded if interlaced else 0,
            copy=self.copy,
        )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def _unpacked(packed: bytes) -> bytes | None:
    """What a small compressed text or profile says; None when it is damaged or large."""
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(packed, _LARGEST_TEXT)
    except zlib.error:
        return None
    return plain if stream.eof else None


def _harmless_text(kind: bytes, body: bytes) -> bool:
    """Whether a text chunk may stay."""
    keyword, _, text = body.partition(b"\0")
    if keyword == b"Author" or keyword.startswith(b"Raw profile type") or not harmless(keyword):
        return False
    if kind == b"iTXt":
        packed, text = text[:1] == b"\1", text[2:].partition(b"\0")[2].partition(b"\0")[2]
    else:
        packed, text = kind == b"zTXt", text[1:] if kind == b"zTXt" else text
    plain = _unpacked(text) if packed else text
    return plain is not None and len(plain) < _LARGEST_TEXT and (keyword != _XMP or harmless(plain))


def _chunks(data: Data) -> Iterator[tuple[bytes, int, int]]:
    """Every chunk up to IEND, as (kind, start, end); raises Damaged where the file ends early."""
    at = len(SIGNATURE)
    kind = b""
    while kind != b"IEND":
        length, kind = int.from_bytes(data[at : at + 4], "big"), bytes(data[at + 4 : at + 8])
        end = at + 12 + length
        need(at + 8 <= len(data) and end <= len(data), CUT)
        yield kind, at, end
        at = end


def _header(body: bytes) -> tuple[int, int, int, int, int]:
    width, height = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
    need(len(body) == 13 and body[10:12] == b"\0\0", "its header is broken")
    bits, colour, interlaced = body[8], body[9], body[12]
    need(0 < width < 2**31 and 0 < height < 2**31, "its header gives no size")
    need(bits in _BITS.get(colour, ()) and interlaced < 2, "its header is broken")
    return width, height, bits, colour, interlaced


def read(data: Data) -> Facts:
    """The facts of a PNG file, all checksums proven; raises Damaged."""
    walk = _Walk(data)
    walk.keep(0, len(SIGNATURE))
    with memoryview(data) as view:
        for kind, start, end in _chunks(data):
            with view[start + 4 : end - 4] as part:
                need(zlib.crc32(part) == int.from_bytes(view[end - 4 : end], "big"), "a checksum does not match")
            if start == len(SIGNATURE):
                need(kind == b"IHDR", "its header is missing")
                walk.header = _header(bytes(view[start + 8 : end - 4]))
            walk.chunk(kind, start, end)
    return walk.facts()


def _inflated(data: Data) -> Iterator[bytes]:
    """The rows as they are coded, unpacked block by block."""
    stream = zlib.decompressobj()
    with memoryview(data) as view:
        for kind, start, end in _chunks(data):
            if kind != b"IDAT":
                continue
            for at in range(start + 8, end - 4, _BLOCK):
                packed = bytes(view[at : min(at + _BLOCK, end - 4)])
                while packed:
                    yield stream.decompress(packed, _BLOCK)
                    packed = stream.unconsumed_tail
    while rest := stream.decompress(b"", _BLOCK):
        yield rest
    need(stream.eof and not stream.unused_data, "its pixels are not all there")


def check_rows(data: Data, facts: Facts) -> None:
    """Prove that the coded rows of a PNG that is not interlaced are complete, in bounded memory.

    Twice as fast as decoding: the rows' checksum, their number and their filter bytes prove the same.
    """
    stride = 1 + -(-facts.width * facts.bits * facts.components // 8)
    expected, seen = stride * facts.height, 0
    try:
        for block in _inflated(data):
            filters = block[-seen % stride :: stride]
            seen += len(block)
            need(seen <= expected, "it holds more pixels than its header says")
            need(not filters or max(filters) <= 4, "its pixels are damaged")
    except zlib.error as error:
        need(None, f"its pixels are damaged ({error})")
    need(seen == expected, "its pixels are not all there")
