"""Closing the runs that ended with their process, which recorded no end."""

from __future__ import annotations

from datetime import UTC, datetime

from security.backends.registry import task_logs
from security.enums import CeleryTaskRunLogState, LoggerName
from security.records import CeleryTaskRunRecord


def close_lost_runs(task_id: str, reason: str, *, keep: CeleryTaskRunRecord | None = None) -> None:
    """Close the runs of a task that no process works on any more, in the backends that know them."""
    for logs in task_logs():
        lost = [
            run.id
            for run in logs.runs_of([task_id])
            if run.state == CeleryTaskRunLogState.ACTIVE and (keep is None or run.id != keep.id)
        ]
        now = datetime.now(UTC)
        logs.settle(
            LoggerName.CELERY_TASK_RUN, lost, CeleryTaskRunLogState.ACTIVE, CeleryTaskRunLogState.FAILED, reason, now
        )
