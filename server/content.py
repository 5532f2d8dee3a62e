"""What a file is known by, whatever it is called and wherever it lies: the hash of its bytes."""

from __future__ import annotations

from pathlib import Path

from blake3 import blake3

CONTENT = "blake3:[0-9a-f]{64}"
"""What such a name looks like."""


def content(path: Path) -> str:
    """The name of a file's content. Takes about a millisecond for 2 MB; other threads run meanwhile."""
    return f"blake3:{blake3().update_mmap(path).hexdigest()}"
