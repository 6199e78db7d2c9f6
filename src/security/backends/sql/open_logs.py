"""The logs that are still open, and closing them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Any, cast
from uuid import UUID

from django.db import models

from security.backends.base import TaskLogs
from security.records import open_states

from .encoding import in_site_zone
from .models import LOG_MODELS, CeleryTaskRunLog, Log


class SQLOpenLogs(TaskLogs):
    """Asks and updates the tables of the logs at the alias that the site's routers give."""

    def open_logs(self, kind: str, after: UUID | None, count: int, *, before: UUID | None = None) -> list[Any]:
        model = LOG_MODELS.get(kind)
        if model is None:
            # A kind of another package may be kept by another backend alone.
            return []
        logs = _logs_of(model).filter(state__in=open_states(kind))
        if after is not None:
            logs = logs.filter(id__gt=after)
        if before is not None:
            logs = logs.filter(id__lt=before)
        return list(logs.defer(*_large_columns(model)).order_by("id")[:count])

    def runs_of(self, task_ids: Collection[str]) -> list[Any]:
        runs = CeleryTaskRunLog.objects.filter(celery_task_id__in=task_ids)
        # The message of a run that failed becomes that of its invocation.
        large = set(_large_columns(CeleryTaskRunLog)) - {"error_message"}
        return list(runs.defer(*large).order_by("id"))

    def settle(
        self,
        kind: str,
        ids: Sequence[UUID],
        expected: IntEnum,
        state: IntEnum,
        message: str | None,
        moment: datetime,
    ) -> int:
        if not ids:
            return 0
        # What its process said meanwhile is no longer in the expected state.
        logs = _logs_of(LOG_MODELS[kind]).filter(id__in=ids, state=expected)
        return int(logs.update(state=state, stop=in_site_zone(moment), error_message=message))


def _logs_of(model: type[Log]) -> models.QuerySet[Any]:
    # Each kind has a field `state` of its own.
    return cast("models.QuerySet[Any]", model._default_manager.all())


def _large_columns(model: type[Log]) -> list[str]:
    """Give what deciding does not need: arguments and output can be long."""
    columns = model._meta.concrete_fields
    return [column.attname for column in columns if isinstance(column, (models.TextField, models.JSONField))]
