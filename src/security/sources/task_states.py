"""Settling the logs of tasks whose end nobody recorded (published section "set_celery_task_log_state").

A worker's own word stands above what is said here: settling does not raise a row's version, so the end of a run that
was taken for lost is stored all the same when it comes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from security.backends.base import TaskLogs
from security.config import settings
from security.enums import CeleryTaskInvocationLogState as Invocation
from security.enums import CeleryTaskRunLogState as Run
from security.enums import LoggerName

_RUN, _INVOCATION = LoggerName.CELERY_TASK_RUN, LoggerName.CELERY_TASK_INVOCATION
_NOT_STARTED: Final = "The task was not started in its time."
EXPIRED: Final = "The task expired before a worker began it."
_LOST: Final = "No worker runs the task any more."
_OTHER_RUN: Final = "Another run of the task ended, and this one did not."


class StaleTaskRunError(Exception):
    """The error of a run that was still active when its invocation went stale."""


# As the traceback of an error ends.
_STALE: Final = "security.task.StaleTaskRunError: The run was not finished in the time of the task."


@dataclass(slots=True)
class Settling:
    """One pass over the open logs of one backend; `counts` says how many rows went to which state."""

    logs: TaskLogs
    running_tasks: Callable[[], AbstractSet[str] | None]
    """Gives the ids of the tasks that workers have at the moment; None where no worker answers."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    counts: Counter[tuple[LoggerName, IntEnum]] = field(default_factory=Counter)
    left_alone: int = 0
    """Active runs of which it is not known whether they are lost, because no worker answered."""
    _running: AbstractSet[str] | None = None
    _was_asked: bool = False

    def settle_all(self) -> None:
        for runs in self.logs.batches(_RUN):
            self._settle_runs(runs)
        for invocations in self.logs.batches(_INVOCATION):
            self._settle_invocations(invocations)

    def _settle_runs(self, runs: list[Any]) -> None:
        ended: dict[str, UUID] = {}
        for other in self.logs.runs_of({run.celery_task_id for run in runs}):
            if other.state in (Run.SUCCEEDED, Run.FAILED):
                ended[other.celery_task_id] = max(other.id, ended.get(other.celery_task_id, other.id))
        superseded = [run for run in runs if ended.get(run.celery_task_id, run.id) > run.id]
        self._settle(_RUN, superseded, Run.FAILED, _OTHER_RUN)
        known = {run.id for run in superseded}
        limit = timedelta(minutes=settings.CELERY_STALE_TASK_TIME_LIMIT_MINUTES)
        old = [run for run in runs if run.id not in known and _aware(run.start) + limit < self.now]
        self._settle(_RUN, self._lost(old), Run.FAILED, _LOST)

    def _lost(self, runs: list[Any]) -> list[Any]:
        if not runs:
            return []
        if not self._was_asked:
            self._was_asked, self._running = True, self.running_tasks()
        if self._running is None:
            self.left_alone += len(runs)
            return []
        return [run for run in runs if run.celery_task_id not in self._running]

    def _settle_invocations(self, invocations: list[Any]) -> None:
        runs: defaultdict[str, list[Any]] = defaultdict(list)
        for run in self.logs.runs_of({invocation.celery_task_id for invocation in invocations}):
            runs[run.celery_task_id].append(run)
        verdicts: defaultdict[tuple[Invocation, str | None], list[Any]] = defaultdict(list)
        stale_runs: list[Any] = []
        for invocation in invocations:
            own = runs[invocation.celery_task_id]
            verdict = self._verdict(invocation, own)
            if verdict is not None:
                verdicts[verdict].append(invocation)
                if verdict[0] is Invocation.TIMEOUT:
                    stale_runs += [run for run in own if run.state == Run.ACTIVE]
        self._settle(_RUN, stale_runs, Run.FAILED, _STALE)
        for (state, message), settled in verdicts.items():
            self._settle(_INVOCATION, settled, state, message)

    def _verdict(self, invocation: Any, runs: list[Any]) -> tuple[Invocation, str | None] | None:
        """Tell the state in which an open invocation is to rest, and why; None if it has time yet."""
        is_stale = invocation.stale_at is not None and _aware(invocation.stale_at) < self.now
        if any(run.state == Run.ACTIVE for run in runs):
            return (Invocation.TIMEOUT, _STALE) if is_stale else None
        if runs:
            last = max(runs, key=lambda run: (run.retries, run.id))
            if last.state == Run.SUCCEEDED:
                return Invocation.SUCCEEDED, None
            if last.state == Run.FAILED:
                return Invocation.FAILED, last.error_message
            if invocation.stale_at is None:
                # Given back to the broker, which did not deliver it again.
                limit = timedelta(minutes=settings.CELERY_STALE_TASK_TIME_LIMIT_MINUTES)
                is_stale = _aware(last.start) + limit < self.now
        elif invocation.expires_at is not None and _aware(invocation.expires_at) < self.now:
            return Invocation.EXPIRED, EXPIRED
        return (Invocation.FAILED, _NOT_STARTED) if is_stale else None

    def _settle(self, kind: LoggerName, logs: Iterable[Any], state: IntEnum, message: str | None) -> None:
        self.counts[kind, state] += self.logs.settle_all(kind, logs, state, message, self.now)


def _aware(moment: datetime) -> datetime:
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment, timezone.get_default_timezone())
