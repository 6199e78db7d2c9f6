"""Where tasks are queued: one record each, stored with one write once the broker has the message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from celery import current_app
from celery.signals import after_task_publish, before_task_publish

from security.config import settings
from security.delivery import deliver
from security.enums import Event
from security.recording import begin, complete, make_entry
from security.records import CeleryTaskInvocationRecord, Entry
from security.references import ObjectReference
from security.sources.arguments import input_of, named, positional

from .headers import HEADER, header_of, moment_of, pack


@dataclass(frozen=True, slots=True)
class Call:
    """What the code that queues a task says of it, beyond what Celery takes."""

    references: tuple[ObjectReference, ...] = ()
    slug: str | None = None
    stale_time_limit: float | None = None
    applied_at: datetime | None = None
    """When the code asked for the task to be queued on commit; None where it is queued at once."""


@dataclass(slots=True)
class _Publishing:
    record: CeleryTaskInvocationRecord
    entries: list[Entry]


call_of_publishing: Final[ContextVar[Call | None]] = ContextVar("security_celery_call", default=None)
_publishing: Final[ContextVar[_Publishing | None]] = ContextVar("security_celery_publishing", default=None)


def is_logged(name: str) -> bool:
    """Tell whether the invocations of a task are recorded; those of a task that only the worker knows are."""
    task = current_app.tasks.get(name)
    return task is None or getattr(task, "is_logged", False)


def invoke(
    name: str,
    task_id: str,
    args: Any,
    kwargs: Any,
    *,
    queue_name: str | None = None,
    eta: Any = None,
    expires: Any = None,
    is_async: bool = True,
) -> tuple[CeleryTaskInvocationRecord, list[Entry], dict[str, Any]]:
    """Begin the record of an invocation; give it, its first entry, and the header that goes with the task."""
    call = call_of_publishing.get() or Call()
    # It is this task's; tasks that are queued on the way have none.
    call_of_publishing.set(None)
    limit = call.stale_time_limit
    record = CeleryTaskInvocationRecord(
        celery_task_id=task_id,
        name=name,
        queue_name=queue_name,
        input=input_of(args, kwargs),
        task_args=positional(args),
        task_kwargs=named(kwargs),
        slug=call.slug,
        related_objects=call.references,
        is_async=is_async,
        is_on_commit=call.applied_at is not None,
        estimated_time_of_first_arrival=moment_of(eta),
        expires_at=moment_of(expires),
    )
    record.applied_at = call.applied_at or record.start
    record.stale_at = stale_at(record.estimated_time_of_first_arrival or record.start, limit)
    entries = begin(record)
    return record, entries, pack(record, limit)


def stale_at(due: datetime, limit: float | None) -> datetime:
    """Tell when a task that is due at a time counts as lost if no run of it has begun."""
    seconds = settings.CELERY_STALE_TASK_TIME_LIMIT_MINUTES * 60 if limit is None else limit
    return due + timedelta(seconds=seconds)


def forget_publishing() -> None:
    """Forget an invocation whose message was never sent; Celery says so to nobody."""
    _publishing.set(None)


def note_failed_publishing(error: Exception) -> None:
    """Record that the message of the invocation that began last did not reach the broker."""
    publishing = _publishing.get()
    if publishing is not None:
        _publishing.set(None)
        message = f"The task could not be queued: {type(error).__name__}: {error}"
        deliver(publishing.entries + complete(publishing.record, Event.FAILED, error_message=message))


@before_task_publish.connect(dispatch_uid="security.celery", weak=False)
def _before_publish(
    sender: str = "",
    body: Any = None,
    headers: dict[str, Any] | None = None,
    routing_key: str | None = None,
    declare: Iterable[Any] | None = None,
    **kwargs: Any,
) -> None:
    _publishing.set(None)
    # A message of protocol 1 has no headers to carry anything.
    if not isinstance(headers, dict) or "id" not in headers or not isinstance(body, (tuple, list)):
        return
    task_id = headers["id"]
    header = header_of(headers, task_id)
    if header is not None:
        # Another attempt of a task that was queued before.
        headers[HEADER] = header | {"sent": datetime.now(UTC).isoformat()}
        return
    headers.pop(HEADER, None)
    if not is_logged(sender):
        return
    queue = next(iter(declare or ()), None)
    record, entries, header = invoke(
        sender,
        task_id,
        body[0],
        body[1],
        queue_name=getattr(queue, "name", None) or routing_key,
        eta=headers.get("eta"),
        expires=headers.get("expires"),
    )
    headers[HEADER] = header
    _publishing.set(_Publishing(record, entries))


@after_task_publish.connect(dispatch_uid="security.celery", weak=False)
def _after_publish(headers: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
    publishing = _publishing.get()
    if publishing is None or not isinstance(headers, Mapping):
        return
    _publishing.set(None)
    record = publishing.record
    if headers.get("id") == record.celery_task_id:
        record.triggered_at = datetime.now(UTC)
        sent = make_entry(record, Event.TRIGGERED)
        deliver(publishing.entries + sent)
