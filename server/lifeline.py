"""The tie between a child process and us: the child ends when we end, even by `kill -9`.

Imports nothing but the standard library: on Linux this very file is the program that ties itself and then
becomes the one that was asked for.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Literal

Tie = Literal["kernel", "pipe"]
"""How a child learns that its parent is gone: the kernel signals it, or a shell beside it waits at a pipe."""

TIE: Tie = "kernel" if sys.platform == "linux" else "pipe"
_PR_SET_PDEATHSIG = 1
_STOP_SECONDS = 10

_WATCH = """
exec {fd}<&0 </dev/null
(read -r _ <&{fd} || kill -TERM $$ 2>/dev/null) &
exec {fd}<&- "$@"
"""
"""The shell becomes the program, so its process id is the program's; the watcher ends quietly at a line."""


def die_with_parent(parent: int) -> None:
    """Have this process sent SIGTERM when its parent ends, however that ends. `parent` is the parent's id.

    On Linux the kernel does it, and it does so when the THREAD that started this process ends: start such
    processes from the main thread. Elsewhere a thread looks twice a second, so call it after any exec.
    """
    if sys.platform != "linux":
        threading.Thread(target=_watch_parent, args=(parent,), name="watch-parent", daemon=True).start()
        return
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # it ended before the kernel was asked
        os.kill(os.getpid(), signal.SIGTERM)


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def spawn(
    command: Sequence[str],
    log: IO[bytes],
    keep: Sequence[int] = (),
    tie: Tie = TIE,
    environment: Mapping[str, str] = os.environ,
) -> subprocess.Popen[bytes]:
    """Start a program that is sent SIGTERM when this process ends, even by `kill -9`.

    Its output goes to `log`; it inherits the descriptors in `keep`. Call it from the main thread. The child
    has a process group of its own: Ctrl-C in the terminal is for us, who still need it while we finish.
    """
    if tie == "kernel":
        command = [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]
    else:
        # Shells know descriptors of one digit only, and one of those may be among `keep`.
        free = next(number for number in range(3, 10) if number not in keep)
        command = ["/bin/sh", "-c", _WATCH.format(fd=free), "sh", *command]
    stdin = subprocess.DEVNULL if tie == "kernel" else subprocess.PIPE
    return subprocess.Popen(
        command,
        stdin=stdin,
        stdout=log,
        stderr=subprocess.STDOUT,
        pass_fds=keep,
        process_group=0,
        # Redis refuses to start when the environment names a locale that is not installed.
        env={**environment, "LC_ALL": "C"},
    )


def reap(process: subprocess.Popen[bytes]) -> None:
    """End a spawned program and wait for it; one that does not heed SIGTERM is killed."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin:
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(b"\n")


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
