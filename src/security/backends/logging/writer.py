"""One log record for each entry: a sentence to read, and all its fields as data."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar, Final
from uuid import UUID

from security.backends.base import Writer
from security.enums import Event
from security.records import RECORD_TYPES, Entry
from security.traces import Traceparent, span_id_of

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


class LoggingWriter(Writer):
    """Logs each entry; its fields are `record.security_entry`, its kind and event stand beside them."""

    blocks: ClassVar[bool] = False

    def write(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            logger, level = logging.getLogger(RECORD_TYPES[entry.kind].logger_name), entry.level
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


def _message(entry: Entry) -> str:
    record_type = RECORD_TYPES[entry.kind]
    predicate = record_type.own_predicates.get(entry.event, _PREDICATES[entry.event])
    values = {name: _on_one_line(value) for name, value in entry.values.items() if isinstance(value, str)}
    return f"{record_type.subject.format(**values, id=entry.id)} {predicate}"


def _on_one_line(text: str) -> str:
    """Keep a client from writing lines of its own into a log file."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
