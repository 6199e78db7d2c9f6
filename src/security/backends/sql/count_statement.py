"""The SQL of one decision: look at all counts that it is about, and hit them all or none, in one statement.

The statement first looks (`seen`): what is full in the snapshot that it sees is refused at once. What is not, is
upserted. Between the two another process may have filled a count; then the upsert gives it -1 hits, which breaks the
table's constraint, and the database takes the whole statement back: no count is hit, and it is asked again.

On PostgreSQL a request that is refused writes and locks nothing. SQLite and MariaDB return rows only of what they
wrote, so there the full counts are written as they are, but for the mark that they were full.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from django.db import models

from .statements import made_once, timeout_prefix

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

_COLUMNS: Final = ("key", "timeframe", "throttle_at", "start", "previous", "hits", "is_full", "expires")
# What a caller gives of each limit; `start` is the time of the decision.
WANTED: Final = ("key", "timeframe", "throttle_at", "start", "counts")


@made_once
def count_statement(connection: BaseDatabaseWrapper, model: type[models.Model], rows: int) -> str:
    """Give the statement that decides on `rows` limits; it returns rows of key, start, previous, hits and is_full."""
    quote, vendor = connection.ops.quote_name, connection.vendor
    table = quote(model._meta.db_table)
    columns = ", ".join(map(quote, _COLUMNS))
    returned = ", ".join(map(quote, ("key", "start", "previous", "hits", "is_full")))
    wanted = f"wanted ({', '.join(map(quote, WANTED))}) AS ({_rows_wanted(vendor, rows)})"
    stored = _Names("c", quote)
    asked = _Names("w", quote)
    key, counts = quote("key"), quote("counts")
    seen = (
        f"seen AS (SELECT c.* FROM wanted w JOIN {table} c ON c.{key} = w.{key} "  # noqa: S608 no value
        f"WHERE {_is_full(stored, asked, before='hits')})"
    )
    hit = (
        f"SELECT w.{key}, {asked.timeframe}, {asked.throttle_at}, {asked.start}, 0, 1, FALSE, "  # noqa: S608 no value
        f"{asked.start} + 2 * {asked.timeframe} FROM wanted w "
        f"WHERE w.{counts} = 1 AND NOT EXISTS (SELECT 1 FROM seen)"
    )
    unchanged = f"SELECT {columns.replace(quote('hits'), '0')} FROM seen"  # noqa: S608 no value
    if vendor == "postgresql":
        return (
            f"WITH {wanted}, {seen}, counted AS (INSERT INTO {table} AS c ({columns}) {hit} ORDER BY 1 "  # noqa: S608
            f"ON CONFLICT ({key}) DO UPDATE SET {_assignments(stored, _Names('excluded', quote), 'hits')} "
            f"RETURNING {returned}) "
            f"SELECT {returned.replace(quote('is_full'), 'TRUE')} FROM seen UNION ALL SELECT {returned} FROM counted"
        )
    if vendor == "sqlite":
        new = _Names("excluded", quote)
        return (
            f"WITH {wanted}, {seen} INSERT INTO {table} AS c ({columns}) {hit} UNION ALL {unchanged} WHERE TRUE "
            f"ON CONFLICT ({key}) DO UPDATE SET {_assignments(stored, new, 'hits')} RETURNING {returned}"
        )
    # MariaDB assigns from left to right: where the hits are looked at, the window before is the new one.
    old, new = _Names(table, quote), _Names("VALUES", quote)
    return (
        f"{timeout_prefix(connection)}INSERT INTO {table} ({columns}) "
        f"WITH {wanted}, {seen} {hit} UNION ALL {unchanged} "
        f"ON DUPLICATE KEY UPDATE {_assignments(old, new, 'previous')} RETURNING {returned}"
    )


def _rows_wanted(vendor: str, limits: int) -> str:
    if vendor == "postgresql":
        # The types of the parameters, where the server binds them.
        row = "(CAST(%s AS varchar), " + ", ".join(["CAST(%s AS bigint)"] * (len(WANTED) - 1)) + ")"
        return f"VALUES {', '.join([row] * limits)}"
    return " UNION ALL ".join([f"SELECT {', '.join(['%s'] * len(WANTED))}"] * limits)


class _Names:
    """The columns of a row by attribute, as SQL: of a table, of `excluded`, or of MariaDB's VALUES(…)."""

    def __init__(self, row: str, quote: Callable[[str], str]) -> None:
        self._row = row
        self.quote = quote

    def __getattr__(self, name: str) -> str:
        column = self.quote(name)
        return f"VALUES({column})" if self._row == "VALUES" else f"{self._row}.{column}"


# The rest says in SQL what `security.rates.Window` says in Python.


def _is_open(stored: _Names, asked: _Names) -> str:
    elapsed = f"({asked.start} - {stored.start})"
    return f"({elapsed} >= -{asked.timeframe} AND {elapsed} < {asked.timeframe})"


def _is_before(stored: _Names, asked: _Names) -> str:
    elapsed = f"({asked.start} - {stored.start})"
    return f"({elapsed} >= {asked.timeframe} AND {elapsed} < 2 * {asked.timeframe})"


def _is_full(stored: _Names, asked: _Names, before: str) -> str:
    """Tell whether there is no room; `before` is the column of the hits of a window that has passed."""
    timeframe, room = asked.timeframe, f"{asked.throttle_at} * {asked.timeframe}"
    left = f"({stored.start} + {timeframe} - {asked.start})"
    return (
        f"CASE WHEN {_is_open(stored, asked)} "
        f"THEN {stored.previous} * {left} + ({stored.hits} + 1) * {timeframe} > {room} "
        f"WHEN {_is_before(stored, asked)} "
        f"THEN {getattr(stored, before)} * ({left} + {timeframe}) + {timeframe} > {room} "
        f"ELSE FALSE END"
    )


def _assignments(stored: _Names, new: _Names, before: str) -> str:
    """Give what becomes of a row that is there; `new` has no hits where it is to stay as it is."""
    stays, is_open, is_before = f"{new.hits} = 0", _is_open(stored, new), _is_before(stored, new)
    values = {
        "previous": f"WHEN {stays} OR {is_open} THEN {stored.previous} WHEN {is_before} THEN {stored.hits} ELSE 0",
        "hits": (
            f"WHEN {stays} THEN {stored.hits} WHEN {_is_full(stored, new, before)} THEN -1 "
            f"WHEN {is_open} THEN {stored.hits} + 1 ELSE 1"
        ),
        "is_full": f"WHEN {stays} THEN TRUE ELSE FALSE",
        "expires": (
            f"WHEN {stays} OR {is_open} THEN {stored.expires} "
            f"WHEN {is_before} THEN {stored.expires} + {new.timeframe} ELSE {new.expires}"
        ),
        "start": (
            f"WHEN {stays} OR {is_open} THEN {stored.start} "
            f"WHEN {is_before} THEN {stored.start} + {new.timeframe} ELSE {new.start}"
        ),
    }
    return ", ".join(f"{stored.quote(name)} = CASE {value} END" for name, value in values.items())
