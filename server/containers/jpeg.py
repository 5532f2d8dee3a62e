"""JPEG (ITU T.81): its segments and scans up to the real end of the image.

A segment is kept when it is known to be needed or harmless; everything else, and whatever follows the end,
is left out of the copy: IPTC, second images (MPF), makers' own blocks, appended archives.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from server.containers.exif import clean_exif, harmless, orientation
from server.containers.facts import CUT, Copy, Damaged, Data, Facts, Unread, need

_END_OF_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_MAX_SCANS = 100
_NOT_READ = (
    dict.fromkeys((0xC3, 0xC7, 0xCB, 0xCF), "a lossless JPEG")
    | dict.fromkeys((0xC5, 0xC6, 0xCD, 0xCE, 0xDE, 0xDF), "a hierarchical JPEG")
    | dict.fromkeys((0xC9, 0xCA, 0xCC), "a JPEG with arithmetic coding")
)
_SOF, _SOI, _EOI, _SOS, _DQT, _DNL, _DRI, _COM = (0xC0, 0xC1, 0xC2), 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE
_TABLES = (0xC4, _DQT, _DNL, _DRI)


def _kept(marker: int, body: bytes) -> bytes:
    """What of an application segment or comment stays in a copy; empty when nothing does."""
    if marker == 0xE0 and body.startswith(b"JFIF\0"):
        # What follows the fixed part is a thumbnail.
        return body if len(body) == 14 else body[:12] + b"\0\0"
    if marker == 0xE1 and body.startswith(_EXIF):
        block = clean_exif(body[len(_EXIF) :])
        return _EXIF + block if block else b""
    stays = (
        (marker == 0xE1 and body.startswith(_XMP) and harmless(body))
        or (marker == 0xE2 and body.startswith(b"ICC_PROFILE\0"))
        or (marker == 0xEE and body.startswith(b"Adobe"))
        or (marker == _COM and b"\0" not in body.rstrip(b"\0"))
    )
    return body if stays else b""


@dataclass
class _Frame:
    """The start of frame: size, and each component's sampling factors by its id."""

    progressive: bool
    bits: int
    height: int
    width: int
    sampling: dict[int, tuple[int, int]]

    def blocks(self, components: list[int]) -> int:
        """How many coded units a scan of these components has."""
        across, down = (max(s[i] for s in self.sampling.values()) for i in (0, 1))
        if len(components) > 1:
            return -(-self.width // (8 * across)) * -(-self.height // (8 * down))
        h, v = self.sampling[components[0]]
        return -(-(self.width * h) // (8 * across)) * -(-(self.height * v) // (8 * down))

    @property
    def coefficients(self) -> int:
        """Bytes of all coefficients, which a decoder holds when they come in several scans."""
        return sum(128 * self.blocks([component]) for component in self.sampling)


@dataclass
class _Walk:
    """What has been seen so far, segment by segment."""

    data: Data
    copy: Copy = field(default_factory=Copy)
    found: _Frame | None = None
    scans: int = 0
    restart: int = 0
    turned: int = 1
    missing: dict[int, set[int]] = field(default_factory=dict[int, set[int]])
    """By component: the coefficients that no scan has brought to full precision yet."""

    @property
    def frame(self) -> _Frame:
        if self.found is None:
            raise Damaged("its header is missing")
        return self.found

    def segment(self, marker: int, start: int, end: int) -> int:
        """Take one segment, its two marker bytes at `start`; returns where the next begins."""
        body = bytes(self.data[start + 4 : end])
        if marker in _NOT_READ:
            raise Unread(_NOT_READ[marker])
        if 0xE0 <= marker <= 0xEF or marker == _COM:
            self.application(marker, body, start, end)
            return end
        if marker in _SOF:
            self.start_of_frame(marker, body)
        elif marker == _DRI:
            need(len(body) == 2, "a segment has the wrong length")
            self.restart = int.from_bytes(body, "big")
        else:
            need(marker in _TABLES or marker == _SOS, "a segment is of no known kind")
        self.copy.keep(start, end)
        return self.scan(body, end) if marker == _SOS else end

    def start_of_frame(self, marker: int, body: bytes) -> None:
        need(self.found is None, "it has two headers")
        need(len(body) >= 6 and len(body) == 6 + 3 * body[5], "its header is broken")
        if body[0] != 8:
            raise Unread(f"a JPEG with {body[0]} bits a component")
        if body[5] not in (1, 3, 4):
            raise Unread(f"a JPEG with {body[5]} components")
        sampling = {body[i]: (body[i + 1] >> 4, body[i + 1] & 15) for i in range(6, len(body), 3)}
        need(len(sampling) == body[5], "its header is broken")
        need(all(1 <= s <= 4 for pair in sampling.values() for s in pair), "its header is broken")
        height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
        need(height and width, "its header gives no size")
        self.found = _Frame(marker == 0xC2, body[0], height, width, sampling)
        self.missing = {component: set(range(64)) for component in sampling}

    def scan(self, body: bytes, start: int) -> int:
        """Take a scan's coded data; returns where the next marker is."""
        need(body and len(body) == 4 + 2 * body[0] and body[0], "a scan's header is broken")
        self.scans += 1
        need(self.scans <= _MAX_SCANS, "it has too many scans")
        components = list(body[1 : 1 + 2 * body[0] : 2])
        need(all(c in self.frame.sampling for c in components), "a scan's header is broken")
        first, last, precision = body[-3:] if self.frame.progressive else (0, 63, 0)
        if precision & 15 == 0:
            for component in components:
                self.missing[component].difference_update(range(first, last + 1))
        end = _END_OF_SCAN.search(self.data, start)
        if end is None:
            raise Damaged(CUT)
        self.check_restarts(components, start, end.start())
        self.copy.keep(start, end.start())
        return end.start()

    def check_restarts(self, components: list[int], start: int, end: int) -> None:
        """With restart markers a decoder silently skips a missing part, so they must all be there."""
        if self.restart:
            expected = -(-self.frame.blocks(components) // self.restart) - 1
            found = sum(1 for _ in _RESTART.finditer(self.data, start, end))
            need(found >= expected, "a part of it is missing")

    def application(self, marker: int, body: bytes, start: int, end: int) -> None:
        """Take over what may stay of an application segment or comment."""
        if marker == 0xE1 and body.startswith(_EXIF):
            self.turned = orientation(body[len(_EXIF) :])
        kept = _kept(marker, body)
        if kept == body and body:
            self.copy.keep(start, end)
        elif kept and len(kept) <= 65533:
            self.copy.add(bytes((0xFF, marker)) + (len(kept) + 2).to_bytes(2, "big") + kept)

    def facts(self) -> Facts:
        """The facts of an image whose end has been reached."""
        need(self.scans, CUT)
        need(not any(self.missing.values()), "some of its scans are missing")
        multiscan = self.frame.progressive or self.scans > 1
        return Facts(
            format="JPG",
            width=self.frame.width,
            height=self.frame.height,
            components=len(self.frame.sampling),
            bits=self.frame.bits,
            orientation=self.turned,
            multiscan=multiscan,
            lossless=False,
            subsampled=len(set(self.frame.sampling.values())) > 1,
            memory=self.frame.coefficients if multiscan else 0,
            copy=self.copy,
        )


def read(data: Data) -> Facts:
    """The facts of a JPEG file; raises Damaged or Unread."""
    walk = _Walk(data)
    walk.copy.keep(0, 2)
    at = 2
    while True:
        start = data.find(b"\xff", at)
        need(0 <= start < len(data) - 1, CUT)
        marker = data[start + 1]
        if marker == _EOI:
            walk.copy.keep(start, start + 2)
            return walk.facts()
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= _SOI:
            # Fill bytes and stray markers; a decoder passes over them too.
            at = start + (1 if marker == 0xFF else 2)
            continue
        end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        need(start + 4 <= end <= len(data), CUT)
        at = walk.segment(marker, start, end)
