"""The sockets on which a gateway accepts connections."""

from __future__ import annotations

import socket

import pytest

from server.config import Config
from server.listening import listen


@pytest.mark.parametrize(("seconds", "milliseconds"), [(20, 60_000), (0.5, 1500), (10**7, 2**31 - 1)])
def test_accepted(seconds: float, milliseconds: int):
    """Every accepted socket sends at once, and is dropped when its peer has taken nothing for so long."""
    listening = listen(Config(slow_reader_timeout=seconds), "127.0.0.1", 0)
    with listening, socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == milliseconds
