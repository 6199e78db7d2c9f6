"""The life cycle of a record, and the one door to the backends.

Every text of every kind passes `make_entry`, which masks it: nothing else makes entries, and backends take only these.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from enum import IntEnum
from time import perf_counter
from types import MappingProxyType
from typing import Any

from security.context import open_scopes, parent_of
from security.enums import Event, LoggerName
from security.fields import StoredAs
from security.masking import held_rules
from security.records import FIELDS, LAYOUTS, TRANSITIONS, Entry, Layout, Record
from security.traces import Traceparent

logger = logging.getLogger("security")


def begin(record: Record) -> list[Entry]:
    """Begin a record: its parent is the record that is open around it, and the open scopes give it their data."""
    _join_scopes(record)
    parent = parent_of(record)
    if record.parent_log is None:
        record.parent_log = None if parent is None else parent.reference
    if parent is not None and parent.traceparent is not None and record.traceparent is None:
        _join_trace(record, parent)
    return make_entry(record, Event.STARTED)


def _join_scopes(record: Record) -> None:
    """Join what the open scopes say: what the record says itself goes before, and an inner scope before an outer."""
    extra_data: dict[str, Any] = {}
    slug: str | None = None
    references = list(record.related_objects)
    for scope in open_scopes():
        slug = scope.slug if scope.slug is not None else slug
        extra_data.update(scope.extra_data)
        references += scope.related_objects
        if record.kind is LoggerName.OUTPUT_REQUEST:
            references += scope.output_requests_related_objects
    if record.slug is None:
        record.slug = slug
    if extra_data:
        record.extra_data = {**extra_data, **record.extra_data}
    if references:
        record.related_objects = tuple(dict.fromkeys(references))


def _join_trace(record: Record, parent: Record) -> None:
    traceparent = Traceparent.read(parent.traceparent)
    if traceparent is not None:
        record.traceparent = str(traceparent.of_child(record.id))
        record.tracestate = parent.tracestate


def complete(
    record: Record, event: Event, *, state: IntEnum | None = None, error_message: str | None = None
) -> list[Entry]:
    """Complete a record; `state` says more than the event where the event leaves it open."""
    record.time = perf_counter() - record.began
    record.stop = record.start + timedelta(seconds=record.time)
    if error_message is not None:
        record.error_message = error_message
    return make_entry(record, event, state=state)


def make_entry(record: Record, event: Event, *, state: IntEnum | None = None) -> list[Entry]:
    """Make the next entry of a record, masked and cut to size; none of a record that is not stored."""
    if not record.is_recorded:
        return []
    new_state = state if state is not None else TRANSITIONS[record.kind][event].state
    if new_state is not None:
        record.state = new_state
    record.version += 1
    first, later = LAYOUTS[record.kind]
    layout = later if record.settled else first
    with held_rules():
        values = _values_of(record, layout)
        for name, how in layout.cleaned:
            value = values[name]
            if value is None and how.keeps_none:
                continue
            try:
                values[name] = how.clean(value)
            except Exception as error:  # whatever was sent, what cannot be masked is not stored
                values[name] = _hidden(error, name, record.reference, how)
    if record.settled:
        values = record.settled | values
    else:
        record.settled = values
    return [Entry(record.kind, event, MappingProxyType(values))]


def _values_of(record: Record, layout: Layout) -> dict[str, Any]:
    try:
        return layout.values_of(record)
    except Exception:  # a field of a site's own can be a property
        return {name: _value_of(record, name, how) for name, how in FIELDS[record.kind].items() if name in layout.names}


def _value_of(record: Record, name: str, how: StoredAs) -> Any:
    try:
        return getattr(record, name)
    except Exception as error:
        return _hidden(error, name, record.reference, how)


def remask(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields of a stored entry that today's rules change, masked."""
    changes = {}
    with held_rules():
        for name, how in FIELDS[kind].items():
            try:
                masked = how.mask_stored(name, values)
            except Exception as error:  # what cannot be masked does not stay stored
                masked = _hidden(error, name, f"{kind}|{values['id']}", how)
            if masked != values.get(name):
                changes[name] = masked
    return changes


def _hidden(error: Exception, name: str, reference: str, how: StoredAs) -> object:
    # The text of the error can quote the value: its type has to do.
    cause = type(error).__name__
    logger.error("The field %s of %s could not be masked (%s): it is hidden.", name, reference, cause)
    return how.when_masking_fails()
