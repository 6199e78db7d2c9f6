"""Where tasks run: one record for each attempt, and what it means for the invocation."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from celery.exceptions import Ignore, Reject
from celery.signals import task_failure, task_postrun, task_prerun, task_retry, task_success

from security.context import inside
from security.delivery import deliver
from security.enums import Event
from security.faults import log_fault
from security.recording import begin, complete, make_entry
from security.records import CeleryTaskInvocationRecord, CeleryTaskRunRecord, Entry
from security.sources.arguments import input_of, named, positional
from security.sources.commands import OutputCapture
from security.tracebacks import traceback_of

from .headers import header_of, moment_of, unpack
from .lost_runs import close_lost_runs
from .producer import stale_at

# Versions of an invocation. Those of its queuing are below the first attempt's; each attempt has ten, so that what a
# later one says holds, whatever is stored first.
VERSIONS_OF_ATTEMPT: Final = 10
ACTIVE, LOST, ENDED = 1, 2, 3
_ATTEMPT: Final = "_security_attempt"


def version_of(retries: int, step: int) -> int:
    return (retries + 1) * VERSIONS_OF_ATTEMPT + step


class Attempt:
    """One attempt to run a task, from the signal before it to the one after it."""

    def __init__(self, task: Any, task_id: str, args: Any, kwargs: Any) -> None:
        request = task.request
        header = header_of(request, task_id)
        self.task = task
        self.args, self.kwargs = args, kwargs
        self.invocation = None if header is None else unpack(header, task.name, args, kwargs)
        self.stale_limit = (header or {}).get("stale_limit")
        self.run = _run_of(task, task_id, args, kwargs, self.invocation)
        due = moment_of(request.eta) or moment_of((header or {}).get("sent"))
        self.run.waiting_time = None if due is None else max((self.run.start - due).total_seconds(), 0)
        self.is_open = False
        self._capture = OutputCapture(self._flush)
        self._scope: AbstractContextManager[None] = inside(self.run)

    def start(self) -> None:
        self._hook("on_start_task")
        entries = begin(self.run)
        if self.invocation is not None:
            # It waits no longer; one that may not run for ever still has its time.
            if self.stale_limit is None:
                self.invocation.stale_at = None
            entries += _invocation_entry(self.invocation, Event.ACTIVATED, version_of(self.run.retries, ACTIVE))
        deliver(entries)
        self._scope.__enter__()
        self._capture.open((sys.stdout, sys.stderr))
        self.is_open = True

    def succeed(self, result: Any) -> None:
        self._leave()
        self.run.result = result
        self._hook("on_success_task", result)
        self._end(Event.SUCCEEDED, Event.SUCCEEDED)

    def fail(self, error: BaseException | None, message: str) -> None:
        self._leave()
        self._hook("on_failure_task", error)
        self._end(Event.FAILED, Event.FAILED, message)

    def retry(self, error: BaseException, message: str, eta: datetime | None) -> None:
        self._leave()
        self.run.estimated_time_of_next_retry = eta
        self._hook("on_retry_task", error, eta)
        if self.invocation is not None:
            self.invocation.stale_at = stale_at(eta or datetime.now(UTC), self.stale_limit)
        self._end(Event.RETRIED, Event.RETRIED, message)

    def ignore(self, message: str) -> None:
        """The task said that nothing is to come of it; it was replaced by another one, for example."""
        self._leave()
        self._end(Event.SUCCEEDED, Event.IGNORED, None, message)

    def give_back(self, message: str) -> None:
        """The broker has the message again, and will deliver it another time."""
        self._leave()
        self._end(Event.RETRIED, None, message)

    def _end(self, event: Event, outcome: Event | None, message: str | None = None, why: str | None = None) -> None:
        entries = complete(self.run, event, error_message=message)
        if self.invocation is not None and outcome is not None:
            version = version_of(self.run.retries, ENDED)
            entries += _invocation_entry(self.invocation, outcome, version, why or message)
        deliver(entries)

    def _leave(self) -> None:
        if self.is_open:
            self.is_open = False
            self._capture.close()
            self._scope.__exit__(None, None, None)
            self.run.output = self._capture.text

    def _hook(self, name: str, *details: Any) -> None:
        """Call a hook of the site's; what it raises is reported, and changes nothing."""
        hook: Callable[..., None] | None = getattr(self.task, name, None)
        try:
            if hook is not None:
                hook(self.run, self.args, self.kwargs, *details)
        except Exception:
            log_fault("%s of the task %s failed; the task goes on.", name, self.task.name)

    def _flush(self) -> None:
        self.run.output = self._capture.text
        deliver(make_entry(self.run, Event.OUTPUT_UPDATED))


