"""What only a worker's main process sees: tasks expired, revoked, unknown to it, or whose process died.

The process that ran such a task could not record its end, or no process ever ran it.
"""

from __future__ import annotations

from typing import Any

from billiard.einfo import ExceptionInfo
from billiard.exceptions import WorkerLostError
from celery.signals import task_revoked, task_unknown
from celery.worker.request import Request
from django.db import connections

from security.delivery import deliver
from security.enums import Event
from security.faults import log_fault
from security.sources.task_states import EXPIRED

from .headers import header_of, unpack
from .lost_runs import close_lost_runs
from .worker import LOST, invocation_entry, version_of


class LoggedRequest(Request):
    """A request of the worker's main process, which sees the deaths of its children."""

    def on_timeout(self, soft: bool, timeout: float) -> None:
        super().on_timeout(soft, timeout)
        if not soft:
            # Celery 5.7 has a flag for time limits alone.
            name = "acks_on_timeout" if hasattr(self.task, "acks_on_timeout") else "acks_on_failure_or_timeout"
            requeued = self.task.acks_late and not getattr(self.task, name)
            self._note_death(f"TimeLimitExceeded({timeout})", is_over=not requeued)

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
        super().on_failure(exc_info, send_failed_event, return_ok)
        error = exc_info.exception if isinstance(exc_info, ExceptionInfo) else exc_info
        error = getattr(error, "exc", error)
        if isinstance(error, (WorkerLostError, SystemExit)):
            requeued = self.task.acks_late and self.task.reject_on_worker_lost
            self._note_death(f"{type(error).__name__}: {error}", is_over=not requeued)

    def _note_death(self, reason: str, *, is_over: bool) -> None:
        context: Any = self._context  # type: ignore[attr-defined]
        _guarded(_note_death, context, self.task.name, reason, Event.FAILED if is_over else None)


def _note_death(request: Any, name: str, reason: str, event: Event | None) -> None:
    close_lost_runs(request.id, reason)
    if event is not None:
        _end_invocation(request, request.id, name, request.args, request.kwargs, event, reason, request.retries or 0)


def _end_invocation(
    carrier: Any, task_id: str, name: str, args: Any, kwargs: Any, event: Event, reason: str, retries: int
) -> None:
    header = header_of(carrier, task_id)
    invocation = None if header is None else unpack(header, name, args, kwargs)
    if invocation is not None:
        deliver(invocation_entry(invocation, event, version_of(retries, LOST), reason))


@task_revoked.connect(dispatch_uid="security.celery", weak=False)
def _after_revocation(
    sender: Any, request: Any = None, terminated: bool = False, signum: Any = None, expired: bool = False, **kwargs: Any
) -> None:
    if expired:
        event, reason = Event.EXPIRED, EXPIRED
    elif terminated:
        event, reason = Event.REVOKED, f"The task was terminated by the signal {signum}."
    else:
        event, reason = Event.REVOKED, "The task was revoked before a worker began it."
    _guarded(_note_death, request, sender.name, reason, event)


@task_unknown.connect(dispatch_uid="security.celery", weak=False)
def _after_unknown(message: Any = None, name: str = "", id: str = "", **kwargs: Any) -> None:  # noqa: A002 Celery's
    def note() -> None:
        args, task_kwargs = message.payload[:2]
        reason = f"The worker knows no task named {name!r}."
        _end_invocation(message.headers, id, name, args, task_kwargs, Event.FAILED, reason, 0)

    _guarded(note)


def _guarded(work: Any, *args: Any) -> None:
    """Keep a fault of the logger from becoming the worker's, and its connections from a fork."""
    try:
        work(*args)
    except Exception:
        log_fault("The end of a task could not be recorded; the worker goes on.")
    finally:
        connections.close_all()
