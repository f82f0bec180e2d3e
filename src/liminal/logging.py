"""Structured logs: one line an event on standard error, with the correlation id of what is being handled.

Libraries that log through the standard library come out in the same form.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Generator
from typing import Any
from uuid import UUID

import structlog

from liminal.settings import Settings

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
CHATTY = {
    **dict.fromkeys(("aiokafka", "httpx", "httpcore", "asyncio", "jax"), logging.WARNING),
    # it warns at every start that topics are not made by themselves, which is how it should be
    "faststream": logging.ERROR,
}
"""Libraries whose lines below a level say nothing to an operator."""

PLAIN_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def configure_logging(settings: Settings, process: str) -> None:
    """Log as the settings say; ``process`` names this process on every line."""
    level = LEVELS[settings.log_level]
    before: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _named(process),
    ]
    render: list[structlog.types.Processor]
    if settings.log_format == "json":
        # never the values of local variables: they hold passwords, tokens and what people wrote
        render = [PLAIN_TRACEBACKS, structlog.processors.JSONRenderer(default=str)]
    else:
        render = [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                sort_keys=False,
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    structlog.configure(
        processors=[*before, *render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
    for name, least in CHATTY.items():
        logging.getLogger(name).setLevel(max(level, least))


@contextlib.contextmanager
def correlated(correlation: str) -> Generator[None]:
    """Every line logged inside carries this correlation id, across awaits and the tasks started here."""
    with structlog.contextvars.bound_contextvars(correlation=correlation):
        yield


def current_correlation() -> UUID | None:
    """The correlation id of what is being handled, for the events that it appends; None when nothing is."""
    text = structlog.contextvars.get_contextvars().get("correlation")
    return None if text is None else UUID(text)


def _named(process: str) -> structlog.types.Processor:
    def add(_logger: Any, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        event["process"] = process
        return event

    return add
