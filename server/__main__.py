"""The command line: `taskarray`."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """The console command."""
    if sys.argv[1:] in (["health"], ["health", "--ready"]):
        # Asked every few seconds: what all the other commands need takes longer to import than the answer to come.
        from server.commands.health import asked

        sys.exit(asked(ready="--ready" in sys.argv))
    if Path.cwd() not in map(Path, sys.path):
        sys.path.append(str(Path.cwd()))  # task packages of the user's own (TASKARRAY_TASKS) lie here
    from server.commands.app import app

    app()


if __name__ == "__main__":
    main()
