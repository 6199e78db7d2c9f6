"""One log record for each entry: a sentence to read, and all its fields as data."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar, Final
from uuid import UUID

from security.backends.base import Writer
from security.enums import Event, LoggerName, RequestLogState
from security.records import Entry
from security.traces import Traceparent, span_id_of

_CELERY: Final = logging.getLogger("security.celery")
_LOGGERS: Final[Mapping[LoggerName, logging.Logger]] = {
    LoggerName.INPUT_REQUEST: logging.getLogger("security.input_request"),
    LoggerName.OUTPUT_REQUEST: logging.getLogger("security.output_request"),
    LoggerName.COMMAND: logging.getLogger("security.command"),
    LoggerName.CELERY_TASK_INVOCATION: _CELERY,
    LoggerName.CELERY_TASK_RUN: _CELERY,
}
_SUBJECTS: Final[Mapping[LoggerName, str]] = {
    LoggerName.INPUT_REQUEST: 'Input request "{id}" to "{host}" with path "{path}"',
    LoggerName.OUTPUT_REQUEST: 'Output request "{id}" to "{host}" with path "{path}"',
    LoggerName.COMMAND: 'Command "{id}" with name "{name}"',
    LoggerName.CELERY_TASK_INVOCATION: (
        'Celery task invocation "{id}" with celery id "{celery_task_id}" and name "{name}"'
    ),
    LoggerName.CELERY_TASK_RUN: 'Celery task "{id}" with celery id "{celery_task_id}" and name "{name}"',
}
_PREDICATES: Final[Mapping[Event, str]] = {
    Event.STARTED: "was started",
    Event.OUTPUT_UPDATED: "was updated",
    Event.FINISHED: "was successful",
    Event.ERROR: "failed",
    Event.SUCCEEDED: "was successful",
    Event.FAILED: "failed",
    Event.RETRIED: "was repeated",
    Event.TRIGGERED: "was triggered",
    Event.IGNORED: "was ignored",
    Event.TIMEOUT: "timed out",
    Event.DUPLICATE: "was a duplicate",
    Event.EXPIRED: "expired",
    Event.ACTIVATED: "was begun",
    Event.REVOKED: "was revoked",
}
# Where a kind says it in words of its own.
_OWN_PREDICATES: Final[Mapping[tuple[LoggerName, Event], str]] = {
    (LoggerName.INPUT_REQUEST, Event.FINISHED): "was finished",
    (LoggerName.CELERY_TASK_INVOCATION, Event.STARTED): "was invoked",
    (LoggerName.CELERY_TASK_INVOCATION, Event.FAILED): "was failed",
}


class LoggingWriter(Writer):
    """Logs each entry; its fields are `record.security_entry`, its kind and event stand beside them."""

    blocks: ClassVar[bool] = False

    def write(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            logger, level = _LOGGERS[entry.kind], _level(entry)
            if logger.isEnabledFor(level):
                logger.log(level, "%s", _message(entry), extra=_extra(entry))


def _extra(entry: Entry) -> dict[str, Any]:
    trace = Traceparent.read(entry.traceparent)
    return {
        "security_kind": str(entry.kind),
        "security_event": str(entry.event),
        "security_entry": {name: _as_json(value) for name, value in entry.values.items()},
        # For a format such as "%(security_trace_id)s": both are empty where there is no trace.
        "security_trace_id": "" if trace is None else trace.trace_id,
        "security_span_id": "" if trace is None else span_id_of(entry.id),
    }


def _as_json(value: Any) -> Any:
    """Give a value as JSON has it: formatters that write JSON take what they are given."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, tuple):
        return [list(item) if isinstance(item, tuple) else item for item in value]
    return value


def _level(entry: Entry) -> int:
    if isinstance(entry.state, RequestLogState) and entry.event is Event.FINISHED:
        # A 4xx answer is a warning, as in Django's own logger "django.request"; a 5xx answer is an error.
        return min(max(int(entry.state) // 10 * 10, logging.INFO), logging.ERROR)
    return entry.transition.level


def _message(entry: Entry) -> str:
    predicate = _OWN_PREDICATES.get((entry.kind, entry.event), _PREDICATES[entry.event])
    values = {name: _on_one_line(value) for name, value in entry.values.items() if isinstance(value, str)}
    return f"{_SUBJECTS[entry.kind].format(**values, id=entry.id)} {predicate}"


def _on_one_line(text: str) -> str:
    """Keep a client from writing lines of its own into a log file."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
