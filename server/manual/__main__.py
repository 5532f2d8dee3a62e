"""`python -m server.manual`: make the answers in `examples.json` anew, by a server started for it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from tempfile import TemporaryDirectory

from server.manual.examples import STORED
from server.manual.recording import recorded

_SETTINGS = {"PORT": "0", "TASKARRAY_TEST_MODE": "1", "TASKARRAY_WORKERS": "1", "TASKARRAY_LOG_LEVEL": "error"}


def main() -> None:
    """Start a server in a folder of its own, ask it everything, write down what it says."""
    own = {name: value for name, value in os.environ.items() if name != "REDIS_URL" and "TASKARRAY_" not in name}
    with TemporaryDirectory() as folder:
        command, settings = [sys.executable, "-m", "server", "serve"], own | _SETTINGS | {"TASKARRAY_DATA": folder}
        with subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout
            said = ""
            while not (told := re.search(r"http://([\d.:]+)/#key=(\S+)", said)):
                line = server.stdout.readline()
                assert line, "the server ended before it was ready"
                said += line
            try:
                found = recorded(told[1], told[2])
            finally:
                server.terminate()
    STORED.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