def _run_of(
    task: Any, task_id: str, args: Any, kwargs: Any, invocation: CeleryTaskInvocationRecord | None
) -> CeleryTaskRunRecord:
    run = CeleryTaskRunRecord(
        celery_task_id=task_id,
        name=task.name,
        input=input_of(args, kwargs),
        task_args=positional(args),
        task_kwargs=named(kwargs),
        retries=task.request.retries or 0,
        queue_name=(task.request.delivery_info or {}).get("routing_key"),
    )
    if invocation is not None:
        run.queue_name = invocation.queue_name
        run.parent_log = invocation.reference
        run.slug = invocation.slug
        run.related_objects = invocation.related_objects
        run.extra_data = dict(invocation.extra_data)
    return run


def _invocation_entry(
    invocation: CeleryTaskInvocationRecord, event: Event, version: int, message: str | None = None
) -> list[Entry]:
    invocation.version = version - 1
    if event in (Event.ACTIVATED, Event.RETRIED):
        return make_entry(invocation, event)
    return complete(invocation, event, error_message=message)


invocation_entry = _invocation_entry


def _attempt_of(task: Any) -> Attempt | None:
    attempt: Attempt | None = vars(task.request).get(_ATTEMPT)
    return attempt if attempt is not None and attempt.is_open else None


@task_prerun.connect(dispatch_uid="security.celery", weak=False)
def _before_run(sender: Any, task_id: str, args: Any, kwargs: Any, **options: Any) -> None:
    if not getattr(sender, "is_logged", False) and header_of(sender.request, task_id) is None:
        return
    attempt = Attempt(sender, task_id, args, kwargs)
    setattr(sender.request, _ATTEMPT, attempt)
    attempt.start()
    if (sender.request.delivery_info or {}).get("redelivered"):
        close_lost_runs(task_id, "The message was delivered again, as its worker was lost.", keep=attempt.run)


@task_success.connect(dispatch_uid="security.celery", weak=False)
def _after_success(sender: Any, result: Any = None, **kwargs: Any) -> None:
    attempt = _attempt_of(sender)
    if attempt is not None:
        attempt.succeed(result)


@task_failure.connect(dispatch_uid="security.celery", weak=False)
def _after_failure(
    sender: Any, task_id: str = "", exception: BaseException | None = None, einfo: Any = None, **kwargs: Any
) -> None:
    # The main process of a worker sends this signal, too, and has no attempt (see `lost`).
    attempt = _attempt_of(sender)
    if attempt is not None and attempt.run.celery_task_id == task_id:
        attempt.fail(exception, str(getattr(einfo, "traceback", None) or _traceback_of(exception)))


@task_retry.connect(dispatch_uid="security.celery", weak=False)
def _after_retry(sender: Any, reason: Any = None, einfo: Any = None, **kwargs: Any) -> None:
    attempt = _attempt_of(sender)
    if attempt is not None:
        error = getattr(reason, "exc", None) or reason
        attempt.retry(error, str(getattr(einfo, "traceback", None) or reason), _time_of_retry(reason))


@task_postrun.connect(dispatch_uid="security.celery", weak=False)
def _after_run(sender: Any, retval: Any = None, **kwargs: Any) -> None:
    """End what no other signal ended."""
    attempt = _attempt_of(sender)
    if attempt is None:
        return
    error = sys.exception() or (retval if isinstance(retval, BaseException) else None)
    if isinstance(error, Reject):
        if getattr(error, "requeue", False):
            attempt.give_back(f"Rejected: {error}")
        else:
            attempt.fail(error, f"Rejected: {error}")
    elif isinstance(error, Ignore):
        attempt.ignore(str(error) or "Ignored.")
    else:
        attempt.fail(error, _traceback_of(error))


def _time_of_retry(reason: Any) -> datetime | None:
    when = getattr(reason, "when", None)
    if isinstance(when, (int, float)):
        return datetime.now(UTC) + timedelta(seconds=when)
    return moment_of(when)


def _traceback_of(error: BaseException | None) -> str:
    if error is None:
        return "The run ended without a result."
    return traceback_of(error)
