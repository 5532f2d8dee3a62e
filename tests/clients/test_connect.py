"""The official clients come in with a right key, and learn at once of a wrong one."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.clients.conftest import Connect, Programs
from tests.clients.program import Refused
from tests.clients.proof import proves
from tests.harness import KEY, Installation

pytestmark = pytest.mark.clients
ALL = pytest.mark.parametrize("name", ["legacy", "new", "js"])


@ALL
async def test_connect(connect: Connect, name: str):
    """A right key is answered with a session, in a first item that has no taskUUID (rules 1, 2 and 3)."""
    client = await connect(name)
    assert UUID((await client.do("state"))["session"]).version == 4


@proves("key")
@ALL
async def test_wrong_key(programs: Programs, installation: Installation, name: str):
    """A wrong key fails in less than 5 s, with the server's own sentence (rule 4)."""
    client = (await programs.get(name)).client(installation.ws_url, "wrong")
    with pytest.raises(Refused, match="The API key was not accepted") as refused:
        await client.open()
        await client.do("store", media="AAAA")  # the old Python client connects as if all were well
    assert refused.value.seconds < 5
    assert refused.value.kind == {"legacy": "ConnectionError", "new": "RunwareError", "js": "object"}[name]
    if name == "js":
        assert refused.value.about["code"] == "invalidApiKey"
    if name == "new":
        assert refused.value.about["code"] == "auth"
    await client.do("close")


async def test_wrong_key_over_http(connect: Connect):
    """Over HTTP a wrong key is a 401 with the server's own sentence."""
    client = await connect("new", key="wrong", transport="rest")
    with pytest.raises(Refused, match="The API key was not accepted") as refused:
        await client.do("upload", image="AAAA")
    assert refused.value.seconds < 5
    assert (refused.value.about["code"], refused.value.about["status_code"]) == ("auth", 401)


@ALL
async def test_two_sockets(connect: Connect, name: str):
    """A key may hold several sockets, each with its own session."""
    one, other = await connect(name), await connect(name, key=KEY)
    assert (await one.do("state"))["session"] != (await other.do("state"))["session"]
