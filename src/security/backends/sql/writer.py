"""Storing entries: one statement for the entries of a kind, and one for their relations if they have any."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db import (
    DatabaseError,
    InterfaceError,
    connections,
    models,
    router,
)

from security.backends.base import EntriesRefusedError, TransactionalWriter
from security.records import Entry

from .encoding import encoder_of
from .models import LOG_MODELS, Log, RelatedObject
from .running import is_outage, run
from .statements import (
    Statement,
    columns_of_update,
    insert,
    insert_new,
    stored_columns,
    update,
    upsert,
)
from .transactions import is_in_transaction, is_of_test

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


# Rows of one statement; with 30 columns SQLite's bound of 32,766 parameters is far.
_MOST_ROWS: Final = 200

# What a database or its driver says of a value that it does not take.
_FAULTS: Final = (DatabaseError, InterfaceError, ValueError, TypeError, OverflowError)

_Rows = Sequence[Sequence[Any]]


class SQLWriter(TransactionalWriter):
    """Writes to the alias that the site's routers give for the logs.

    Outside a transaction each statement stands for itself. Inside one of the same alias, a savepoint keeps an error
    from spoiling what the site does there.
    """

    def write(self, entries: Sequence[Entry]) -> None:
        refusals: list[Exception] = []
        for model, latest in _by_model(entries):
            connection = connections[router.db_for_write(model)]
            if len(latest) > 1:
                refusals += _execute(connection, upsert, model, _rows(connection, model, latest))
            elif _is_begun_by(entries, latest[0].id):
                refusals += _begin(connection, model, latest[0])
            else:
                refusals += _succeed(connection, model, latest[0])
        if any(entry.related_objects for entry in entries):
            relations = _relations(entries)
            connection = connections[router.db_for_write(RelatedObject)]
            encoder = encoder_of(RelatedObject, stored_columns)
            rows = [encoder.parameters(values, connection) for values in relations]
            refusals += _execute(connection, insert_new, RelatedObject, rows)
        if refusals:
            raise EntriesRefusedError(refusals)

    def shares_fate(self, entries: Sequence[Entry]) -> bool:
        log_models = [LOG_MODELS[kind] for kind in {entry.kind for entry in entries}]
        return any(is_in_transaction(connections[router.db_for_write(model)]) for model in log_models)

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


def _is_begun_by(entries: Sequence[Entry], log_id: UUID) -> bool:
    return any(entry.version == 1 and entry.id == log_id for entry in entries)


def _rows(connection: BaseDatabaseWrapper, model: type[Log], entries: Sequence[Entry]) -> _Rows:
    encoder = encoder_of(model, stored_columns)
    return [encoder.parameters(entry.values, connection) for entry in entries]


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
    parameters = encoder_of(model, columns_of_update).parameters(entry.values, connection)
    try:
        if run(connection, update(connection, model, 1), parameters):
            return []
    except _FAULTS as error:
        if is_outage(error):
            raise
        return [error]
    return _execute(connection, upsert, model, _rows(connection, model, [entry]))


def _by_model(entries: Sequence[Entry]) -> Iterable[tuple[type[Log], list[Entry]]]:
    if len(entries) == 1:
        return [(LOG_MODELS[entries[0].kind], [entries[0]])]
    # One statement cannot touch a row twice: the latest entry of a record holds all that the earlier ones do.
    latest = {entry.id: entry for entry in sorted(entries, key=lambda entry: int(entry.version))}
    by_model: defaultdict[type[Log], list[Entry]] = defaultdict(list)
    for entry in latest.values():
        by_model[LOG_MODELS[entry.kind]].append(entry)
    return by_model.items()


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
