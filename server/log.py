"""Structured log lines on stdout: JSON, or coloured text on a terminal. Keys and pixels never stand in them.

A line is one of ours (fixed words in snake_case, values as fields) or a `library_message`, what a library has to say.
Libraries are heard from warnings on, whatever our own level: some of them print what they send and receive.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any
from uuid import uuid4

import orjson
import structlog

from server.config import Config
from server.errors import InternalServerError, InvalidRequest, UnknownParameter, UnsupportedTaskType

Event = structlog.typing.EventDict
_TOLD = "told_by_taskarray"
"""Marks an exception that has its line; it may go on to a library that would log it again."""
_MOST = 500
"""Characters of what an exception says."""
_SHORTEST = 4
"""A text of fewer characters that a client has sent is not looked for in what an exception says."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_INPUT = re.compile(r"input_value=.*?, input_type=", re.DOTALL)


def _line(event: Event, **_: object) -> str:
    first = {name: event.pop(name) for name in ("ts", "level", "event")}
    return orjson.dumps(first | dict(event), default=str).decode()


_TRACEBACKS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
"""Without the values of variables: keys and pixels are among them."""


def start(config: Config, process: str) -> None:
    """Set up logging for this process; `process` stands in every line (`gateway`, `worker`, …)."""
    text = config.log_format == "text" or (config.log_format == "auto" and sys.stdout.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, partial(_stamped, process),
    ]  # fmt: skip
    last: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, _discreet, structlog.dev.ConsoleRenderer()]
        if text
        else [
            structlog.processors.ExceptionRenderer(_TRACEBACKS), _discreet, structlog.processors.JSONRenderer(_line),
        ]
    )  # fmt: skip
    structlog.configure(
        processors=shared + last,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[config.log_level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Library()], force=True)
    logging.captureWarnings(True)
    sys.excepthook = _crashed


log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
"""What every module logs with: `log.info("task_finished", task_uuid=…)`: fixed snake_case events, values as fields."""


def incident(event: str, bug: BaseException, *, hide: object = None, **about: Any) -> InternalServerError:
    """What a client is told of a bug: a number, under which the log has the traceback. `hide` is what the client has
    sent: none of its texts is logged, even where the exception quotes them."""
    number = uuid4().hex[:12]
    log.error(event, incident=number, exc_info=bug, hide=hide, **about)
    setattr(bug, _TOLD, True)
    return InternalServerError(f"The server failed, incident {number}.")


def refused(sent: Mapping[str, Any], failures: Sequence[Mapping[str, Any]]) -> None:
    """The line of a task that is not taken. Of what its client has written only what we know as ours is in it."""
    codes = [failure["code"] for failure in failures]
    uuid, kind = sent.get("taskUUID"), sent.get("taskType")
    about: dict[str, Any] = {"code": codes[0], "codes": codes}
    if isinstance(uuid, str) and _UUID.fullmatch(uuid):
        about["task_uuid"] = uuid.lower()
    if not {UnsupportedTaskType.code, InvalidRequest.code}.intersection(codes):
        about["task_type"] = kind
    if codes[0] != UnknownParameter.code and "parameter" in failures[0]:
        about["parameter"] = failures[0]["parameter"]
    log.info("task_refused", **about)


class _Library(logging.Handler):
    """Takes what libraries log, as lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and hasattr(record.exc_info[1], _TOLD):
            return
        log.log(
            record.levelno, "library_message", logger=record.name, message=_cut(record.getMessage()),
            **({"exc_info": record.exc_info} if record.exc_info else {}),
        )  # fmt: skip


def _cut(text: str) -> str:
    """A long text without its middle: a traceback says at its end what was wrong."""
    return text if len(text) <= _MOST else f"{text[: _MOST // 2]} … {text[-_MOST // 2 :]}"


def _crashed(kind: type[BaseException], failure: BaseException, trace: TracebackType | None) -> None:
    """What ends a process is a line as well."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, failure, trace)
    else:
        log.critical("process_crashed", exc_info=(kind, failure, trace))


def _stamped(process: str, _: object, __: str, event: Event) -> Event:
    # Not by a context variable: threads of libraries would not have it.
    event["process"] = process
    event["ts"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


def _discreet(_: object, __: str, event: Event) -> Event:
    """What exceptions say, in few words and without what a client has sent."""
    hidden = sorted({text for text in _texts(event.pop("hide", None)) if len(text) >= _SHORTEST}, key=len, reverse=True)
    told: Any = event.get("exception")
    if isinstance(told, str):
        event["exception"] = _without(told, hidden)
    elif told:
        _shorten(told, hidden)
    return event


def _shorten(chain: list[dict[str, Any]], hidden: list[str]) -> None:
    for failure in chain:
        failure["exc_value"] = _without(failure["exc_value"], hidden)[:_MOST]
        failure["exc_notes"] = [_without(note, hidden)[:_MOST] for note in failure["exc_notes"]]
        for inner in failure["exceptions"]:
            _shorten(inner, hidden)


def _without(text: str, hidden: list[str]) -> str:
    text = _INPUT.sub("input_type=", text)
    for one in hidden:
        text = text.replace(one, "…").replace(repr(one)[1:-1], "…")
    return text


def _texts(value: object) -> Iterator[str]:
    """Every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
