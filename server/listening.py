"""The sockets on which a gateway accepts connections."""

from __future__ import annotations

import socket
from contextlib import suppress

from server.config import Config, ConfigError, variable_of

BACKLOG = 4096
"""Connections that wait to be accepted."""
_PATIENCE = 3
"""Times `slow_reader_timeout` before the kernel drops a connection that takes nothing: our own end comes first, where
there is one."""
_LONGEST = 2**31 - 1
"""Milliseconds that the kernel takes."""


def listen(config: Config, host: str, port: int, setting: str = "port") -> socket.socket:
    """A socket that listens. It is ours, so that a gateway that is started again misses no connection.

    Raises ConfigError, naming the `setting`, where it cannot.
    """
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted sockets inherit both. An answer in two writes would wait 40 ms for the acknowledgement of the first; and
    # a client that reads nothing, and acknowledges that, would keep what was written for it for ever.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with suppress(AttributeError, OSError):  # Linux has it
        patience = min(_LONGEST, round(1000 * _PATIENCE * config.slow_reader_timeout))
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience)
    try:
        listening.bind((host, port))
    except OSError as taken:
        listening.close()
        sentence = f"{host}:{port} cannot be listened on ({taken.strerror})."
        raise ConfigError(f"{sentence} Choose another with {variable_of(setting)}.") from None
    listening.listen(BACKLOG)
    listening.set_inheritable(True)
    return listening
