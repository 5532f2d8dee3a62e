"""What a binary frame is: a taskUUID, an index from 0 (4 bytes, big end first), and a part of a file."""

from __future__ import annotations

import struct

HEAD = struct.Struct(">16sI")
PART_BYTES = 2**20
"""How much of a file a frame has at most."""
