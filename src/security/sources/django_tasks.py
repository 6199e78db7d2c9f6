"""The tasks framework of Django (`django.tasks`, from Django 6.0 on), by its signals; any backend that sends them.

A task's result carries no data of ours. Where a backend runs the task in the process that enqueued it, the invocation
is known and ends with its run; elsewhere the two are joined by the id of the result, and the command
set_celery_task_log_state ends the invocation as its run has ended.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

from django.tasks.base import TaskResultStatus  # type: ignore[import-not-found, unused-ignore]
from django.tasks.signals import (  # type: ignore[import-not-found, unused-ignore]
    task_enqueued,
    task_finished,
    task_started,
)

from security.context import inside
from security.delivery import deliver
from security.enums import Event
from security.faults import log_fault
from security.recording import begin, complete, make_entry
from security.records import CeleryTaskInvocationRecord, CeleryTaskRunRecord
from security.sources.arguments import input_of, named, positional
from security.sources.commands import OutputCapture

_enqueued: Final[ContextVar[CeleryTaskInvocationRecord | None]] = ContextVar("security_enqueued", default=None)
_running: Final[ContextVar[tuple[_Running, ...]]] = ContextVar("security_running_tasks", default=())


class _Running:
    """A task that runs in this context."""

    def __init__(self, result: Any, invocation: CeleryTaskInvocationRecord | None) -> None:
        self.invocation = invocation
        self.run = CeleryTaskRunRecord(**_fields_of(result), retries=max(len(result.worker_ids) - 1, 0))
        due = result.task.run_after or result.enqueued_at
        self.run.waiting_time = None if due is None else max((self.run.start - due).total_seconds(), 0)
        if invocation is not None:
            self.run.parent_log = invocation.reference
            self.run.slug = invocation.slug
            self.run.related_objects = invocation.related_objects
        self._capture = OutputCapture(self._flush)
        self._scope: AbstractContextManager[None] = inside(self.run)

    def start(self) -> None:
        entries = begin(self.run)
        if self.invocation is not None:
            entries += make_entry(self.invocation, Event.ACTIVATED)
        deliver(entries)
        self._scope.__enter__()
        self._capture.open((sys.stdout, sys.stderr))

    def leave(self) -> None:
        # A backend may send the signal of the end from another context.
        with suppress(ValueError):
            self._capture.close()
        with suppress(ValueError):
            self._scope.__exit__(None, None, None)

    def end(self, result: Any) -> None:
        self.run.output = self._capture.text
        event, message = Event.SUCCEEDED, None
        if result.status == TaskResultStatus.SUCCESSFUL:
            self.run.result = result.return_value
        else:
            event = Event.FAILED
            message = result.errors[-1].traceback if result.errors else "The task failed."
        entries = complete(self.run, event, error_message=message)
        if self.invocation is not None:
            entries += complete(self.invocation, event, error_message=message)
        deliver(entries)

    def _flush(self) -> None:
        self.run.output = self._capture.text
        deliver(make_entry(self.run, Event.OUTPUT_UPDATED))


def _fields_of(result: Any) -> dict[str, Any]:
    return {
        "celery_task_id": str(result.id),
        "name": result.task.module_path,
        "queue_name": result.task.queue_name,
        "input": input_of(result.args, result.kwargs),
        "task_args": positional(result.args),
        "task_kwargs": named(result.kwargs),
    }


def _receiver(work: Callable[[Any], None]) -> Callable[..., None]:
    """Keep a fault of the logger from becoming that of the code that enqueues or runs a task."""

    # Not `functools.wraps`: with DEBUG, Django wants `**kwargs`, and would look for it in what is wrapped.
    def receive(sender: Any = None, task_result: Any = None, **kwargs: Any) -> None:
        try:
            work(task_result)
        except Exception:
            log_fault("A task could not be recorded in full; it goes on.")

    return receive


@_receiver
def _after_enqueuing(result: Any) -> None:
    record = CeleryTaskInvocationRecord(**_fields_of(result))
    record.applied_at = result.enqueued_at or record.start
    record.triggered_at = datetime.now(UTC)
    record.estimated_time_of_first_arrival = result.task.run_after
    _enqueued.set(record)
    deliver(begin(record))


@_receiver
def _before_run(result: Any) -> None:
    invocation = _enqueued.get()
    _enqueued.set(None)
    is_of_this = invocation is not None and invocation.celery_task_id == str(result.id)
    running = _Running(result, invocation if is_of_this else None)
    _running.set((*_running.get(), running))
    running.start()


@_receiver
def _after_run(result: Any) -> None:
    around = _running.get()
    for depth in range(len(around) - 1, -1, -1):
        if around[depth].run.celery_task_id == str(result.id):
            for running in reversed(around[depth:]):
                running.leave()
            _running.set(around[:depth])
            around[depth].end(result)
            return


task_enqueued.connect(_after_enqueuing, dispatch_uid="security.django_tasks", weak=False)
task_started.connect(_before_run, dispatch_uid="security.django_tasks", weak=False)
task_finished.connect(_after_run, dispatch_uid="security.django_tasks", weak=False)
