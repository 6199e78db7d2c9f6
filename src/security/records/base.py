"""What all kinds have in common: a record, what events do to it, and the entries that are stored of it."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from enum import IntEnum
from operator import attrgetter
from time import perf_counter
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeVar
from uuid import UUID

from django.db.models import Model

from security.config import settings
from security.enums import Event
from security.fields import (
    Data,
    Name,
    Plain,
    StoredAs,
    Traceback,
    settled_fields,
    stored,
    stored_fields,
)
from security.ids import new_id
from security.references import ObjectReference

R = TypeVar("R", bound="type[Record]")

_KIND: Final = re.compile("[a-z][a-z-]{0,39}")


@dataclass(frozen=True, slots=True)
class Transition:
    """What an event does to a record of one kind."""

    state: IntEnum | None
    """The state that the event leads to; None where the source says which."""
    is_final: bool = False
    level: int | None = logging.INFO
    """The level of `logging`; None where the state says which, whose steps of ten are those levels."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What becomes of a record whose process ended before it."""

    state: IntEnum
    after: timedelta
    """How long after its beginning an open record counts as lost."""


@dataclass(slots=True, kw_only=True, eq=False)
class Record:
    """What all kinds have in common."""

    kind: ClassVar[str]
    """The name of the kind: a `LoggerName`, or up to 40 small letters and hyphens for a kind of another package."""
    transitions: ClassVar[Mapping[Event, Transition]]
    logger_name: ClassVar[str]
    """The logger of Python's `logging` to which the messages of the kind go."""
    subject: ClassVar[str]
    """How the messages of the kind begin; the names in braces are fields."""
    loss: ClassVar[Loss | None] = None
    """None where others tell what is lost, as workers do of tasks."""
    thread_is_tended: ClassVar[bool] = False
    """Whether somebody closes the database connections of the thread when this ends, as Django does after a request."""
    own_predicates: ClassVar[Mapping[Event, str]] = {}
    """What the messages say of an event where the kind has words of its own."""

    id: UUID = stored(Plain(), default_factory=new_id, settled=True)
    start: datetime = stored(Plain(), default_factory=lambda: datetime.now(UTC), settled=True)
    release: str | None = stored(Name(100), default_factory=lambda: settings.RELEASE, settled=True)
    parent_log: str | None = stored(Name(100), settled=True)
    """The record during which this one began, as 'kind|id'."""
    traceparent: str | None = stored(Name(55), settled=True)
    """The trace that the record belongs to (W3C Trace Context); that of an input request is as the client sent it."""
    slug: str | None = stored(Name(255))
    related_objects: tuple[ObjectReference, ...] = stored(Plain(), default=())
    extra_data: dict[str, Any] = stored(Data(100_000), default_factory=dict)
    error_message: str | None = stored(Traceback(10_000))
    stop: datetime | None = stored(Plain())
    time: float | None = stored(Plain())
    """Seconds between start and stop."""
    state: IntEnum = stored(Plain())
    version: int = stored(Plain(), default=0)
    """How many entries were made of this record; it grows with each."""

    settled: dict[str, Any] = field(default_factory=dict)
    """What the first entry holds; a later one takes from it what it does not change."""
    is_recorded: bool = True
    """Whether the record is stored at all; a view may be exempt from logging."""
    began: float = field(default_factory=perf_counter)
    tracestate: str | None = None
    """What other vendors said of the trace; it is passed on, and not stored."""
    waiting: object = None
    """What delivery keeps back until the record is complete."""

    @property
    def reference(self) -> str:
        """What a child of this record keeps as its `parent_log`."""
        return f"{self.kind}|{self.id}"

    def set_slug(self, slug: str | None) -> None:
        """Tag the record with a text by which it is found again."""
        self.slug = slug

    def add_related_objects(self, *objects: Model) -> None:
        """Relate saved objects of the site to the record.

        Raises `ValueError` for an object that is not saved, and `TypeError` for what is no model instance.
        """
        known = dict.fromkeys(self.related_objects)
        self.related_objects = tuple(known | dict.fromkeys(ObjectReference.to(instance) for instance in objects))

    def update_extra_data(self, data: Mapping[str, Any]) -> None:
        """Add data of the site's own, whatever JSON can hold."""
        self.extra_data = {**self.extra_data, **data}


class Layout:
    """Some fields of a kind, and which of them something has to be done to before they are stored."""

    __slots__ = ("_read", "cleaned", "names")

    def __init__(self, fields: Mapping[str, StoredAs]) -> None:
        self.names = tuple(fields)
        self._read = attrgetter(*self.names)
        self.cleaned = tuple((name, how) for name, how in fields.items() if type(how) is not Plain)

    def values_of(self, record: Record) -> dict[str, Any]:
        """Give the fields as they are."""
        return dict(zip(self.names, self._read(record), strict=True))


RECORD_TYPES: Final[dict[str, type[Record]]] = {}
FIELDS: Final[dict[str, dict[str, StoredAs]]] = {}
SETTLED_FIELDS: Final[dict[str, frozenset[str]]] = {}
LAYOUTS: Final[dict[str, tuple[Layout, Layout]]] = {}
"""What is read of a record for its first entry, and for each later one."""
TRANSITIONS: Final[dict[str, Mapping[Event, Transition]]] = {}


def register(record_type: R) -> R:
    """Make a kind known, before anything of it is recorded; it decorates the dataclass of the kind.

    Raises `ValueError` where another class has the name of the kind, or the name is not as `Record.kind` says.
    """
    kind = record_type.kind
    if not _KIND.fullmatch(kind):
        raise ValueError(f"{kind!r} is no name of a kind: write up to 40 small letters and hyphens, as in 'parcel'.")
    other = RECORD_TYPES.setdefault(kind, record_type)
    if other is not record_type:
        raise ValueError(f"{other.__qualname__} is the kind {str(kind)!r}: give {record_type.__qualname__} another.")
    fields, settled = stored_fields(record_type), settled_fields(record_type)
    FIELDS[kind] = fields
    SETTLED_FIELDS[kind] = settled
    changing = {name: how for name, how in fields.items() if name not in settled}
    LAYOUTS[kind] = Layout(fields), Layout(changing)
    TRANSITIONS[kind] = record_type.transitions
    return record_type


def open_states(kind: str) -> frozenset[IntEnum]:
    """Give the states of a kind in which no record is over yet."""
    steps = TRANSITIONS[kind].values()
    return frozenset(step.state for step in steps if step.state is not None and not step.is_final)


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as it is stored: masked, cut to size, immutable.

    The fields of its kind are its attributes, as `entry.path` is, and what follows from them, as `entry.user` does. An
    entry holds all fields, so that the latest one makes the row whole whatever became of the earlier ones.
    """

    kind: str
    event: Event
    values: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            derived = getattr(RECORD_TYPES.get(self.kind), name, None)
            if isinstance(derived, property) and derived.fget is not None:
                return derived.fget(self)
            nearest = get_close_matches(name, self.values, n=1)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"its fields are {', '.join(self.values)}."
            raise AttributeError(f"An entry of the kind {self.kind} has no field {name!r}: {hint}") from None

    @property
    def transition(self) -> Transition:
        return TRANSITIONS[self.kind][self.event]

    @property
    def level(self) -> int:
        """The level of `logging` that the entry has."""
        level = self.transition.level
        if level is None:
            # A 4xx answer is a warning, as in Django's own logger "django.request"; a 5xx answer is an error.
            return min(max(int(self.state) // 10 * 10, logging.INFO), logging.ERROR)
        return level
