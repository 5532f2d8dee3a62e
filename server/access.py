"""Who can reach a server that starts: a key for this machine's user, and a refusal to be open without any."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from redis import Redis, RedisCluster
from redis.exceptions import RedisError

from server.config import Config, ConfigError
from server.tenants import new_key


def check(config: Config) -> None:
    """Refuse what would be unsafe. Raises ConfigError with the setting to change."""
    if not config.loopback and not config.api_keys and not _stored_keys(config):
        raise ConfigError(
            f"TASKARRAY_HOST={config.host} can be reached from other machines, and there are no keys. "
            "Make one with `taskarray keys create NAME` or set TASKARRAY_API_KEYS=name:key, "
            "or leave TASKARRAY_HOST at 127.0.0.1."
        )


def _stored_keys(config: Config) -> int:
    """How many keys the Redis of the settings has; 0 where there is none to ask."""
    if not config.redis_url:
        return 0
    kind = RedisCluster if config.redis_cluster else Redis
    with suppress(RedisError), kind.from_url(config.redis_url, socket_timeout=5, protocol=2) as client:
        return int(client.hlen(f"{config.prefix}:keys"))  # type: ignore[arg-type]
    return 0


def local_key(path: Path) -> str:
    """The key of this machine's user, made at the first start and the same ever after."""
    if path.exists():
        return path.read_text().strip()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    key = new_key()
    with os.fdopen(descriptor, "w") as file:
        file.write(key + "\n")
    return key
