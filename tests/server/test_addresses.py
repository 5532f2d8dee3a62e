"""Which addresses may be connected to, however they are written, and that nothing else is ever touched."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import httpcore2
import pytest

from server.addresses import Guard, Refused, Unresolved, guarded_client, is_public, read_url
from tests.outside import Website, answer

DANGEROUS = [
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1",
    "100.100.100.200", "192.0.0.192", "192.0.2.1", "198.18.0.1", "192.88.99.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "168.63.129.16", "::1", "::", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2002:7f00:1::",
    "2002:a9fe:a9fe::", "2001:0:7f00:1::", "fe80::1", "fec0::1", "fd00:ec2::254", "fc00::1", "ff02::1",
    "2001:db8::1", "100::1", "5f00::1", "3fff::1", "2a00:1450::5efe:7f00:1", "2a00:1450::200:5efe:7f00:1",
    "ff0e::1", "::ffff:8.8.8.8", "2a00:1450::1%1",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.215.14", "2a00:1450:4001:80b::200e", "2606:4700:4700::1111", "64:ff9b::808:808"]


class Recorder(httpcore2.AsyncNetworkBackend):
    """A network on which every connection fails, and is written down."""

    def __init__(self) -> None:
        self.reached: list[tuple[str, int]] = []

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        self.reached.append((host, port))
        raise httpcore2.ConnectError


class Names:
    """A resolver that gives each answer in turn, and counts."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.asked = answers, 0

    async def __call__(self, host: str) -> list[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


async def reached(*answers: list[str], allow=(), port=80, host="name.example") -> list[tuple[str, int]]:
    """Where one connection through a guard leads, given what the look-ups answer."""
    recorder = Recorder()
    guard = Guard([ip_network(network) for network in allow], resolver=Names(*answers), backend=recorder)
    try:
        await guard.connect_tcp(host, port)
    except Refused:
        assert not recorder.reached
        raise
    except httpcore2.ConnectError:
        return recorder.reached


@pytest.mark.parametrize("address", DANGEROUS)
async def test_dangerous(address):
    """No name and no URL leads to an address that is not surely public."""
    assert not is_public(ip_address(address))
    with pytest.raises(Refused):
        await reached([address])
    with pytest.raises(Refused):
        await reached(host=address)


@pytest.mark.parametrize("address", PUBLIC)
async def test_public(address):
    """A public address is connected to as it was answered."""
    assert await reached([address]) == [(str(ip_address(address)), 80)]


async def test_mixed():
    """A name with public and private addresses is refused whole."""
    with pytest.raises(Refused):
        await reached(["8.8.8.8", "10.0.0.1"])


async def test_rebinding():
    """A name is looked up once a connection, and that answer is what is connected to."""
    recorder, names = Recorder(), Names(["8.8.8.8"], ["127.0.0.1"])
    guard = Guard(resolver=names, backend=recorder)
    with pytest.raises(httpcore2.ConnectError):
        await guard.connect_tcp("name.example", 80)
    assert (names.asked, recorder.reached) == (1, [("8.8.8.8", 80)])
    with pytest.raises(Refused):
        await guard.connect_tcp("name.example", 80)
    assert (names.asked, recorder.reached) == (2, [("8.8.8.8", 80)])


async def test_next_address():
    """Where an address of a name cannot be reached, the next ones of the same answer are tried, three at most."""
    answers = ["8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1"]
    assert await reached(answers) == [(address, 80) for address in answers[:3]]


async def test_allowed():
    """An allowed network is reached on any port, and is matched with what is connected to."""
    assert await reached(["10.0.0.1"], allow=["10.0.0.0/8"], port=9000) == [("10.0.0.1", 9000)]
    assert await reached(["::ffff:10.0.0.1"], allow=["10.0.0.0/8"]) == [("10.0.0.1", 80)]
    assert await reached(["fd00::1"], allow=["fd00::/8"]) == [("fd00::1", 80)]
    for address, allow in (("::ffff:169.254.169.254", "::/0"), ("10.0.0.1", "192.168.0.0/16")):
        with pytest.raises(Refused):
            await reached([address], allow=[allow])


async def test_ports():
    """A public server is reached on the ports 80 and 443 only."""
    with pytest.raises(Refused, match="ports 80 and 443 only, not on 22"):
        await reached(["8.8.8.8"], port=22)


async def test_no_such_name():
    """A name without an address is no refusal, and nothing is connected to."""
    recorder = Recorder()
    with pytest.raises(Unresolved):
        await Guard(resolver=Names([]), backend=recorder).connect_tcp("name.example", 80)
    with pytest.raises(Unresolved):
        await Guard(backend=recorder).connect_tcp("no label is this long".replace(" ", "-") * 4, 80)
    assert not recorder.reached


async def test_refusal_keeps_quiet():
    """A refusal does not tell where an internal name leads."""
    with pytest.raises(Refused) as refused:
        await reached(["10.11.12.13"])
    assert "10.11" not in str(refused.value) and "name.example" in str(refused.value)


async def test_unix_socket():
    """A socket of this machine is never connected to."""
    with pytest.raises(Refused):
        await Guard([ip_network("0.0.0.0/0"), ip_network("::/0")]).connect_unix_socket("/run/docker.sock")


async def test_client_of_its_own(monkeypatch):
    """Any HTTP client can be guarded, and takes no proxy from the environment."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with Website({"/hook": answer(b"thanks")}) as site:
        async with guarded_client(Guard()) as client:
            with pytest.raises(Refused):
                await client.request("POST", site.url("/hook"), content=b"{}")
        assert site.connects == 0
        async with guarded_client(Guard([ip_network("127.0.0.0/8")])) as client:
            response = await client.request("POST", site.url("/hook"), content=b"{}")
        assert (response.status, response.content) == (200, b"thanks")


@pytest.mark.parametrize(
    ("written", "host", "target"),
    [
        ("http://example.com", "example.com", "/"),
        ("  HTTPS://Example.COM:8443/a b?c=d e#f\n", "example.com:8443", "/a%20b?c=d%20e"),
        ("http://example.com/a%20b/ü?x=[1]&y=%", "example.com", "/a%20b/%C3%BC?x=[1]&y=%"),
        ("http://[2606:4700::1111]:80/", "[2606:4700::1111]:80", "/"),
        ("http://münchen.example/", "xn--mnchen-3ya.example", "/"),
        ("http://my_bucket.example.?x", "my_bucket.example.", "/?x"),
    ],
)
def test_readable(written, host, target):
    """A URL is requested as it is written, with what HTTP cannot carry encoded."""
    read = read_url(written)
    assert (read.host, read.url.target.decode()) == (host, target)


@pytest.mark.parametrize(
    "written",
    [
        "", "example.com", "//example.com", "ftp://example.com", "file:///etc/passwd", "unix:///run/x.sock",
        "http://", "http:///path", "http://example.com:0/", "http://example.com:99999/", "http://example.com:x/",
        "http://user@example.com/", "http://user:secret@example.com/", "http://@example.com/",
        "http://exa mple.com/", "http://example.com\\@127.0.0.1/", "http://127%2e0.0.1/", "http://[::1/",
        "http://[fe80::1%25eth0]/", "http://[v1.x]/", "http://straße.example/", "http://a\r\nX: y/",
        "http://example.com/\r\nX-Injected: 1", "http://example.com/\x00", "http://example.com/\ud800",
        "http://.example/", "http://a..b/", "http://" + "a" * 64, "http://" + "a." * 128,
        "http://example.com/" + "a" * 9000,
    ],
)  # fmt: skip
def test_unreadable(written):
    """Anything else is refused before a look-up."""
    with pytest.raises(Refused):
        read_url(written)
