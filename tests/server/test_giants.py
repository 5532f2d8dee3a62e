"""Images of hundreds of megapixels, and the memory that they take."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from server.task import Limits
from tests.pictures.drawing import difference, photo

# The peak of this program alone: what getrusage says of a child would include its parent's.
_PROGRAM = """
import sys
from pathlib import Path
from server.imaging import admit
from server.task import Limits

source, folder = Path(sys.argv[1]), Path(sys.argv[2])
image = admit(source, lambda suffix: folder / ("stored" + suffix), Limits())
status = Path("/proc/self/status").read_text()
peak = int(status.split("VmHWM:")[1].split()[0]) // 1024
print(image.path, image.width, image.height, peak)
"""
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")


def admitted(source: Path) -> tuple[Image.Image, int]:
    """What is stored of a file by a process of its own, and that process's peak memory in MiB."""
    command = [sys.executable, "-c", _PROGRAM, str(source), str(source.parent)]
    environment = os.environ | {"VIPS_CONCURRENCY": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    path, width, height, peak = done.stdout.split()
    stored = Image.open(path)
    stored.load()
    assert stored.size == (int(width), int(height)) == (Limits().max_side,) * 2
    return stored, int(peak)


def tiled(times: int, levels: int) -> pyvips.Image:
    """A photo repeated to many megapixels, in so many levels of each colour."""
    tile = np.asarray(photo(1000, 1000)) // (256 // levels) * (256 // levels)
    return pyvips.Image.new_from_array(tile).replicate(times, times)


def reference(source: Path) -> Image.Image:
    """What libvips makes of the file by its own means."""
    return Image.fromarray(pyvips.Image.thumbnail(str(source), Limits().max_side).numpy())


def test_a_jpeg_of_100_megapixels(tmp_path: Path) -> None:
    """A JPEG of 100 megapixels is stored within 250 MB of memory."""
    source = tmp_path / "giant.jpg"
    tiled(10, 256).jpegsave(str(source), Q=93)
    assert source.stat().st_size > 20 * 10**6
    stored, peak = admitted(source)
    assert difference(stored, reference(source)) < 4
    assert peak < 250


def test_a_png_of_400_megapixels(tmp_path: Path) -> None:
    """A PNG of 400 megapixels is stored within 500 MB of memory."""
    source = tmp_path / "giant.png"
    tiled(20, 8).pngsave(str(source), compression=1, filter=0x08)
    assert source.stat().st_size > 40 * 10**6
    stored, peak = admitted(source)
    assert difference(stored, reference(source)) < 1
    assert peak < 500
