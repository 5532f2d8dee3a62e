"""Every setting, with its default and its sentence; read from the environment once, then frozen.

A setting is the variable `TASKARRAY_` and the field's name in capitals; `PORT` and `REDIS_URL` are read under
those names, as hosts set them. Durations are written `250ms`, `30s`, `5m`, `24h`, `30d`; sizes `4KiB`, `64MiB`.
A variable with our prefix that is no setting is an error: a typo in a limit must not go unnoticed.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from server.units import Duration, NamedKeys, Networks, Rate, RedisURL, Size, Unit, Words

PREFIX = "TASKARRAY_"
_PLAIN = {"port": "PORT", "redis_url": "REDIS_URL"}
_SECRET = ("api_keys", "dash_keys", "redis_url", "blobs")

_CLIENT = ("server", "key")
"""Ours too, but for commands that work with a server, such as `taskarray run`; a server does not read them."""


class ConfigError(Exception):
    """The settings are wrong; the message lists everything that is, one problem a line."""


class Config(BaseModel):
    """The settings. The description of a field is its line in the docs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on. Another one needs keys of your own.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    public_url: str = Field("", description="Address in image URLs; empty takes it from each request.")
    data: Path = Field(Path(".taskarray"), description="Folder for the embedded Redis and the images.")
    redis_url: RedisURL = Field("", description="Redis to use (redis://, rediss://, unix://); empty starts one.")
    redis_cluster: bool = Field(False, description="The Redis at REDIS_URL is a Cluster.")
    prefix: str = Field("taskarray", description="First word of every key in Redis.")
    shards: int = Field(1, ge=1, le=1024, description="Slots the keys are spread over; for a Redis Cluster.")
    blobs: str = Field("", description="Where image bytes lie: a folder or s3://…; empty is `images` in data.")
    api_keys: NamedKeys = Field((), description="Keys besides the stored ones, as name:key pairs with commas between.")
    dash_keys: NamedKeys = Field((), description="Keys that may use the live board; the same key may stand in both.")
    workers: int = Field(0, ge=0, le=512, description="Worker processes of `serve`; 0 is one a core.")
    tasks: Words = Field((), description="Further Python packages with task files, with commas between.")

    models: Path | None = Field(None, description="A table of models over the shipped one (see models.toml).")
    models_dir: Path | None = Field(None, description="Folder with model weights; empty is `models` in data.")
    missing_model: Literal["", "fallback", "error"] = Field(
        "", description="A model that is not installed: fallback to the built-in engine, or error; empty: as loopback."
    )

    image_ttl: Duration = Field(30 * 86400, ge=1, description="An image is kept this long after its last use.")
    max_side: int = Field(2048, ge=0, description="Images are stored at no more pixels a side; 0 is no cap.")
    max_working_side: int = Field(4096, ge=64, description="Tasks reduce a larger input to this many pixels a side.")
    max_pixels: int = Field(10**9, ge=0, description="Pixels an input may have, as its header says; 0: any.")
    max_decoded: Size = Field(512 * 2**20, ge=0, description="Memory for an input that cannot be streamed.")
    min_free_disk: Size = Field(2**30, ge=0, description="Below this much free disk uploads are refused.")

    fetch_allow: Networks = Field(
        (), description="CIDRs that URL inputs and webhooks may reach besides public addresses."
    )
    fetch_max_bytes: Size = Field(64 * 2**20, ge=1, description="Bytes that one URL input may have.")
    fetch_timeout: Duration = Field(30, gt=0, description="Time that one URL input may take in all.")

    max_message: Size = Field(64 * 2**20, ge=1024, description="Bytes of one message or request body.")
    max_message_unauthenticated: Size = Field(4096, ge=256, description="The same before authentication.")
    max_tasks_per_array: int = Field(1000, ge=1, description="Tasks in one array.")
    max_sockets_per_key: int = Field(2000, ge=1, description="Open sockets of one key on one gateway.")
    max_unauthenticated_per_ip: int = Field(1000, ge=1, description="Sockets of one address that wait to authenticate.")
    rate_limit: Rate = Field(0, description="Tasks that a key may send, like 10/s or 600/min; 0 is no limit.")
    max_queued: int = Field(100_000, ge=1, description="Tasks of all keys that may wait or run, on each shard.")
    max_queued_per_key: int = Field(10_000, ge=1, description="Tasks of one key that may wait or run.")
    max_graph_tasks: int = Field(64, ge=1, description="Tasks in one array that may build on each other.")
    max_graph_depth: int = Field(16, ge=1, description="How many of them may follow one on the other.")
    auth_timeout: Duration = Field(10, gt=0, description="A socket must authenticate within this time.")
    idle_timeout: Duration = Field(
        120, gt=0, description="A socket silent for this long, with no work open, is closed."
    )
    slow_reader_timeout: Duration = Field(
        20, gt=0, description="A socket that takes nothing for this long is closed; HTTP, after three times as long."
    )
    outbox_bytes: Size = Field(8 * 2**20, ge=1024, description="Bytes that wait in memory for one socket.")
    session_ttl: Duration = Field(120, gt=0, description="A session waits this long for its client to come back.")
    result_ttl: Duration = Field(86400, ge=1, description="An answer can be asked for again for this long.")
    duplicate_task: Literal["attach", "conflict"] = Field(
        "attach", description="The same task again gets the same answer (attach) or conflictTaskUUID."
    )
    eager_ack: Duration = Field(0.25, ge=0, description="An async ack waits this long for the result itself.")
    poll_hold: Duration = Field(1.5, ge=0, le=10, description="getResponse waits this long for a running task.")
    sync_wait: Duration = Field(55, gt=0, description="An HTTP request waits this long for its results.")

    webhook_timeout: Duration = Field(
        30, gt=0, description="A receiver must have answered a delivery within this time."
    )
    webhook_attempts: int = Field(8, ge=1, description="Times a delivery is tried before it is given up.")
    webhook_pause: Duration = Field(
        1, gt=0, description="Wait before the second try; each later one is four times as long, up to 15 minutes."
    )
    webhook_ttl: Duration = Field(3 * 86400, ge=1, description="What was given up can be replayed for this long.")

    lease: Duration = Field(
        15, gt=0, description="A job or delivery whose process is silent for this long is taken over."
    )
    attempts: int = Field(2, ge=1, description="Crashes of its process after which a task is given up.")
    task_timeout: Duration = Field(0, ge=0, description="Time limit of every task; 0 leaves each its own.")
    worker_memory: Size = Field(2**30, ge=2**26, description="A task process that ends a task larger is replaced.")
    task_memory: Size = Field(
        3 * 2**30,
        ge=0,
        description="A task whose process outgrows this is ended; 0: no bound. Loaded weights come on top.",
    )
    cancel_grace: Duration = Field(
        2, ge=0, description="A running task that was cancelled gets this long to stop by itself."
    )
    cache_ttl: Duration = Field(
        86400, ge=0, description="The same work is answered from an earlier result for this long; 0: always done anew."
    )
    shared_cache: bool = Field(False, description="Earlier results serve other keys as well (of the same shard).")
    test_mode: bool = Field(False, description="Tasks may ask for faults (`simulate`), to test clients against.")
    drain_timeout: Duration = Field(30, ge=0, description="On SIGTERM, running work gets this long to finish.")

    origins: Words = Field((), description="Browser origins allowed besides the server's own; * is any.")
    metrics_port: int = Field(0, ge=0, le=65535, description="Port of /metrics alone; 0: on the main port.")
    metrics_host: str = Field("", description="Address that this port is on; empty: that of the server.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")
    log_format: Literal["auto", "json", "text"] = Field("auto", description="Log lines; auto is JSON off a terminal.")

    @property
    def blob_url(self) -> str:
        """Where the blobs lie, with the default filled in."""
        return self.blobs or str(self.data / "images")

    @property
    def models_folder(self) -> Path:
        """Where weights lie, with the default filled in."""
        return self.models_dir or self.data / "models"

    @property
    def missing(self) -> Literal["fallback", "error"]:
        """What becomes of a request for a model that is not installed."""
        return self.missing_model or ("fallback" if self.loopback else "error")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Config:
        """The settings in an environment. Raises ConfigError with every problem at once."""
        problems, values = [], dict[str, Any]()
        for variable, value in environment.items():
            name = _field_of(variable)
            if name in cls.model_fields:
                values[name] = value
            elif name.removesuffix("_file") in cls.model_fields and name.endswith("_file"):
                try:
                    values[name.removesuffix("_file")] = Path(value).read_text().strip()
                except OSError as failure:
                    problems.append(f"{variable}={value!r}: {failure.strerror}")
            elif variable.startswith(PREFIX) and name not in _CLIENT:
                problems.append(_unknown(variable))
        values = {name: value for name, value in values.items() if value != ""}
        try:
            config = cls(**values)
        except ValidationError as invalid:
            problems += [_problem(found) for found in invalid.errors(include_url=False)]
        else:
            if not problems:
                return config
        raise ConfigError("\n".join(problems))

    def shown(self, environment: Mapping[str, str]) -> list[tuple[str, str, str]]:
        """Every setting as (variable, effective value with secrets masked, where it comes from)."""
        rows = list[tuple[str, str, str]]()
        for name in type(self).model_fields:
            variable, value = variable_of(name), spelled(getattr(self, name), type(self).model_fields[name])
            masked = "***" if name in _SECRET and ("@" in value or name.endswith("_keys")) and value else value
            rows.append((variable, masked, "environment" if environment.get(variable) else "default"))
        return rows


