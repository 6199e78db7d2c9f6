"""The SQL of the writer: for each table and number of rows, one statement, made once for each database vendor.

An upsert that is guarded by the version stores an entry in one statement, whether the row is there or not, and leaves
a newer row as it is. An update does so for a row that is there, with less work for the database.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.db import models

from security.config import settings
from security.databases.limits import open_in_time
from security.records import SETTLED_FIELDS

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    Column = models.Field[Any, Any]

Statement = Callable[["BaseDatabaseWrapper", type[models.Model], int], str]

# These write a conflict as PostgreSQL does; MySQL and MariaDB have a form of their own.
_CONFLICT_VENDORS = ("postgresql", "sqlite")
# Bounded by the number of tables and of the rows that one statement stores.
_made: dict[tuple[Any, ...], str] = {}


def made_once(make: Statement) -> Statement:
    """Make each statement once for a vendor, a model and a number of rows."""

    @wraps(make)
    def statement(connection: BaseDatabaseWrapper, model: type[models.Model], rows: int) -> str:
        key = (make, connection.vendor, is_mariadb(connection), model, rows)
        sql = _made.get(key)
        if sql is None:
            sql = _made[key] = make(connection, model, rows)
        return sql

    return statement


def stored_columns(model: type[models.Model]) -> list[Column]:
    """Give the columns that an insertion fills, in their order."""
    return [field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField)]


def changing_columns(model: type[models.Model]) -> list[Column]:
    """Give the columns that a later entry may change, the version last."""
    settled = {"version", *SETTLED_FIELDS[model.kind]}  # type: ignore[attr-defined]
    changing = [column for column in stored_columns(model) if column.attname not in settled]
    return [*changing, *(column for column in stored_columns(model) if column.attname == "version")]


def columns_of_update(model: type[models.Model]) -> list[Column]:
    """Give the columns whose values an update takes: the changing ones, the key, and once more the version."""
    changing = changing_columns(model)
    return [*changing, model._meta.pk, changing[-1]]


@made_once
def upsert(connection: BaseDatabaseWrapper, model: type[models.Model], rows: int) -> str:
    """Give the statement that stores `rows` entries of one kind."""
    table, key, version = _quoted(connection, model._meta.db_table, "id", "version")
    # MySQL assigns from left to right, so the version that guards the others comes last.
    changing = _quoted_columns(connection, changing_columns(model))
    insert = _insert(connection, model, rows)
    if connection.vendor in _CONFLICT_VENDORS:
        assignments = ", ".join(f"{column} = EXCLUDED.{column}" for column in changing)
        return f"{insert} ON CONFLICT ({key}) DO UPDATE SET {assignments} WHERE {table}.{version} < EXCLUDED.{version}"
    guard = f"VALUES({version}) > {version}"
    assignments = ", ".join(f"{column} = IF({guard}, VALUES({column}), {column})" for column in changing)
    return f"{timeout_prefix(connection)}{insert} ON DUPLICATE KEY UPDATE {assignments}"


@made_once
def insert(connection: BaseDatabaseWrapper, model: type[models.Model], rows: int) -> str:
    """Give the statement that stores `rows` new entries; without a word on conflicts PostgreSQL logs a record less."""
    return f"{timeout_prefix(connection)}{_insert(connection, model, rows)}"


@made_once
def update(connection: BaseDatabaseWrapper, model: type[models.Model], rows: int) -> str:
    """Give the statement that changes the row of an entry; its parameters are those of `columns_of_update`."""
    table, key, version = _quoted(connection, model._meta.db_table, "id", "version")
    changing = _quoted_columns(connection, changing_columns(model))
    assignments = ", ".join(f"{column} = %s" for column in changing)
    return f"{timeout_prefix(connection)}UPDATE {table} SET {assignments} WHERE {key} = %s AND {version} < %s"  # noqa: S608


@made_once
def insert_new(connection: BaseDatabaseWrapper, model: type[models.Model], rows: int) -> str:
    """Give the statement that adds `rows` rows, leaving out those that are there."""
    insert = _insert(connection, model, rows)
    if connection.vendor in _CONFLICT_VENDORS:
        return f"{insert} ON CONFLICT DO NOTHING"
    column, *_ = _quoted_columns(connection, stored_columns(model))
    return f"{timeout_prefix(connection)}{insert} ON DUPLICATE KEY UPDATE {column} = {column}"


def _insert(connection: BaseDatabaseWrapper, model: type[models.Model], rows: int) -> str:
    (table,) = _quoted(connection, model._meta.db_table)
    columns = _quoted_columns(connection, stored_columns(model))
    values = f"({', '.join(['%s'] * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([values] * rows)}"  # noqa: S608 no value


def _quoted(connection: BaseDatabaseWrapper, *names: str) -> Sequence[str]:
    return [connection.ops.quote_name(name) for name in names]


def _quoted_columns(connection: BaseDatabaseWrapper, columns: Sequence[Column]) -> Sequence[str]:
    return _quoted(connection, *(column.column for column in columns if column.column))


def is_mariadb(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether a connection is one to MariaDB; it may have to be opened for that, in bounded time."""
    if connection.vendor == "mysql" and "mysql_server_data" not in vars(connection):
        # Django asks the server.
        open_in_time(connection, settings.LOG_DB_TIMEOUT)
    return bool(getattr(connection, "mysql_is_mariadb", False))


def timeout_prefix(connection: BaseDatabaseWrapper) -> str:
    """Give what MariaDB has in front of a statement to bound it; its parameters are `leading_parameters`."""
    # Filled in by `leading_parameters`: the setting is read live, the statement is made once.
    if not is_mariadb(connection):
        return ""
    return "SET STATEMENT lock_wait_timeout=%s, innodb_lock_wait_timeout=%s FOR "


def leading_parameters(connection: BaseDatabaseWrapper, timeout: float) -> list[Any]:
    """Give the parameters that come before the rows: MariaDB's time limits, in whole seconds."""
    return [max(1, round(timeout))] * 2 if is_mariadb(connection) else []
