"""What a message carries of its invocation: a few bounded values in one header, so that a worker can go on with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Final
from uuid import UUID

from security.records import CeleryTaskInvocationRecord
from security.references import ObjectReference
from security.sources.arguments import input_of, named, positional
from security.truncation import ELLIPSIS

HEADER: Final = "security"
# A message stays small whatever the place that queued it is related with.
_MOST_RELATIONS: Final = 20
_LONGEST_REFERENCE: Final = 400
_LONGEST_EXTRA_DATA: Final = 1000


def pack(record: CeleryTaskInvocationRecord, stale_time_limit: float | None) -> dict[str, Any]:
    """Give the header of a message; what is too long to travel is cut in the record, too, so that both agree."""
    try:
        is_too_long = len(json.dumps(record.extra_data)) > _LONGEST_EXTRA_DATA
    except (TypeError, ValueError):
        is_too_long = True
    if is_too_long:
        record.extra_data = {ELLIPSIS: "too long to travel with the task; it stands in the parent log"}
    relations = [
        list(reference) for reference in record.related_objects if sum(map(len, reference)) < _LONGEST_REFERENCE
    ]
    return {
        "task": record.celery_task_id,
        "id": str(record.id),
        "start": _text(record.start),
        "sent": _text(record.start),
        "applied": _text(record.applied_at),
        "eta": _text(record.estimated_time_of_first_arrival),
        "expires": _text(record.expires_at),
        "stale": _text(record.stale_at),
        "stale_limit": stale_time_limit,
        "async": record.is_async,
        "on_commit": record.is_on_commit,
        "queue": record.queue_name,
        "parent": record.parent_log,
        "slug": record.slug,
        "release": record.release,
        "relations": relations[:_MOST_RELATIONS],
        "extra": record.extra_data,
    }


def header_of(carrier: Any, task_id: str) -> dict[str, Any] | None:
    """Find the header that belongs to the task `task_id` in a message's headers or in a task's request.

    A site may hand the headers of one task on to another one: that is not this task's header.
    """
    places = [carrier] if isinstance(carrier, Mapping) else [vars(carrier), getattr(carrier, "headers", None)]
    for place in places:
        header = place.get(HEADER) if isinstance(place, Mapping) else None
        if isinstance(header, dict) and header.get("task") == task_id:
            return header
    return None


def unpack(header: dict[str, Any], name: str, args: Any, kwargs: Any) -> CeleryTaskInvocationRecord | None:
    """Make the record of an invocation again; None from a header that is none of ours."""
    try:
        start = datetime.fromisoformat(header["start"])
        return CeleryTaskInvocationRecord(
            id=UUID(header["id"]),
            start=start,
            began=perf_counter() - (datetime.now(UTC) - start).total_seconds(),
            celery_task_id=header["task"],
            name=name,
            queue_name=header["queue"],
            input=input_of(args, kwargs),
            task_args=positional(args),
            task_kwargs=named(kwargs),
            applied_at=_moment(header["applied"]),
            triggered_at=start,
            is_async=bool(header["async"]),
            is_on_commit=bool(header["on_commit"]),
            estimated_time_of_first_arrival=_moment(header["eta"]),
            expires_at=_moment(header["expires"]),
            stale_at=_moment(header["stale"]),
            parent_log=header["parent"],
            slug=header["slug"],
            release=header["release"],
            related_objects=tuple(ObjectReference(*reference) for reference in header["relations"]),
            extra_data=dict(header["extra"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def moment_of(value: Any) -> datetime | None:
    """Read a time of a message, which Celery writes as text; one without a zone is in UTC."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    if not isinstance(moment, datetime):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
