"""What `taskarray doctor` looks at of the machine itself: its processor, memory, limits, ports and names."""

from __future__ import annotations

import json
import os
import platform
import re
import resource
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from server.client.whereabouts import address
from server.config import Config, ConfigError
from server.listening import listen

_WORKER_BYTES = 512 * 2**20
"""What a worker and its task process take for pictures of a few megapixels, with the server's own engines."""
_FEW_FILES, _MANY_FILES = 256, 4096
_KERNELS = {"x86_64": ("avx2", "avx512f", "avx512_vnni", "avx_vnni"), "aarch64": ("asimd", "asimddp", "i8mm", "bf16")}
"""What makes the engines fast, by the names that the kernel has for it; without the first they are slow."""
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_LIMIT = Path("/sys/fs/cgroup/memory.max")


class Unfit(Exception):
    """What is wrong, and what to do about it."""


def python(settings: Config) -> str:
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def processor(settings: Config) -> str:
    """How many cores there are for workers, and what they can."""
    cores, allowed = os.cpu_count() or 1, _allowed_cores()
    if settings.workers == 0 and allowed < cores:
        raise Unfit(
            f"{cores} cores, of which this process may use {allowed:g}: `serve` would start {cores} workers. "
            f"Set TASKARRAY_WORKERS={max(1, int(allowed))}."
        )
    names, flags = _KERNELS.get(platform.machine(), ()), _flags()
    found = [name for name in names if name in flags]
    slow = f"; without {names[0]} the engines are several times slower" if names and flags and not found else ""
    return f"{cores} cores" + (f" with {', '.join(found)}" if found else "") + slow


def memory(settings: Config) -> str:
    """Whether it lasts for the workers that there will be."""
    free = _free_memory()
    if free is None:
        return "this system does not say how much is free"
    workers = settings.workers or os.cpu_count() or 1
    needed = workers * _WORKER_BYTES
    told = f"{free / 2**30:.1f} GiB free for {workers} workers"
    if free < needed:
        fitting = max(1, free // _WORKER_BYTES)
        raise Unfit(f"{told}, which may take {needed / 2**30:.1f} GiB. Set TASKARRAY_WORKERS={fitting}, or add memory.")
    return told


def open_files(settings: Config) -> str:
    """How many sockets a gateway can hold."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = "as many as the system can" if soft == resource.RLIM_INFINITY else str(soft)
    raised = f"`ulimit -n {65536 if hard == resource.RLIM_INFINITY else min(65536, hard)}` before the start"
    if 0 <= soft < _FEW_FILES:
        raise Unfit(f"{most}, and each socket needs one. Raise it: {raised}, or LimitNOFILE= of a systemd unit.")
    return most + (f"; for more than {soft - 100} sockets raise it: {raised}" if 0 <= soft < _MANY_FILES else "")


def port(settings: Config) -> str:
    """Whether the server could listen where it is told to; a taskarray that does so already is fine."""
    where = f"{settings.host}:{settings.port}"
    if settings.port == 0:
        return "0: a free one is taken"
    if address(settings.data).endswith(f":{settings.port}"):
        return f"`serve` listens at {where}"
    try:
        listen(settings, settings.host, settings.port).close()
    except ConfigError as taken:
        if _is_ours(settings.port):
            return f"a taskarray listens at {where}"
        raise Unfit(str(taken)) from taken
    return f"{where} is free"


def public_url(settings: Config) -> str:
    """Whether the addresses in answers can be right."""
    told = settings.public_url
    if not told:
        return "not set: image URLs begin as each request does"
    parts = urlsplit(told)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise Unfit(f"TASKARRAY_PUBLIC_URL={told} is no address that image URLs can begin with, like https://host.")
    if not settings.loopback and parts.hostname in ("localhost", "127.0.0.1", "::1"):
        raise Unfit(f"TASKARRAY_PUBLIC_URL={told} leads every client to its own machine. Set the name that they use.")
    try:
        socket.getaddrinfo(parts.hostname, None)
    except OSError as unknown:
        raise Unfit(f"TASKARRAY_PUBLIC_URL={told}: the name {parts.hostname} is not known here.") from unknown
    return told


def _allowed_cores() -> float:
    """Cores that this process may use: by its affinity, and by the quota of its container."""
    allowed = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    with suppress(OSError, ValueError):
        quota, period = _QUOTA.read_text().split()
        if quota != "max":
            allowed = min(allowed, int(quota) / int(period))
    return allowed


def _flags() -> set[str]:
    """What the kernel says that the processor can; nothing where it does not say."""
    with suppress(OSError):
        found = re.search(r"^(?:flags|Features)\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.M)
        return set(found[1].split()) if found else set()
    return set()


def _free_memory() -> int | None:
    """Bytes, those of the container where it has a limit of its own."""
    found = list[int]()
    with suppress(OSError, ValueError):
        about = re.search(r"^MemAvailable:\s*(\d+) kB", Path("/proc/meminfo").read_text(), re.M)
        found += [int(about[1]) * 1024] if about else []
    with suppress(OSError, ValueError):
        found.append(int(_LIMIT.read_text()) - int(_LIMIT.with_name("memory.current").read_text()))
    return min(found, default=None)


def _is_ours(number: int) -> bool:
    with suppress(OSError, ValueError), urlopen(f"http://127.0.0.1:{number}/", timeout=2) as answer:
        return json.load(answer).get("name") == "taskarray"
    return False
