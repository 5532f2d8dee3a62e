"""The Grafana board and the alert rules: every expression can be read, and names what is really told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.api.test_metrics import LABELS, families
from tests.harness import Installation

FOLDER = Path(__file__).parents[2] / "server" / "deploy"
BOARD = json.loads((FOLDER / "grafana.json").read_text())
RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"][0]["rules"]
SHOWN = [(panel["title"], target["expr"]) for panel in BOARD["panels"] for target in panel.get("targets", ())]
MARKS = [(mark["name"], mark["expr"]) for mark in BOARD["annotations"]["list"] if "expr" in mark]
EXPRESSIONS = [*SHOWN, *MARKS, *((rule["alert"], rule["expr"]) for rule in RULES)]
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS, ids=[title for title, _ in EXPRESSIONS])
def test_expression(title: str, expression: str) -> None:
    """PromQL reads every expression, and the labels in it are those of our families, of a scrape, or of a query."""
    promql_parser.parse(expression.replace("$__rate_interval", "5m"))
    named = re.findall(r"by \(([^)]*)\)", expression) + re.findall(r"\{([^}]*)\}", expression)
    labels = {re.split(r"[!=~]+", word)[0].strip() for words in named for word in re.split(r",(?![^\"]*\")", words)}
    assert labels <= {*LABELS, "job", "instance", ""}, title


def test_names(installation: Installation) -> None:
    """Every family that a board or a rule asks for is told at /metrics, under this name."""
    told = families(installation)
    names = {f"taskarray_{name}{suffix}" for name, family in told.items() for suffix in SUFFIXES[family.type]}
    for title, expression in EXPRESSIONS:
        asked = set(re.findall(r"\btaskarray_\w+", expression))
        assert asked <= names, title
        assert asked or expression.startswith("up{"), title


def test_board() -> None:
    """Panels have a title and a sentence, keep out of each other's way, and choose among our variables."""
    panels = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert all(panel["title"] and panel["description"] and panel["targets"] for panel in panels)
    taken = set[tuple[int, int]]()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        place = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not place & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= place
    variables = {variable["name"] for variable in BOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(BOARD))) - {"__rate_interval", "__all"}
    assert used == variables


def test_rules() -> None:
    """Each rule has a name of its own, a severity, what has happened and what to do."""
    assert len({rule["alert"] for rule in RULES}) == len(RULES) >= 8
    for rule in RULES:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"].endswith(".")
        assert len(rule["annotations"]["description"]) > 40
