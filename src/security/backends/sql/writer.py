"""Storing entries: one statement for the entries of a kind, and one for their relations if they have any."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings as site_settings
from django.db import (
    DatabaseError,
    InterfaceError,
    connections,
    models,
    router,
)
from django.utils import timezone

from security.backends.base import EntriesRefusedError, TransactionalWriter
from security.records import Entry

from .models import LOG_MODELS, Log, RelatedObject
from .running import is_outage, run
from .statements import (
    Statement,
    changing_columns,
    insert,
    insert_new,
    stored_columns,
    update,
    upsert,
)
from .transactions import is_in_transaction, is_of_test

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from .statements import Column

# Rows of one statement; with 30 columns SQLite's bound of 32,766 parameters is far.
_MOST_ROWS: Final = 200

# What a database or its driver says of a value that it does not take.
_FAULTS: Final = (DatabaseError, InterfaceError, ValueError, TypeError, OverflowError)

_Rows = Sequence[Sequence[Any]]
_Encode = Callable[[Any, "BaseDatabaseWrapper"], Any]


class SQLWriter(TransactionalWriter):
    """Writes to the alias that the site's routers give for the logs.

    Outside a transaction each statement stands for itself. Inside one of the same alias, a savepoint keeps an error
    from spoiling what the site does there.
    """

    def write(self, entries: Sequence[Entry]) -> None:
        refusals: list[Exception] = []
        begun = {entry.id for entry in entries if entry.version == 1}
        for model, latest in _by_model(entries):
            connection = connections[router.db_for_write(model)]
            if len(latest) > 1:
                refusals += _execute(connection, upsert, model, _rows(connection, model, latest))
            elif latest[0].id in begun:
                refusals += _begin(connection, model, latest[0])
            else:
                refusals += _succeed(connection, model, latest[0])
        relations = list(_relations(entries))
        if relations:
            connection = connections[router.db_for_write(RelatedObject)]
            encode = _encoder(connection, tuple(stored_columns(RelatedObject)))
            refusals += _execute(connection, insert_new, RelatedObject, [encode(values) for values in relations])
        if refusals:
            raise EntriesRefusedError(refusals)

    def shares_fate(self, entries: Sequence[Entry]) -> bool:
        aliases = {router.db_for_write(LOG_MODELS[kind]) for kind in {entry.kind for entry in entries}}
        return any(is_in_transaction(connections[alias]) for alias in aliases)

    def is_connected(self) -> bool:
        return _connection().connection is not None

    def is_in_test(self) -> bool:
        return is_of_test(_connection())

    def on_commit(self, action: Callable[[], None]) -> None:
        connection: Any = _connection()
        # As `on_commit` does, but for the whole transaction: a savepoint that is rolled back drops nothing.
        connection.run_on_commit.append((set(), action, False))

    def write_apart(self, entries: Sequence[Entry]) -> None:
        try:
            self.write(entries)
        finally:
            models_of_logs: tuple[type[models.Model], ...] = (*LOG_MODELS.values(), RelatedObject)
            for alias in {router.db_for_write(model) for model in models_of_logs}:
                connections[alias].close()

    def allows_concurrent_writes(self) -> bool:
        return _connection().vendor != "sqlite"


def _connection() -> BaseDatabaseWrapper:
    return connections[router.db_for_write(RelatedObject)]


def _rows(connection: BaseDatabaseWrapper, model: type[Log], entries: Sequence[Entry]) -> _Rows:
    encode = _encoder(connection, _columns(model, stored_columns))
    return [encode(entry.values) for entry in entries]


def _begin(connection: BaseDatabaseWrapper, model: type[Log], entry: Entry) -> list[Exception]:
    """Store an entry whose record is new, unless it was stored before: then nothing is changed by it."""
    rows = _rows(connection, model, [entry])
    try:
        run(connection, insert(connection, model, 1), rows[0])
    except _FAULTS as error:
        if is_outage(error):
            raise
        return _execute(connection, upsert, model, rows)
    return []


def _succeed(connection: BaseDatabaseWrapper, model: type[Log], entry: Entry) -> list[Exception]:
    """Store an entry whose record has a row, unless the first entry was lost: then this one makes it whole."""
    changes = _encoder(connection, _columns(model, changing_columns))(entry.values)
    (key,) = _encoder(connection, (model._meta.pk,))(entry.values)
    try:
        if run(connection, update(connection, model, 1), [*changes, key, changes[-1]]):
            return []
    except _FAULTS as error:
        if is_outage(error):
            raise
        return [error]
    return _execute(connection, upsert, model, _rows(connection, model, [entry]))


def _by_model(entries: Sequence[Entry]) -> Iterator[tuple[type[Log], list[Entry]]]:
    # One statement cannot touch a row twice: the latest entry of a record holds all that the earlier ones do.
    latest = {entry.id: entry for entry in sorted(entries, key=lambda entry: int(entry.version))}
    by_model: defaultdict[type[Log], list[Entry]] = defaultdict(list)
    for entry in latest.values():
        by_model[LOG_MODELS[entry.kind]].append(entry)
    yield from by_model.items()


def _relations(entries: Iterable[Entry]) -> Iterator[dict[str, Any]]:
    # A dictionary as an ordered set: two entries of a record have the same relations.
    unique = dict.fromkeys(
        (str(entry.kind), entry.id, *reference) for entry in entries for reference in entry.related_objects
    )
    for kind, log_id, database, model, pk in unique:
        yield {
            "log_kind": kind,
            "log_id": log_id,
            "database": database,
            "model": model,
            "object_pk": pk,
        }


def _execute(
    connection: BaseDatabaseWrapper, statement: Statement, model: type[models.Model], rows: _Rows
) -> list[Exception]:
    """Store rows; give the errors of those that were refused for what they hold."""
    refusals: list[Exception] = []
    for start in range(0, len(rows), _MOST_ROWS):
        batch = rows[start : start + _MOST_ROWS]
        try:
            run(connection, statement(connection, model, len(batch)), [value for row in batch for value in row])
        except _FAULTS as error:
            if is_outage(error):
                raise
            refusals += [error] if len(batch) == 1 else _execute_singly(connection, statement, model, batch)
    return refusals


def _execute_singly(
    connection: BaseDatabaseWrapper, statement: Statement, model: type[models.Model], rows: _Rows
) -> list[Exception]:
    """Store what can be stored of a batch that was refused."""
    return [error for row in rows for error in _execute(connection, statement, model, [row])]


@lru_cache(maxsize=64)
def _columns(model: type[Log], columns: Callable[[type[Log]], list[Column]]) -> tuple[Column, ...]:
    return tuple(columns(model))


def _encoder(connection: BaseDatabaseWrapper, columns: tuple[Column, ...]) -> Callable[[Any], list[Any]]:
    """Give the function from the values of an entry to the parameters of some columns, in their order."""
    encoders = _column_encoders(columns)
    return lambda values: [
        value if (value := values[name]) is None or encode is None else encode(value, connection)
        for name, encode in encoders
    ]


@lru_cache(maxsize=64)
def _column_encoders(columns: tuple[Column, ...]) -> tuple[tuple[str, _Encode | None], ...]:
    return tuple((field.attname, _column_encoder(field)) for field in columns)


def _column_encoder(field: models.Field[Any, Any]) -> _Encode | None:
    if isinstance(field, models.GenericIPAddressField):
        return field.get_db_prep_value
    if isinstance(field, (models.CharField, models.TextField, models.FloatField, models.BooleanField)):
        # Drivers take these as they are; None says so, and saves a call for each.
        return None
    if isinstance(field, models.IntegerField):
        return lambda value, connection: int(value)
    if isinstance(field, models.DateTimeField):
        return lambda value, connection: field.get_db_prep_value(_in_site_zone(value), connection)
    return field.get_db_prep_save


def _in_site_zone(moment: Any) -> Any:
    return moment if site_settings.USE_TZ else timezone.make_naive(moment, timezone.get_default_timezone())
