"""Finding logs in the database."""

from __future__ import annotations

from typing import Any

from security.backends.base import InputRequestFilter, Reader
from security.references import ObjectReference

from .models import LOG_MODELS, InputRequestLog, RelatedObject


class SQLReader(Reader):
    """Answers from the tables of the logs, at the alias that the site's routers give."""

    def count_input_requests(self, wanted: InputRequestFilter) -> int:
        logs = InputRequestLog.objects.started_between(wanted.from_time).filter(**wanted.wanted())
        if wanted.exclude_log_id is not None:
            logs = logs.exclude(pk=wanted.exclude_log_id)
        return logs.order_by().count()

    def logs_related_with(self, kind: str, reference: ObjectReference) -> list[Any]:
        model = LOG_MODELS.get(kind)
        if model is None:
            # A kind of another package may be kept by another backend alone.
            return []
        relations = RelatedObject.objects.filter(
            log_kind=str(kind),
            database=reference.database,
            model=reference.model,
            object_pk=reference.pk,
        )
        return list(model.objects.filter(pk__in=relations.values("log_id")))
