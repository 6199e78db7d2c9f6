"""Data for the record of the current input request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Model
from django.http import HttpRequest

from security.records import InputRequestRecord


def log_input_request_with_data(
    request: HttpRequest,
    related_objects: Iterable[Model] | None = None,
    slug: str | None = None,
    extra_data: Mapping[str, Any] | None = None,
) -> None:
    """Add objects, a slug or data to the record of a request; a request that is not recorded is left alone.

    Raises `ValueError` for a related object that is not saved.
    """
    record: InputRequestRecord | None = getattr(request, "input_logged_request", None)
    if record is None:
        return
    record.add_related_objects(*(related_objects or ()))
    if slug is not None:
        record.set_slug(slug)
    record.update_extra_data(extra_data or {})
