"""Going through the requests of the past."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from typing import Final

from security.backends.base import History, PastRequest

from .models import InputRequestLog

_FIELDS: Final = tuple(field.name for field in fields(PastRequest))


class SQLHistory(History):
    """Reads the columns that it needs, and no more rows at once than a cursor holds."""

    def input_requests(self, start: datetime, end: datetime) -> Iterator[PastRequest]:
        logs = InputRequestLog.objects.started_between(start, end).order_by("id")
        for values in logs.values_list(*_FIELDS).iterator(chunk_size=2000):
            yield PastRequest(*values)
