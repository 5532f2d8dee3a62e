"""How settings are written: durations, sizes, rates, lists, networks, keys."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

_SECONDS = {"": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Unit:
    """Reads and spells a quantity with a unit, such as `30s` or `64MiB`."""

    def __init__(self, example: str, units: Mapping[str, float]) -> None:
        self.example = example
        self.units = units

    def read(self, value: object) -> object:
        if not isinstance(value, str):
            return value
        found = re.fullmatch(r"([0-9.]+)\s*([A-Za-z]*)", value.strip())
        factor = self.units.get(found[2], self.units.get(found[2].upper())) if found else None
        if not found or factor is None:
            raise ValueError(f"write it like {self.example}")
        return float(found[1]) * factor

    def spell(self, value: float) -> str:
        if 0 < value < 1:
            return f"{value * 1000:g}ms"
        fitting = [unit for unit, size in self.units.items() if unit and value and value % size == 0]
        unit = max(fitting, key=lambda unit: self.units[unit], default="s" if value else "")
        return f"{value / self.units[unit]:g}{unit}"


def _networks(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in value.split(",") if part.strip())


def _words(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _named_keys(value: object) -> object:
    """`name:key` pairs; a name may stand twice, so that a key can be replaced without a gap."""
    if not isinstance(value, str):
        return value
    pairs = [part.strip().partition(":") for part in value.split(",") if part.strip()]
    if not all(name and key for name, _, key in pairs):
        raise ValueError("write it like name:key,other:key2")
    return tuple((name, key) for name, _, key in pairs)


def _redis_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        known = not value or (parts.scheme in ("redis", "rediss", "unix") and parts.port != 0)
    except ValueError:
        known = False
    if not known:
        raise ValueError("write it like redis://:password@host:6379 (rediss://, unix:///path); / in a password is %2F")
    return value


def _rate(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d+)/(s|m|min|h)", value.strip())
    if value.strip() == "0":
        return 0
    if not found:
        raise ValueError("write it like 10/s, 600/min or 1000/h")
    return int(found[1]) / {"s": 1, "m": 60, "min": 60, "h": 3600}[found[2]]


_TIME = Unit("250ms, 30s, 5m, 24h or 30d", _SECONDS)
_SIZE = Unit("4KiB, 64MiB or 2GiB", _BYTES)
Duration = Annotated[float, BeforeValidator(_TIME.read), _TIME]
Size = Annotated[int, BeforeValidator(_SIZE.read), _SIZE]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(_networks)]
NamedKeys = Annotated[tuple[tuple[str, str], ...], BeforeValidator(_named_keys)]
RedisURL = Annotated[str, AfterValidator(_redis_url)]
Rate = Annotated[float, BeforeValidator(_rate)]
