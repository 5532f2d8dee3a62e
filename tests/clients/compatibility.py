"""The table of compatibility: which client in which version was shown to do what.

`python -m tests.clients.compatibility` collects the proofs of all tests of the clients (see proof.py), writes them to
compatibility.json with the tests that show them, and writes the table into the README.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from server.catalog import Catalog
from tests.clients.proof import BEHAVIOURS, CLIENTS, proofs

ROOT = Path(__file__).parents[2]
STORED = Path(__file__).with_name("compatibility.json")
README = ROOT / "README.md"
COLUMNS = {
    "PyPI `runware`": ("legacy",),
    "PyPI `runware-sdk`": ("new",),
    "npm `@runware/sdk-js`": ("js",),
    "PyPI `wavespeed`": ("wavespeed", "older wavespeed"),
    "npm `wavespeed`": ("wavespeed js", "older wavespeed js"),
    "curl, `/v2`": ("curl",),
}
_BLOCK = re.compile(r"(<!-- compatibility -->\n).*?(<!-- end -->)", re.S)
_OUT, _PLUGIN = "PROOFS_OF_CLIENTS", "tests.clients.compatibility"
Claims = dict[str, dict[str, dict[str, object]]]
"""What → client → its `note`, and the `tests` that show it."""


def pytest_collection_finish(session: pytest.Session) -> None:
    """As a plugin, this module writes down what the collected tests say that they prove."""
    claims: Claims = {}
    for item in session.items:
        for proof in proofs(item):
            cell = claims.setdefault(proof.what, {}).setdefault(proof.client, {"note": "", "tests": []})
            cell["note"] = cell["note"] or proof.note
            shown = item.nodeid.removeprefix("tests/clients/").partition("[")[0]
            cell["tests"] = sorted({*cell["tests"], shown})
    Path(os.environ[_OUT]).write_text(json.dumps(claims))


def collected() -> Claims:
    """The claims of the tests as they stand, in the order of the table."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "proofs")
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", "-p", _PLUGIN, "tests/clients"]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | {_OUT: str(out)}, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        found: Claims = json.loads(out.read_text())
    tasks = dict.fromkeys(task.task_type for task in Catalog.discover().by_name.values())
    unknown = set(found) - set(tasks) - set(BEHAVIOURS)
    assert not unknown, f"neither a task type nor a behaviour: {unknown}"
    return {
        what: {client: found[what][client] for client in CLIENTS if client in found[what]}
        for what in (*tasks, *BEHAVIOURS)
        if what in found
    }


def stored() -> Claims:
    """The claims as the repository has them."""
    return json.loads(STORED.read_text())


def table(claims: Claims) -> str:
    """The claims as a table: a row for each task type and behaviour, a column for each client."""
    heads = [f"{title} {_versions(clients)}".strip() for title, clients in COLUMNS.items()]
    rows = [f"| | {' | '.join(heads)} |", f"|---{'|---' * len(heads)}|"]
    for what, shown in claims.items():
        cells = [_cell(shown, clients) for clients in COLUMNS.values()]
        rows.append(f"| {BEHAVIOURS.get(what) or f'`{what}`'} | {' | '.join(cells)} |")
    return "\n".join(rows)


def refreshed(readme: str, claims: Claims) -> str:
    """The README with the table written anew."""
    return _BLOCK.sub(lambda found: f"{found[1]}{table(claims)}\n{found[2]}", readme)


def _versions(clients: tuple[str, ...]) -> str:
    packages = [CLIENTS[client] for client in clients]
    return ", ".join(package.version for package in packages if package)


def _cell(shown: dict[str, dict[str, object]], clients: tuple[str, ...]) -> str:
    """Whether all versions in a column were shown to do it, or which."""
    those = [client for client in clients if client in shown]
    if not those:
        return "–"
    word = " ".join(sorted({str(shown[client]["note"]) for client in those} - {""})) or "yes"
    return word if len(those) == len(clients) else f"{word} ({_versions(tuple(those))})"


if __name__ == "__main__":
    _claims = collected()
    STORED.write_text(json.dumps(_claims, indent=1) + "\n")
    README.write_text(refreshed(README.read_text(), _claims))
