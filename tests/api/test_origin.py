"""Which browser pages may open a socket: those of this machine, of the server's own address, and of the settings."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus

from server.api.entrance import origin_allowed
from server.config import Config
from tests.api.conftest import Beside
from tests.client import Client, request
from tests.harness import KEY, Installation

PUBLIC = {"PUBLIC_URL": "https://images.example"}
OPEN = {"HOST": "0.0.0.0"}
LISTED = {"ORIGINS": "https://app.example, http://app.example:8080"}


@pytest.mark.parametrize(
    ("settings", "origin", "host", "allowed"),
    [
        # Who sends no origin is no browser.
        ({}, "", "127.0.0.1:8000", True),
        ({}, "", "rebound.example:8000", True),
        (OPEN, "", "anything", True),
        # On loopback: pages of this machine, under a name of this machine.
        ({}, "http://localhost:3000", "127.0.0.1:8000", True),
        ({}, "http://127.0.0.1:8000", "localhost:8000", True),
        ({}, "https://localhost", "localhost", True),
        ({}, "http://[::1]:3000", "[::1]:8000", True),
        ({}, "http://evil.example", "127.0.0.1:8000", False),
        ({}, "http://localhost.evil.example", "127.0.0.1:8000", False),
        ({}, "http://127.0.0.1.evil.example", "127.0.0.1:8000", False),
        ({}, "http://evil.example#localhost", "127.0.0.1:8000", False),
        ({}, "http://192.168.1.2:8000", "127.0.0.1:8000", False),
        # A name of a stranger that leads here.
        ({}, "http://evil.example:8000", "evil.example:8000", False),
        ({}, "http://localhost:8000", "evil.example:8000", False),
        ({}, "http://localhost:8000", "", False),
        # What says nothing of where it comes from is nobody's page.
        ({}, "null", "127.0.0.1:8000", False),
        ({}, "file://", "127.0.0.1:8000", False),
        ({}, "localhost", "127.0.0.1:8000", False),
        ({}, "http://", "127.0.0.1:8000", False),
        ({}, "http://[bad", "127.0.0.1:8000", False),
        ({}, "http://localhost", "[bad", False),
        (OPEN, "null", "images.example", False),
        (OPEN, "file://", "", False),
        (OPEN, "http://[bad", "[bad", False),
        # The address that the operator has given the server.
        (PUBLIC, "https://images.example", "images.example", True),
        (PUBLIC, "https://images.example", "127.0.0.1:8000", True),
        (PUBLIC, "https://evil.example", "images.example", False),
        (PUBLIC, "null", "127.0.0.1:8000", False),
        # In the open: pages that the server's own host has brought.
        (OPEN, "https://my.example", "my.example", True),
        (OPEN, "http://192.168.1.2:8000", "192.168.1.2:8000", True),
        (OPEN, "http://my.example:81", "my.example", False),
        (OPEN, "http://localhost:3000", "my.example", False),
        (OPEN | PUBLIC, "https://images.example", "10.1.2.3:8000", True),
        (OPEN | PUBLIC, "https://evil.example", "10.1.2.3:8000", False),
        # Listed ones, wherever.
        (LISTED, "https://app.example", "127.0.0.1:8000", True),
        (OPEN | LISTED, "http://app.example:8080", "my.example", True),
        (LISTED, "http://app.example", "127.0.0.1:8000", False),
        (LISTED, "https://app.example.evil.example", "127.0.0.1:8000", False),
        (LISTED, "null", "127.0.0.1:8000", False),
        ({"ORIGINS": "*"}, "https://evil.example", "127.0.0.1:8000", True),
        ({"ORIGINS": "null"}, "null", "127.0.0.1:8000", True),
    ],
)
def test_rule(settings: dict[str, str], origin: str, host: str, allowed: bool) -> None:
    """A page may come in from this machine, from the server's own address or from TASKARRAY_ORIGINS, and no other."""
    config = Config.read({f"TASKARRAY_{name}": value for name, value in settings.items()})
    assert origin_allowed(config, origin, host) is allowed


async def come(installation: Installation, origin: str | None, host: str = "") -> Client:
    """A client as a browser opens it from a page of this origin, under this name of the server."""
    port = urlsplit(installation.url).port
    url = installation.ws_url.replace("127.0.0.1", host or "127.0.0.1")
    return await Client(url, KEY).connect(origin=origin, host="127.0.0.1", port=port)


async def turned_away(installation: Installation, origin: str, host: str = "") -> str:
    """What a page reads whose handshake is refused."""
    with pytest.raises(InvalidStatus) as refused:
        await come(installation, origin, host)
    answer = refused.value.response
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/json")
    return json.loads(answer.body)["error"]["message"]


async def test_on_this_machine(installation: Installation) -> None:
    """A server on loopback lets local pages in, and refuses all others with the setting to change in readable JSON."""
    for origin in (None, "http://localhost:3000", "http://127.0.0.1:5173"):
        client = await come(installation, origin)
        await client.ping()
        await client.close()
    for origin in ("https://evil.example", "null", "file://"):
        sentence = await turned_away(installation, origin)
        assert origin in sentence
        assert "TASKARRAY_ORIGINS" in sentence


async def test_rebound_name(installation: Installation) -> None:
    """A page whose own name leads to this machine is refused; a program under that name is not."""
    for origin in ("http://rebound.example", "http://localhost:3000"):
        await turned_away(installation, origin, "rebound.example")
    client = await come(installation, None, "rebound.example")
    await client.ping()
    await client.close()


async def test_in_the_open(beside: Beside) -> None:
    """A server that others can reach lets in its own pages and the listed ones."""
    gateway = beside(**OPEN, **LISTED)
    host = urlsplit(gateway.url).netloc
    for origin in (f"http://{host}", "https://app.example"):
        client = await come(gateway, origin)
        await client.ping()
        await client.close()
    for origin in ("http://localhost:3000", "https://evil.example", "null"):
        await turned_away(gateway, origin)


async def test_answers_over_http(installation: Installation, beside: Beside) -> None:
    """Over HTTP the same pages may read the answers, and no others."""
    open_to_others = beside(**OPEN, **LISTED)
    for gateway, origin, allowed in (
        (installation, "http://localhost:3000", True),
        (installation, "http://[::1]:3000", True),
        (installation, "https://evil.example", False),
        (installation, "http://localhost.evil.example", False),
        (installation, "null", False),
        (open_to_others, "https://app.example", True),
        (open_to_others, "http://localhost:3000", False),
    ):
        answer = await request("POST", f"{gateway.url}/v1", [], origin=origin, authorization=f"Bearer {KEY}")
        assert answer.headers.get("access-control-allow-origin") == (origin if allowed else None)
        assert "access-control-allow-credentials" not in answer.headers
