"""The five kinds of records, and what each event does to them.

A record is data: it is filled while the thing happens. What is stored of it is an `Entry`, which only the recorder
makes. A sixth kind is one more dataclass here, with its lines in `TRANSITIONS`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from time import perf_counter
from types import MappingProxyType
from typing import Any, ClassVar, Final
from uuid import UUID

from django.db.models import Model

from security.body import Body
from security.config import settings
from security.enums import (
    CeleryTaskInvocationLogState,
    CeleryTaskRunLogState,
    CommandState,
    Event,
    LoggerName,
    RequestLogState,
)
from security.fields import (
    BodyText,
    Data,
    Host,
    Members,
    Name,
    Plain,
    Text,
    Traceback,
    UrlPath,
    settled_fields,
    stored,
    stored_fields,
)
from security.ids import new_id
from security.references import ObjectReference


@dataclass(slots=True, kw_only=True, eq=False)
class Record:
    """What all kinds have in common."""

    kind: ClassVar[LoggerName]

    id: UUID = stored(Plain(), default_factory=new_id, settled=True)
    start: datetime = stored(Plain(), default_factory=lambda: datetime.now(UTC), settled=True)
    release: str | None = stored(Name(100), default_factory=lambda: settings.RELEASE, settled=True)
    parent_log: str | None = stored(Name(100), settled=True)
    """The record during which this one began, as 'kind|id'."""
    traceparent: str | None = stored(Name(55), settled=True)
    """The trace that the record belongs to (W3C Trace Context); that of an input request is as the client sent it."""
    slug: str | None = stored(Name(255))
    related_objects: tuple[ObjectReference, ...] = stored(Plain(), default=())
    extra_data: dict[str, Any] = stored(Data(100_000), default_factory=dict)
    error_message: str | None = stored(Traceback(10_000))
    stop: datetime | None = stored(Plain())
    time: float | None = stored(Plain())
    """Seconds between start and stop."""
    state: IntEnum = stored(Plain())
    version: int = stored(Plain(), default=0)
    """How many entries were made of this record; it grows with each."""

    settled: dict[str, Any] = field(default_factory=dict)
    """What the first entry holds of the fields that no later one changes."""
    is_recorded: bool = True
    """Whether the record is stored at all; a view may be exempt from logging."""
    began: float = field(default_factory=perf_counter)
    tracestate: str | None = None
    """What other vendors said of the trace; it is passed on, and not stored."""
    waiting: object = None
    """What delivery keeps back until the record is complete."""

    @property
    def reference(self) -> str:
        """What a child of this record keeps as its `parent_log`."""
        return f"{self.kind}|{self.id}"

    def set_slug(self, slug: str | None) -> None:
        """Tag the record with a text by which it is found again."""
        self.slug = slug

    def add_related_objects(self, *objects: Model) -> None:
        """Relate saved objects of the site to the record.

        Raises `ValueError` for an object that is not saved, and `TypeError` for what is no model instance.
        """
        known = dict.fromkeys(self.related_objects)
        self.related_objects = tuple(known | dict.fromkeys(ObjectReference.to(instance) for instance in objects))

    def update_extra_data(self, data: Mapping[str, Any]) -> None:
        """Add data of the site's own, whatever JSON can hold."""
        self.extra_data = {**self.extra_data, **data}


@dataclass(slots=True, kw_only=True, eq=False)
class RequestRecord(Record):
    """An HTTP request and its response."""

    host: str = stored(Host(255), default="", settled=True)
    method: str = stored(Name(20), default="", settled=True)
    path: str = stored(UrlPath(2000), default="", settled=True)
    queries: Mapping[str, str | list[str]] = stored(Members("QUERIES", 8000), default_factory=dict, settled=True)
    """The values by name; the values of a name that is repeated are a list."""
    is_secure: bool = stored(Plain(), default=False, settled=True)
    request_headers: Mapping[str, str | list[str]] = stored(
        Members("HEADERS", 16_000), default_factory=dict, settled=True
    )
    request_body: Body | str = stored(BodyText(lambda: settings.LOG_REQUEST_BODY_LENGTH), default="")
    response_code: int | None = stored(Plain())
    response_headers: Mapping[str, str | list[str]] = stored(Members("HEADERS", 16_000), default_factory=dict)
    response_body: Body | str = stored(BodyText(lambda: settings.LOG_RESPONSE_BODY_LENGTH), default="")
    state: IntEnum = stored(Plain(), default=RequestLogState.INCOMPLETE)


