"""Celery tasks: that one was queued, and each attempt to run it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

from security.enums import CeleryTaskInvocationLogState, CeleryTaskRunLogState, Event, LoggerName
from security.fields import Data, Name, Plain, Text, stored

from .base import Record, Transition


@dataclass(slots=True, kw_only=True, eq=False)
class CeleryTaskRecord(Record):
    """What an invocation and a run of a Celery task have in common."""

    logger_name = "security.celery"
    thread_is_tended = True

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
    subject = 'Celery task invocation "{id}" with celery id "{celery_task_id}" and name "{name}"'
    own_predicates = {Event.STARTED: "was invoked", Event.FAILED: "was failed"}
    transitions = {
        Event.STARTED: Transition(CeleryTaskInvocationLogState.WAITING),
        Event.TRIGGERED: Transition(CeleryTaskInvocationLogState.WAITING),
        Event.ACTIVATED: Transition(CeleryTaskInvocationLogState.ACTIVE),
        Event.RETRIED: Transition(CeleryTaskInvocationLogState.WAITING, level=logging.WARNING),
        Event.REVOKED: Transition(CeleryTaskInvocationLogState.REVOKED, is_final=True, level=logging.WARNING),
        Event.IGNORED: Transition(CeleryTaskInvocationLogState.IGNORED, is_final=True),
        Event.TIMEOUT: Transition(CeleryTaskInvocationLogState.TIMEOUT, is_final=True, level=logging.ERROR),
        Event.DUPLICATE: Transition(CeleryTaskInvocationLogState.DUPLICATE, is_final=True),
        Event.EXPIRED: Transition(CeleryTaskInvocationLogState.EXPIRED, is_final=True, level=logging.ERROR),
        Event.SUCCEEDED: Transition(CeleryTaskInvocationLogState.SUCCEEDED, is_final=True),
        Event.FAILED: Transition(CeleryTaskInvocationLogState.FAILED, is_final=True, level=logging.ERROR),
    }

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
    subject = 'Celery task "{id}" with celery id "{celery_task_id}" and name "{name}"'
    transitions = {
        Event.STARTED: Transition(CeleryTaskRunLogState.ACTIVE),
        Event.OUTPUT_UPDATED: Transition(CeleryTaskRunLogState.ACTIVE, level=logging.DEBUG),
        Event.SUCCEEDED: Transition(CeleryTaskRunLogState.SUCCEEDED, is_final=True),
        Event.FAILED: Transition(CeleryTaskRunLogState.FAILED, is_final=True, level=logging.ERROR),
        Event.RETRIED: Transition(CeleryTaskRunLogState.RETRIED, is_final=True, level=logging.WARNING),
    }

    result: Any = stored(Data(10_000))
    output: str = stored(Text(100_000), default="")
    retries: int = stored(Plain(), default=0, settled=True)
    estimated_time_of_next_retry: datetime | None = stored(Plain())
    waiting_time: float | None = stored(Plain(), settled=True)
    """Seconds between the time at which the task should have begun and the time at which it did."""
    state: IntEnum = stored(Plain(), default=CeleryTaskRunLogState.ACTIVE)
