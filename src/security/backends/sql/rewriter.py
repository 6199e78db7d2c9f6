"""Changing logs that are stored already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import router, transaction

from security.backends.base import Rewritable, StoredEntry
from security.records import FIELDS

from .models import LOG_MODELS, LogQuerySet


class SQLRewriter(Rewritable):
    """Reads and changes the rows at the alias to which logs are written."""

    def count_stored(self, kind: str, after: UUID | None) -> int:
        if kind not in LOG_MODELS:
            # A kind of another package may be kept by another backend alone.
            return 0
        return _behind(kind, after).order_by().count()

    def read_stored(self, kind: str, after: UUID | None, size: int) -> list[StoredEntry]:
        if kind not in LOG_MODELS:
            return []
        names = FIELDS[kind].keys() - {"related_objects"}
        rows = _behind(kind, after).order_by("id").values(*names)[:size]
        return [StoredEntry(row["id"], row["version"], row) for row in rows]

    def rewrite_stored(self, kind: str, changes: Sequence[tuple[StoredEntry, Mapping[str, Any]]]) -> int:
        logs = _behind(kind, None).order_by()
        with transaction.atomic(using=logs.db):
            return sum(logs.filter(pk=old.id, version=old.version).update(**fields) for old, fields in changes)


def _behind(kind: str, after: UUID | None) -> LogQuerySet:
    model = LOG_MODELS[kind]
    logs: LogQuerySet = model.objects.using(router.db_for_write(model))
    return logs if after is None else logs.filter(id__gt=after)
