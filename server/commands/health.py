"""`taskarray health`: does the server on this machine answer? For containers, which ask every few seconds.

Reads the few settings that it needs by itself and speaks HTTP by hand: to import more would take longer than to ask.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from server.client.whereabouts import address

_SECONDS = 3.0
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def asked(*, ready: bool) -> int:
    """Ask, and say what the answer was; the exit code."""
    host, port = _listening()
    try:
        status, body = _answer(host, port, "/readyz" if ready else "/livez")
    except (OSError, ValueError) as failure:
        reason = getattr(failure, "strerror", "") or failure
        sys.stderr.write(f"Nothing answers at {host}:{port} ({reason}). PORT and TASKARRAY_HOST say where.\n")
        return 1
    sys.stdout.write(body + "\n")
    return int(status != 200)


def _listening() -> tuple[str, str]:
    """Where the server of these settings listens: at PORT, else where the `serve` of the data folder does."""
    host, port = os.environ.get("TASKARRAY_HOST") or "127.0.0.1", os.environ.get("PORT", "")
    if port.strip("0"):
        return _ANY.get(host, host), port
    if told := address(Path(os.environ.get("TASKARRAY_DATA") or ".taskarray")):
        host, _, port = told.rpartition("//")[2].rpartition(":")
    return _ANY.get(host, host.strip("[]")), port or "8000"


def _answer(host: str, port: str, path: str) -> tuple[int, str]:
    """Status and body of an answer. Raises OSError, and ValueError for what is no port or no HTTP."""
    with socket.create_connection((host, int(port)), _SECONDS) as line:
        line.sendall(f"GET {path} HTTP/1.0\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n".encode())
        answer = b""
        while part := line.recv(65536):
            answer += part
    head, _, body = answer.decode(errors="replace").partition("\r\n\r\n")
    protocol, _, rest = head.partition(" ")
    if not protocol.startswith("HTTP/"):
        raise ValueError("what listens there does not speak HTTP")
    return int(rest[:3]), body
