"""Finding logs again, whichever backend holds them (published section "Readers")."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.utils import timezone

from security.addresses import normal_address
from security.backends.base import InputRequestFilter
from security.backends.registry import reader
from security.enums import LoggerName
from security.records import RECORD_TYPES
from security.references import ObjectReference


def get_count_input_requests(
    from_time: datetime,
    ip: str | None = None,
    path: str | None = None,
    view_slug: str | None = None,
    slug: str | None = None,
    method: str | None = None,
    exclude_log_id: UUID | str | None = None,
) -> int:
    """Count the input requests that began at `from_time` or later and match what is given.

    A naive `from_time` is in the current time zone. Raises `TypeError` for a `from_time` that is no datetime, and
    `ImproperlyConfigured` where no backend can be read.
    """
    if not isinstance(from_time, datetime):
        raise TypeError(f"from_time is a datetime, for example timezone.now() - timedelta(hours=1), not {from_time!r}.")
    if timezone.is_naive(from_time):
        from_time = timezone.make_aware(from_time)
    if ip is not None:
        # Logs hold addresses in their shortest form.
        ip = normal_address(ip) or ip
    wanted = InputRequestFilter(from_time, ip, path, view_slug, slug, method, exclude_log_id)
    return reader().count_input_requests(wanted)


def get_logs_related_with_object(logger_name: LoggerName | str, related_object: Model | ObjectReference) -> list[Any]:
    """Give the logs of one kind that are related with a saved object, the newest first.

    An object that was deleted no longer has its key; `ObjectReference("default", "shop.order", "7")` stands for it.
    Raises `ValueError` for an unknown kind or an object that was not saved.
    """
    record_type = RECORD_TYPES.get(logger_name)
    if record_type is None:
        kinds = ", ".join(repr(str(name)) for name in RECORD_TYPES)
        raise ValueError(f"There is no kind of log named {logger_name!r}; the kinds are {kinds}.")
    if not isinstance(related_object, ObjectReference):
        related_object = ObjectReference.to(related_object)
    return reader().logs_related_with(record_type.kind, related_object)
