"""Structured log lines on stdout: JSON, or coloured text on a terminal. Keys and pixels never stand in them."""

from __future__ import annotations

import logging
import sys
from typing import Any
from uuid import uuid4

import orjson
import structlog

from server.config import Config
from server.errors import InternalServerError


def _line(event: object, **_: object) -> str:
    return orjson.dumps(event, default=str).decode()


_TRACEBACKS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
"""Without the values of variables: keys and pixels are among them."""


def start(config: Config, process: str) -> None:
    """Set up logging for this process; `process` stands in every line (`gateway`, `worker`, …)."""
    text = config.log_format == "text" or (config.log_format == "auto" and sys.stdout.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if text
        else [structlog.processors.ExceptionRenderer(_TRACEBACKS), structlog.processors.JSONRenderer(_line)]
    )
    structlog.configure(
        processors=shared + last,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[config.log_level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")


log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
"""What every module logs with: `log.info("task_finished", task=…)`: fixed snake_case events, values as fields."""


def incident(event: str, bug: BaseException, **about: Any) -> InternalServerError:
    """What a client is told of a bug: a number, under which the log has the traceback."""
    number = uuid4().hex[:12]
    log.error(event, incident=number, exc_info=bug, **about)
    return InternalServerError(f"The server failed, incident {number}.")