@dataclass(slots=True, kw_only=True, eq=False)
class InputRequestRecord(RequestRecord):
    """A request to the site; `request.input_logged_request` is one (published section "Input requests")."""

    kind = LoggerName.INPUT_REQUEST

    ip: str | None = stored(Plain(), settled=True)
    user_id: str | None = stored(Name(255))
    view_slug: str | None = stored(Name(255))


@dataclass(slots=True, kw_only=True, eq=False)
class OutputRequestRecord(RequestRecord):
    """A request of the site to another one."""

    kind = LoggerName.OUTPUT_REQUEST


@dataclass(slots=True, kw_only=True, eq=False)
class CommandRecord(Record):
    """A management command."""

    kind = LoggerName.COMMAND

    name: str = stored(Name(255), default="", settled=True)
    input: str = stored(Text(10_000), default="", settled=True)
    output: str = stored(Text(100_000), default="")
    is_executed_from_command_line: bool = stored(Plain(), default=False, settled=True)
    state: IntEnum = stored(Plain(), default=CommandState.ACTIVE)


@dataclass(slots=True, kw_only=True, eq=False)
class CeleryTaskRecord(Record):
    """What an invocation and a run of a Celery task have in common."""

    celery_task_id: str = stored(Name(255), default="", settled=True)
    name: str = stored(Name(255), default="", settled=True)
    queue_name: str | None = stored(Name(255), settled=True)
    input: str = stored(Text(10_000), default="", settled=True)
    task_args: Any = stored(Data(10_000), default_factory=list, settled=True)
    task_kwargs: Any = stored(Data(10_000), default_factory=dict, settled=True)


@dataclass(slots=True, kw_only=True, eq=False)
class CeleryTaskInvocationRecord(CeleryTaskRecord):
    """A Celery task that was queued."""

    kind = LoggerName.CELERY_TASK_INVOCATION

    applied_at: datetime | None = stored(Plain(), settled=True)
    triggered_at: datetime | None = stored(Plain())
    is_unique: bool = stored(Plain(), default=False, settled=True)
    is_async: bool = stored(Plain(), default=True, settled=True)
    is_on_commit: bool = stored(Plain(), default=False, settled=True)
    estimated_time_of_first_arrival: datetime | None = stored(Plain(), settled=True)
    expires_at: datetime | None = stored(Plain(), settled=True)
    stale_at: datetime | None = stored(Plain())
    state: IntEnum = stored(Plain(), default=CeleryTaskInvocationLogState.WAITING)


@dataclass(slots=True, kw_only=True, eq=False)
class CeleryTaskRunRecord(CeleryTaskRecord):
    """One attempt to run a Celery task."""

    kind = LoggerName.CELERY_TASK_RUN

    result: Any = stored(Data(10_000))
    output: str = stored(Text(100_000), default="")
    retries: int = stored(Plain(), default=0, settled=True)
    estimated_time_of_next_retry: datetime | None = stored(Plain())
    waiting_time: float | None = stored(Plain(), settled=True)
    """Seconds between the time at which the task should have begun and the time at which it did."""
    state: IntEnum = stored(Plain(), default=CeleryTaskRunLogState.ACTIVE)


