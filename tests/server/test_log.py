"""The log: one line an event, and nothing in it that is nobody's business."""

from __future__ import annotations

import json
import re

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
    log.error("worker_raised", task_uuid="x", exc_info=failure)
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
    assert {name: line[name] for name in ("level", "process", "event", "task_uuid")} == {
        "level": "error",
        "process": "worker",
        "event": "worker_raised",
        "task_uuid": "x",
    }


PARTS = """
import logging, warnings
from threading import Thread
from pydantic import BaseModel
from server.config import Config
from server.log import incident, log, start
start(Config(log_format="json", log_level="debug"), "worker")
class Model(BaseModel):
    number: int
def fail(step):
    try:
        step()
    except Exception as bug:
        return bug
def group():
    raise ExceptionGroup("several canary", [ValueError("one canary"), KeyError("canary\\n")])
print("begin")
hidden = {"prompt": "canary", "more": [{"text": "canary\\n"}]}
bug = fail(group)
incident("step_failed", bug, hide=hidden)
logging.getLogger("asgi").error("again", exc_info=bug)
log.error("unread", exc_info=fail(lambda: Model(number="canary")))
logging.getLogger("socket").debug("canary")
thread = Thread(target=lambda: logging.getLogger("socket").warning("strange %s frame", "." * 600))
thread.start()
thread.join()
warnings.warn("old")
raise RuntimeError("the end")
"""


def test_parts():
    """What a client has sent is in no exception's words, not within groups either; libraries speak from warnings on
    and repeat nothing, of what is long with both ends; the end of a process is a line. All say whose they are."""
    with python(PARTS) as (process, words):
        assert words == ["begin"]
        text = process.stdout.read()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["event"] for line in lines] == [
        "step_failed", "unread", "library_message", "library_message", "process_crashed",
    ]  # fmt: skip
    assert "canary" not in text
    assert all(list(line)[:3] == ["ts", "level", "event"] for line in lines)
    (several,) = lines[0]["exception"]
    assert several["exc_value"] == "several … (2 sub-exceptions)"
    assert several["exceptions"][0][0]["exc_value"] == "one …"
    assert lines[2]["logger"] == "socket"
    assert re.fullmatch(r"strange [.]+ … [.]+ frame", lines[2]["message"])
    assert {line["process"] for line in lines} == {"worker"}
    assert lines[4]["exception"][0]["exc_value"] == "the end"
