"""Where this server may connect on a client's behalf: the form of a URL, the rule about addresses, the guard.

The guard applies the rule in the connect step itself: one look-up, every answer checked, and the connection
goes to a checked answer. A name that changes between check and use, or a redirect, gains nothing.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import cast
from urllib.parse import quote, urljoin, urlsplit

import httpcore2

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str], Awaitable[Sequence[str]]]
"""Gives every address of a host name. Raises OSError when there is none."""

RECEIVER_PORTS = (80, 443, 8080, 8443)
"""Where public servers take webhooks and images. Nothing that listens on these ports takes HTTP for anything else."""
_ALLOW = "the operator can allow its network, on every port, in TASKARRAY_FETCH_ALLOW"
_LOOK_UP_SECONDS = 2
_CONNECT_SECONDS = 3
_ATTEMPTS = 3
_MAX_URL = 8192
_KEPT_IN_URLS = "/%:@!$&'()*+,;=~-._?[]|"
_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.IGNORECASE)
_REMAPPED = frozenset("ßς\u200c\u200d")
"""Letters that IDNA 2003, which Python has, turns into others: the URL would lead to another domain."""

_NAT64 = IPv6Network("64:ff9b::/96")
_NEVER_PUBLIC: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        "168.63.129.16/32",  # the metadata service of Azure
        "192.0.0.0/24",
        "192.88.99.0/24",
        # IPv6 that carries an IPv4 address inside: the inner one would go unchecked.
        "::/96",
        "::ffff:0:0/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        # Ranges that the tables of some Python versions count as public.
        "100::/64",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
)


class Refused(httpcore2.ConnectError):
    """The URL, its address or its port may not be used. The text says why and is fit for the client, `rule` in one word
    for the counters."""

    def __init__(self, text: str, rule: str = "form") -> None:
        super().__init__(text)
        self.rule = rule


class Unresolved(httpcore2.ConnectError):
    """The host name has no address, or its look-up failed or took too long."""


@dataclass(frozen=True)
class Target:
    """A URL that may be requested. `host` is as the Host header wants it: with port and brackets where due."""

    url: httpcore2.URL
    host: str

    def __str__(self) -> str:
        return f"{self.url.scheme.decode()}://{self.host}{self.url.target.decode()}"


def read_url(text: str, base: str = "") -> Target:
    """Check the form of a URL, which may be relative to `base`. Raises Refused; looks nothing up."""
    text = text.strip()
    if len(text) > _MAX_URL:
        raise Refused(f"it is longer than {_MAX_URL} characters")
    if any(character < " " or character == "\x7f" for character in text):
        raise Refused("it contains control characters")
    try:
        parts = urlsplit(urljoin(base, text))
        port, host = parts.port, _plain_host(parts.hostname or "", "[" in parts.netloc)
        target = quote((parts.path or "/") + ("?" + parts.query if parts.query else ""), safe=_KEPT_IN_URLS)
    except ValueError:
        raise Refused("it is not a well-formed URL") from None
    if parts.scheme not in ("http", "https"):
        raise Refused("only http and https URLs are fetched", "scheme")
    if "@" in parts.netloc:
        raise Refused("it carries a user name or a password, and the server signs in nowhere", "sign-in")
    if port == 0:
        raise Refused("no server listens on port 0")
    url = httpcore2.URL(scheme=parts.scheme, host=host, port=port, target=target)
    shown = f"[{host}]" if ":" in host else host
    return Target(url, shown if port is None else f"{shown}:{port}")


def _plain_host(host: str, in_brackets: bool) -> str:
    """A host in ASCII. Raises ValueError for what is neither a name nor an address."""
    if in_brackets:
        address = IPv6Address(host)
        if address.scope_id is not None:
            raise ValueError(host)
        return str(address)
    if _REMAPPED & set(host):
        raise ValueError(host)
    plain = host if host.isascii() else host.encode("idna").decode()
    if len(plain) > 255 or not _NAME.fullmatch(plain):
        raise ValueError(host)
    return plain


def is_public(address: Address) -> bool:
    """Whether this address is one machine's on the public internet, and surely nothing else."""
    if isinstance(address, IPv6Address):
        # On networks without IPv4 a translator makes every IPv4 host look like this, public or not.
        if address in _NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
        if address.scope_id is not None or _is_isatap(address):
            return False
    if any(address in network for network in _NEVER_PUBLIC):
        return False
    return address.is_global and not address.is_multicast