RECORD_TYPES: Final[Mapping[LoggerName, type[Record]]] = {
    record_type.kind: record_type
    for record_type in (
        InputRequestRecord,
        OutputRequestRecord,
        CommandRecord,
        CeleryTaskInvocationRecord,
        CeleryTaskRunRecord,
    )
}
FIELDS: Final = {kind: stored_fields(record_type) for kind, record_type in RECORD_TYPES.items()}
SETTLED_FIELDS: Final = {kind: settled_fields(record_type) for kind, record_type in RECORD_TYPES.items()}


@dataclass(frozen=True, slots=True)
class Transition:
    """What an event does to a record of one kind."""

    state: IntEnum | None
    """The state that the event leads to; None where the source says which."""
    is_final: bool = False
    level: int = logging.INFO


def _request_transitions() -> dict[Event, Transition]:
    return {
        Event.STARTED: Transition(RequestLogState.INCOMPLETE),
        Event.FINISHED: Transition(None, is_final=True),
        Event.ERROR: Transition(RequestLogState.ERROR, is_final=True, level=logging.ERROR),
    }


TRANSITIONS: Final[Mapping[LoggerName, Mapping[Event, Transition]]] = {
    LoggerName.INPUT_REQUEST: _request_transitions(),
    LoggerName.OUTPUT_REQUEST: _request_transitions(),
    LoggerName.COMMAND: {
        Event.STARTED: Transition(CommandState.ACTIVE),
        Event.OUTPUT_UPDATED: Transition(CommandState.ACTIVE, level=logging.DEBUG),
        Event.FINISHED: Transition(CommandState.SUCCEEDED, is_final=True),
        Event.ERROR: Transition(CommandState.FAILED, is_final=True, level=logging.ERROR),
    },
    LoggerName.CELERY_TASK_INVOCATION: {
        Event.STARTED: Transition(CeleryTaskInvocationLogState.WAITING),
        Event.TRIGGERED: Transition(CeleryTaskInvocationLogState.TRIGGERED),
        Event.ACTIVATED: Transition(CeleryTaskInvocationLogState.ACTIVE),
        Event.RETRIED: Transition(CeleryTaskInvocationLogState.WAITING, level=logging.WARNING),
        Event.REVOKED: Transition(CeleryTaskInvocationLogState.REVOKED, is_final=True, level=logging.WARNING),
        Event.IGNORED: Transition(CeleryTaskInvocationLogState.IGNORED, is_final=True),
        Event.TIMEOUT: Transition(CeleryTaskInvocationLogState.TIMEOUT, is_final=True, level=logging.ERROR),
        Event.DUPLICATE: Transition(CeleryTaskInvocationLogState.DUPLICATE, is_final=True),
        Event.EXPIRED: Transition(CeleryTaskInvocationLogState.EXPIRED, is_final=True, level=logging.ERROR),
        Event.SUCCEEDED: Transition(CeleryTaskInvocationLogState.SUCCEEDED, is_final=True),
        Event.FAILED: Transition(CeleryTaskInvocationLogState.FAILED, is_final=True, level=logging.ERROR),
    },
    LoggerName.CELERY_TASK_RUN: {
        Event.STARTED: Transition(CeleryTaskRunLogState.ACTIVE),
        Event.OUTPUT_UPDATED: Transition(CeleryTaskRunLogState.ACTIVE, level=logging.DEBUG),
        Event.SUCCEEDED: Transition(CeleryTaskRunLogState.SUCCEEDED, is_final=True),
        Event.FAILED: Transition(CeleryTaskRunLogState.FAILED, is_final=True, level=logging.ERROR),
        Event.RETRIED: Transition(CeleryTaskRunLogState.RETRIED, is_final=True, level=logging.WARNING),
    },
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as it is stored: masked, cut to size, immutable.

    The fields of its kind are its attributes: `entry.path`. An entry holds all of them, so that the latest one makes
    the row whole whatever became of the earlier ones.
    """

    kind: LoggerName
    event: Event
    values: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(f"An entry of the kind {self.kind} has no field {name!r}.") from None

    @property
    def transition(self) -> Transition:
        return TRANSITIONS[self.kind][self.event]
