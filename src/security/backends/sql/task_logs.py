"""The logs of tasks that are still open, and closing them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Any, Final
from uuid import UUID

from django.conf import settings as site_settings
from django.utils import timezone

from security.backends.base import TaskLogs
from security.enums import CeleryTaskInvocationLogState, CeleryTaskRunLogState, LoggerName

from .models import CeleryTaskInvocationLog, CeleryTaskRunLog

_MODELS: Final[dict[LoggerName, type[CeleryTaskInvocationLog | CeleryTaskRunLog]]] = {
    model.kind: model for model in (CeleryTaskInvocationLog, CeleryTaskRunLog)
}
_OPEN_STATES: Final[dict[LoggerName, tuple[IntEnum, ...]]] = {
    LoggerName.CELERY_TASK_INVOCATION: (
        CeleryTaskInvocationLogState.WAITING,
        CeleryTaskInvocationLogState.ACTIVE,
        CeleryTaskInvocationLogState.TRIGGERED,
    ),
    LoggerName.CELERY_TASK_RUN: (CeleryTaskRunLogState.ACTIVE,),
}
# What deciding needs: arguments and output can be long.
_LARGE: Final = ("input", "task_args", "task_kwargs", "extra_data")


class SQLTaskLogs(TaskLogs):
    """Asks and updates the two tables of tasks at the alias that the site's routers give."""

    def open_logs(self, kind: LoggerName, after: UUID | None, count: int) -> list[Any]:
        logs = _MODELS[kind].objects.filter(state__in=_OPEN_STATES[kind])
        if after is not None:
            logs = logs.filter(id__gt=after)
        return list(logs.defer(*_LARGE).order_by("id")[:count])

    def runs_of(self, task_ids: Collection[str]) -> list[Any]:
        runs = CeleryTaskRunLog.objects.filter(celery_task_id__in=task_ids)
        return list(runs.defer(*_LARGE, "output", "result").order_by("id"))

    def settle(
        self,
        kind: LoggerName,
        ids: Sequence[UUID],
        expected: IntEnum,
        state: IntEnum,
        message: str | None,
        moment: datetime,
    ) -> int:
        if not ids:
            return 0
        # What a worker said meanwhile is no longer in the expected state.
        logs = _MODELS[kind].objects.filter(id__in=ids, state=expected)
        if not site_settings.USE_TZ:
            moment = timezone.make_naive(moment, timezone.get_default_timezone())
        return int(logs.update(state=state, stop=moment, error_message=message))
