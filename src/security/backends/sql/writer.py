"""Storing entries: one statement for the entries of a kind, and one for their relations if they have any."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from django.db import (
    DatabaseError,
    InterfaceError,
    connections,
    models,
    router,
)

from security.backends.base import EntriesRefusedError, TransactionalWriter
from security.config import settings
from security.records import Entry

from . import event_loop
from .encoding import encoder_of
from .models import LOG_MODELS, Log, RelatedObject
from .running import is_outage, is_overdue, run, run_for_row
from .statements import (
    Statement,
    columns_of_update,
    insert,
    insert_new,
    stored_columns,
    update,
    upsert,
)
from .transactions import is_known_to_django, is_of_test, transaction_around

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


# Rows of one statement; with 30 columns SQLite's bound of 32,766 parameters is far.
_MOST_ROWS: Final = 200

# What a database, its driver or the encoder says of a value that it does not take.
_FAULTS: Final = (DatabaseError, InterfaceError, ValueError, TypeError, OverflowError)

_Rows = Sequence[Mapping[str, Any]]


class SQLWriter(TransactionalWriter):
    """Writes to the alias that the site's routers give for the logs.

    Outside a transaction each statement stands for itself. Inside one of the same alias, a savepoint keeps an error
    from spoiling what the site does there.
    """

    def write(self, entries: Sequence[Entry]) -> None:
        refusals: list[Exception] = []
        # A kind of another package may be kept by another backend alone.
        entries = [entry for entry in entries if entry.kind in LOG_MODELS]
        begun = [entry.values["id"] for entry in entries if entry.values["version"] == 1]
        for model, latest in _by_model(entries):
            connection = _connection_to_write(model)
            if len(latest) > 1:
                refusals += _execute(connection, upsert, model, [entry.values for entry in latest])
            elif latest[0].values["id"] in begun:
                refusals += _begin(connection, model, latest[0])
            else:
                refusals += _succeed(connection, model, latest[0])
        related = [entry for entry in entries if entry.values["related_objects"]]
        if related:
            connection = _connection_to_write(RelatedObject)
            refusals += _execute(connection, insert_new, RelatedObject, list(_relations(related)))
        if refusals:
            raise EntriesRefusedError(refusals)

    async def awrite(self, entries: Sequence[Entry]) -> bool:
        first, latest = entries[0].values, entries[-1].values
        model = LOG_MODELS.get(entries[-1].kind)
        if model is None or any(entry.values["related_objects"] for entry in entries):
            return False
        if any(entry.values["id"] != latest["id"] or entry.values["version"] > latest["version"] for entry in entries):
            return False
        if first["version"] > 1:
            sql, columns = update, columns_of_update
        else:
            sql, columns = insert if len(entries) == 1 else upsert, stored_columns

        def statement(connection: BaseDatabaseWrapper) -> tuple[str, Sequence[Any]]:
            return sql(connection, model, 1), encoder_of(model, columns).parameters(latest, connection)

        try:
            found = await event_loop.run(router.db_for_write(model), statement, settings.LOG_DB_TIMEOUT)
        except Exception as error:
            if is_overdue(error):
                raise
            # A thread finds out what is wrong.
            return False
        return found == 1

    def shares_fate(self, entries: Sequence[Entry]) -> bool:
        for kind in {entry.kind for entry in entries}:
            model = LOG_MODELS.get(kind)
            if model is not None and transaction_around(connections[router.db_for_write(model)]):
                return True
        return False

    def is_connected(self) -> bool:
        return _connection().connection is not None

    def is_in_test(self) -> bool:
        return is_of_test(_connection())

    def on_commit(self, action: Callable[[], None]) -> bool:
        connection: Any = _connection_to_write(RelatedObject)
        if not is_known_to_django(connection):
            return False
        # As `on_commit` does, but for the whole transaction: a savepoint that is rolled back drops nothing.
        connection.run_on_commit.append((set(), action, False))
        return True

    def write_apart(self, entries: Sequence[Entry]) -> None:
        models_of_logs: tuple[type[models.Model], ...] = (*LOG_MODELS.values(), RelatedObject)
        aliases = {router.db_for_write(model) for model in models_of_logs}
        # Where no thread can be had, this is the site's own, in the middle of whatever it is at.
        unopened = [alias for alias in aliases if connections[alias].connection is None]
        try:
            self.write(entries)
        finally:
            for alias in unopened:
                connections[alias].close()

    def allows_concurrent_writes(self) -> bool:
        return _connection().vendor != "sqlite"


def _connection() -> BaseDatabaseWrapper:
    return connections[router.db_for_write(RelatedObject)]


def _connection_to_write(model: type[models.Model]) -> BaseDatabaseWrapper:
    connection = connections[router.db_for_write(model)]
    # The only writer of a file of SQLite may be busy at another alias.
    return connection if connection.vendor != "sqlite" else transaction_around(connection) or connection


def _begin(connection: BaseDatabaseWrapper, model: type[Log], entry: Entry) -> list[Exception]:
    """Store an entry whose record is new, unless it was stored before: then nothing is changed by it."""
    try:
        parameters = encoder_of(model, stored_columns).parameters(entry.values, connection)
        run(connection, insert(connection, model, 1), parameters)
    except _FAULTS as error:
        if is_outage(error):
            raise
        return _execute(connection, upsert, model, [entry.values])
    return []


def _succeed(connection: BaseDatabaseWrapper, model: type[Log], entry: Entry) -> list[Exception]:
    """Store an entry whose record has a row, unless the first entry was lost: then this one makes it whole."""
    try:
        parameters = encoder_of(model, columns_of_update).parameters(entry.values, connection)
        if run_for_row(connection, update(connection, model, 1), parameters):
            return []
    except _FAULTS as error:
        if is_outage(error):
            raise
        return [error]
    return _execute(connection, upsert, model, [entry.values])


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
    encoder = encoder_of(model, stored_columns)
    for start in range(0, len(rows), _MOST_ROWS):
        batch = rows[start : start + _MOST_ROWS]
        try:
            parameters = [value for row in batch for value in encoder.parameters(row, connection)]
            run_batch = run if len(batch) > 1 else run_for_row
            run_batch(connection, statement(connection, model, len(batch)), parameters)
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
