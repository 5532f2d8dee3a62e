"""A child process ends when its parent does, even by SIGKILL."""

from __future__ import annotations

import sys

import pytest

from tests.programs import ends, python, runs

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""

CHILD = """
import os, sys, time
sys.platform = {platform!r}
from server.lifeline import die_with_parent
die_with_parent(os.getppid())
print("tied", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("platform", ["linux", "darwin"] if sys.platform == "linux" else ["darwin"])
def test_own_children_end_too(platform):
    """A Python child that is tied to its parent ends when the parent is killed, with the kernel's help or without."""
    with python(PARENT, CHILD.format(platform=platform)) as (parent, (pid,)):
        assert runs(int(pid))
        parent.kill()
        assert ends(int(pid))