def _is_isatap(address: IPv6Address) -> bool:
    """Whether the interface id is `[02]00:5efe` and an IPv4 address, which a tunnel would unpack."""
    return (int(address) >> 32) & 0xFDFF_FFFF == 0x5EFE


class Guard(httpcore2.AsyncNetworkBackend):
    """Connects to public addresses on `ports`, and to addresses in the networks of `allow` on any port.

    All addresses of a name must be permitted, or none is used. `resolver` replaces the system's look-up,
    `backend` the making of the connection.
    """

    def __init__(
        self,
        allow: Sequence[Network] = (),
        ports: Sequence[int] = (80, 443),
        resolver: Resolver | None = None,
        backend: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        self._allow, self._ports = tuple(allow), tuple(ports)
        self._resolver = resolver or self._ask_system
        self._backend = backend or cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())
        # Own threads: names that clients choose may be slow, and must not hold up the server's own look-ups.
        self._threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="look-up")

    def check(self, target: Target) -> None:
        """What can be said of a URL without a look-up. Raises Refused, as connecting to it later would."""
        origin = target.url.origin
        host = origin.host.decode()
        local = host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost")
        try:
            address = ip_address("127.0.0.1" if local else host)
        except ValueError:
            if not self._allow and origin.port not in self._ports:
                raise self._wrong_port(origin.port) from None
        else:
            self._permitted(address, host, origin.port)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  the backend's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to a permitted address of the host. Raises Refused, Unresolved, ConnectError."""
        addresses = [self._permitted(address, host, port) for address in await self._look_up(host)]
        seconds = _CONNECT_SECONDS if timeout is None else min(timeout, _CONNECT_SECONDS)
        failure: Exception = Unresolved(f"{host} has no address")
        for address in addresses[:_ATTEMPTS]:
            try:
                return await self._backend.connect_tcp(address, port, seconds, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failed:
                failure = failed
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109  the backend's interface
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Always refused: a URL has no business with this machine's sockets."""
        raise Refused("it leads to a Unix socket", "address")

    async def sleep(self, seconds: float) -> None:
        """Wait, as a backend must be able to."""
        await asyncio.sleep(seconds)

    async def _look_up(self, host: str) -> list[Address]:
        try:
            return [ip_address(host)]
        except ValueError:
            pass
        try:
            async with asyncio.timeout(_LOOK_UP_SECONDS):
                return [ip_address(answer) for answer in dict.fromkeys(await self._resolver(host))]
        except (OSError, ValueError):
            raise Unresolved(f"{host} could not be looked up") from None

    async def _ask_system(self, host: str) -> list[str]:
        ask = partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        return [str(answer[4][0]) for answer in found]

    def _permitted(self, address: Address, host: str, port: int) -> str:
        """The address to connect to. Its refusal names the host only: what a name leads to is not told."""
        connected = (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
        if any(connected in network for network in self._allow):
            return str(connected)
        if not is_public(address):
            raise Refused(f"{host} is not, or not only, a public address; {_ALLOW}", "address")
        if port not in self._ports:
            raise self._wrong_port(port)
        return str(address)

    def _wrong_port(self, port: int) -> Refused:
        ports = " and ".join(map(str, self._ports))
        return Refused(f"public servers are reached on the ports {ports} only, not on {port}; {_ALLOW}", "port")


def guarded_client(guard: Guard) -> httpcore2.AsyncConnectionPool:
    """An HTTP/1.1 client that connects through the guard: no proxy, redirect, cookie, sign-in or retry."""
    return httpcore2.AsyncConnectionPool(
        # Made once: without it every connection would read all root certificates anew, in the event loop.
        ssl_context=httpcore2.default_ssl_context(),
        max_connections=100,
        max_keepalive_connections=20,
        keepalive_expiry=5,
        network_backend=guard,
    )
