"""What the header and the structure of an image file say, and what a clean copy of it consists of."""

from __future__ import annotations

import mmap
from dataclasses import dataclass, field
from pathlib import Path

Data = bytes | mmap.mmap
"""The bytes of a file: in memory, or mapped when it may be large."""


CUT = "it ends before the image does"


class Damaged(Exception):
    """The file is not a complete image of its kind; the message is a public sentence."""


class Unread(Exception):
    """The file is sound as far as one can see, but of a kind that is not read; the message names the kind."""


@dataclass
class Copy:
    """A copy of a file as its pieces in order: spans of the original, and bytes of its own."""

    pieces: list[tuple[int, int] | bytes] = field(default_factory=list[tuple[int, int] | bytes])

    def keep(self, start: int, end: int) -> None:
        """Take over a span of the original, joined to the piece before where they touch."""
        last = self.pieces[-1] if self.pieces else b""
        if not isinstance(last, bytes) and last[1] == start:
            self.pieces[-1] = (last[0], end)
        else:
            self.pieces.append((start, end))

    def add(self, own: bytes) -> None:
        """Write bytes that do not stand like this in the original."""
        self.pieces.append(own)

    def is_all_of(self, data: Data) -> bool:
        """Whether the copy would be the original itself."""
        return self.pieces == [(0, len(data))]

    def write(self, data: Data, target: Path) -> None:
        """Write the copy, made from the original's bytes, to a file."""
        with memoryview(data) as view, target.open("wb") as file:
            for piece in self.pieces:
                if isinstance(piece, bytes):
                    file.write(piece)
                else:
                    with view[piece[0] : piece[1]] as part:
                        file.write(part)


@dataclass(frozen=True)
class Facts:
    """An image file that is complete as far as its structure tells. Sizes are in pixels, before orientation."""

    format: str
    """`JPG`, `PNG`, `WEBP`, `GIF`, `BMP` or `TIFF`."""
    width: int
    height: int
    components: int
    """Colour components with alpha, as they stand in the file: 1 to 4. A palette is 1."""
    bits: int = 8
    """Bits of one component."""
    frames: int = 1
    """More than 1 means animated."""
    orientation: int = 1
    """As in EXIF: 1 is upright, 5 to 8 lie on their side."""
    multiscan: bool = False
    """A progressive JPEG or an interlaced PNG: it cannot be decoded in stripes."""
    lossless: bool = True
    subsampled: bool = False
    """Colour stands at a lower resolution than brightness."""
    memory: int = 0
    """Bytes that decoding its first frame holds at once; 0 where it can be decoded in stripes."""
    copy: Copy | None = None
    """The first frame without identifying metadata, pixels untouched; None where only decoding gives it."""


def need(holds: object, sentence: str) -> None:
    """Refuse the file as damaged, with this sentence, unless the condition holds."""
    if not holds:
        raise Damaged(sentence)
