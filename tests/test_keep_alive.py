"""Answers on a kept connection."""

from __future__ import annotations

import http.client
import time
from pathlib import Path
from urllib.parse import urlsplit

from tests.serving import Served


def test_an_answer_is_not_held_back(tmp_path: Path):
    """An answer on a connection that is kept open does not wait for the client to acknowledge its beginning."""
    with Served(tmp_path / "served") as served:
        served.ready()
        connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=10)
        times = list[float]()
        for _ in range(20):
            start = time.monotonic()
            connection.request("GET", "/livez")
            connection.getresponse().read()
            times.append(time.monotonic() - start)
        connection.close()
    assert min(times[1:]) < 0.02
