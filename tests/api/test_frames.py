"""WebSocket frames as no client should send them: their socket ends with the code that the RFC names."""

from __future__ import annotations

import pytest

from tests.api.conftest import Arrive
from tests.client import Client, new_task

PLAIN = b"\0\0\0\0"
"""A mask that changes nothing."""


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(b"\x81\x02[]", 1002, id="not masked"),
        pytest.param(b"\xc1\x80" + PLAIN, 1002, id="first reserved bit"),
        pytest.param(b"\xa1\x80" + PLAIN, 1002, id="second reserved bit"),
        pytest.param(b"\x83\x80" + PLAIN, 1002, id="reserved data opcode"),
        pytest.param(b"\x8f\x80" + PLAIN, 1002, id="reserved control opcode"),
        pytest.param(b"\x09\x80" + PLAIN, 1002, id="fragmented ping"),
        pytest.param(b"\x89\xfe\x00\x7e" + PLAIN + b"x" * 126, 1002, id="long ping"),
        pytest.param(b"\x80\x80" + PLAIN, 1002, id="continuation of nothing"),
        pytest.param((b"\x01\x80" + PLAIN) * 2, 1002, id="text within a text"),
        pytest.param(b"\x81\x82" + PLAIN + b"\xc3\x28", 1007, id="not UTF-8"),
        pytest.param(b"\x01\x81" + PLAIN + b"\xc3" + b"\x80\x81" + PLAIN + b"\x28", 1007, id="not UTF-8 in parts"),
        pytest.param(b"\x88\x81" + PLAIN + b"\x03", 1002, id="half a close code"),
        pytest.param(b"\x88\x82" + PLAIN + b"\x03\xe7", 1002, id="close code 999"),
        pytest.param(b"\x88\x82" + PLAIN + b"\x03\xed", 1002, id="close code 1005"),
        pytest.param(b"\x88\x84" + PLAIN + b"\x03\xe8\xc3\x28", (1002, 1007), id="close reason not UTF-8"),
    ],
)
async def test_broken(client: Client, arrive: Arrive, sent: bytes, code: int | tuple[int, ...]) -> None:
    """A frame that breaks the protocol ends its own socket, before and after authentication."""
    stranger, known = await arrive(close_timeout=1), await (await arrive(close_timeout=1)).authenticate()
    for broken in (stranger, known):
        broken.socket.transport.write(sent)
        assert (await broken.closed())[0] in (code if isinstance(code, tuple) else (code,))
    await client.ping()


@pytest.mark.parametrize("length", [2**26 + 1, 2**63 - 1, 2**63, 2**64 - 1])
async def test_boast(client: Client, arrive: Arrive, length: int) -> None:
    """A frame that only claims to be large is refused by its head."""
    boaster = await (await arrive()).authenticate()
    boaster.socket.transport.write(b"\x82\xff" + length.to_bytes(8) + PLAIN)
    (error,) = (await boaster.next())["errors"]
    assert error["code"] == "maxRequestSizeExceeded"
    await client.ping()


async def test_ping_between_fragments(client: Client) -> None:
    """Control frames may come between the parts of a message."""
    for part in (b"\x01\x81" + PLAIN + b"[", b"\x89\x80" + PLAIN, b"\x00\x80" + PLAIN, b"\x8a\x81" + PLAIN + b"x",
                 b"\x80\x96" + PLAIN + b'{"taskType": "ping"}] '):  # fmt: skip
        client.socket.transport.write(part)
    assert await client.next() == {"data": [{"taskType": "ping", "pong": True}]}


async def test_byte_by_byte(client: Client) -> None:
    """It does not matter in what pieces a frame travels."""
    for byte in b"\x81\x96" + PLAIN + b'[{"taskType": "ping"}]':
        client.socket.transport.write(bytes([byte]))
    assert await client.next() == {"data": [{"taskType": "ping", "pong": True}]}


async def test_polite_close(client: Client) -> None:
    """A close frame is answered at once, also while a task runs."""
    await client.send([new_task("sleeps", seconds=0.5)])
    await client.ping()
    await client.socket.close(4000, "bye")
    assert (client.socket.close_code, client.socket.close_reason) == (4000, "bye")