def variable_of(name: str) -> str:
    """The environment variable of a field."""
    return _PLAIN.get(name, PREFIX + name.upper())


def _field_of(variable: str) -> str:
    plain = {value: name for name, value in _PLAIN.items()}
    if variable in plain:
        return plain[variable]
    name = variable.removeprefix(PREFIX).lower()
    return name if variable.startswith(PREFIX) and name not in _PLAIN else ""


def _unknown(variable: str) -> str:
    near = difflib.get_close_matches(variable.removeprefix(PREFIX).lower(), [*Config.model_fields, *_CLIENT], 1)
    return f"{variable} is not a setting" + (f"; did you mean {variable_of(near[0])}?" if near else ".")


def _problem(found: Any) -> str:
    name = str(found["loc"][0])
    value = "***" if name in _SECRET else repr(found["input"])
    return f"{variable_of(name)}={value}: {found['msg'].removeprefix('Value error, ')}"


def spelled(value: Any, field: FieldInfo) -> str:
    """A setting's value as one writes it in the environment."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(":".join(part) if isinstance(part, tuple) else str(part) for part in value)
    for mark in field.metadata:
        if isinstance(mark, Unit):
            return mark.spell(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def read_config() -> Config:
    """The settings of this process."""
    return Config.read(os.environ)
