"""The log: one line an event, and nothing in it that is nobody's business."""

from __future__ import annotations

import json

import pytest

from tests.programs import python

PROGRAM = """
from server.config import Config
from server.log import log, start
start(Config(log_format={form!r}), "worker")
def fail(api_key):
    raise ValueError("told")
try:
    fail("canary")
except ValueError as failure:
    log.error("worker_raised", task="x", exc_info=failure)
"""


@pytest.mark.parametrize("form", ["json", "text"])
def test_traceback(form):
    """A failure is logged with its traceback, and without the values of variables: keys and pixels are among them."""
    with python(PROGRAM.format(form=form)) as (process, words):
        text = " ".join(words) + process.stdout.read()
    assert "worker_raised" in text
    assert "told" in text
    assert "canary" not in text.replace('fail("canary")', "")


def test_line():
    """A line is one JSON object with the time, the level, the process, the event and its values."""
    with python(PROGRAM.format(form="auto")) as (process, words):
        line = json.loads(" ".join(words) + process.stdout.read())
    assert line["ts"].endswith("Z")
    assert {name: line[name] for name in ("level", "process", "event", "task")} == {
        "level": "error",
        "process": "worker",
        "event": "worker_raised",
        "task": "x",
    }
