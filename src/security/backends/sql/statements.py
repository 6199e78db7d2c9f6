"""The SQL of the writer: for each table and number of rows, one statement, made once for each database vendor.

An upsert that is guarded by the version stores an entry in one statement, whether the row is there or not, and leaves
a newer row as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# These write a conflict as PostgreSQL does; MySQL and MariaDB have a form of their own.
_CONFLICT_VENDORS = ("postgresql", "sqlite")


def upsert(connection: BaseDatabaseWrapper, model: type[models.Model], rows: int) -> str:
    """Give the statement that stores `rows` entries of one kind."""
    quote = connection.ops.quote_name
    meta = model._meta
    columns = tuple(quote(field.column) for field in meta.concrete_fields if field.column)
    return _upsert(
        connection.vendor in _CONFLICT_VENDORS,
        is_mariadb(connection),
        quote(meta.db_table),
        columns,
        quote("id"),
        quote("version"),
        rows,
    )


@lru_cache(maxsize=256)
def _upsert(
    has_conflict_clause: bool,
    is_mariadb: bool,
    table: str,
    columns: tuple[str, ...],
    key: str,
    version: str,
    rows: int,
) -> str:
    insert = _insert(table, columns, rows)
    # MySQL assigns from left to right, so the version that guards the others comes last.
    changing = [column for column in columns if column not in (key, version)] + [version]
    if has_conflict_clause:
        assignments = ", ".join(f"{column} = EXCLUDED.{column}" for column in changing)
        return f"{insert} ON CONFLICT ({key}) DO UPDATE SET {assignments} WHERE {table}.{version} < EXCLUDED.{version}"
    guard = f"VALUES({version}) > {version}"
    assignments = ", ".join(f"{column} = IF({guard}, VALUES({column}), {column})" for column in changing)
    return f"{_timeout(is_mariadb)}{insert} ON DUPLICATE KEY UPDATE {assignments}"


def insert_new(connection: BaseDatabaseWrapper, model: type[models.Model], rows: int) -> str:
    """Give the statement that adds `rows` rows, leaving out those that are there."""
    quote = connection.ops.quote_name
    columns = tuple(
        quote(field.column) for field in model._meta.concrete_fields if field.column and not field.primary_key
    )
    insert = _insert(quote(model._meta.db_table), columns, rows)
    if connection.vendor in _CONFLICT_VENDORS:
        return f"{insert} ON CONFLICT DO NOTHING"
    return f"{_timeout(is_mariadb(connection))}{insert} ON DUPLICATE KEY UPDATE {columns[0]} = {columns[0]}"


def is_mariadb(connection: BaseDatabaseWrapper) -> bool:
    return bool(getattr(connection, "mysql_is_mariadb", False))


def _timeout(is_mariadb: bool) -> str:
    # Filled in by `leading_parameters`: the setting is read live, the statement is made once.
    return "SET STATEMENT lock_wait_timeout=%s, innodb_lock_wait_timeout=%s FOR " if is_mariadb else ""


def _insert(table: str, columns: Sequence[str], rows: int) -> str:
    values = f"({', '.join(['%s'] * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([values] * rows)}"  # noqa: S608 no value


def leading_parameters(connection: BaseDatabaseWrapper, timeout: float) -> list[Any]:
    """Give the parameters that come before the rows: MariaDB's time limits, in whole seconds."""
    return [max(1, round(timeout))] * 2 if is_mariadb(connection) else []
