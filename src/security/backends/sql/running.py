"""Running one statement of our own on a connection that is the site's: in bounded time, and leaving nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.db import InterfaceError, OperationalError, transaction

from security.config import settings

from .statements import leading_parameters
from .watchdog import watchdog

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.backends.utils import CursorWrapper

# ER_WARN_DATA_OUT_OF_RANGE, ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, ER_DATA_TOO_LONG, ER_INVALID_JSON_TEXT,
# ER_CONSTRAINT_FAILED
_REFUSALS_OF_MYSQL: Final = frozenset((1264, 1366, 1406, 3140, 4025))

_NO_CONTEXT: Final = nullcontext()

T = TypeVar("T")


def run(connection: BaseDatabaseWrapper, sql: str, parameters: Sequence[Any]) -> int:
    """Run a statement of `statements`, and give the number of rows that it found.

    Outside a transaction it stands for itself; inside one, a savepoint keeps an error from spoiling what the site does
    there.
    """
    return _run(connection, sql, parameters, lambda cursor: int(cursor.rowcount))


def run_returning(connection: BaseDatabaseWrapper, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Do as `run`, and give the rows that the statement returns."""
    return _run(connection, sql, parameters, lambda cursor: list(cursor.fetchall()))


def _run(
    connection: BaseDatabaseWrapper, sql: str, parameters: Sequence[Any], outcome: Callable[[CursorWrapper], T]
) -> T:
    try:
        return _run_once(connection, sql, parameters, outcome)
    except (OperationalError, InterfaceError):
        # A connection that the server closed meanwhile: the statement can be repeated, whatever became of it.
        if connection.in_atomic_block or connection.connection is None or connection.is_usable():
            raise
        connection.close()
        return _run_once(connection, sql, parameters, outcome)


def _run_once(
    connection: BaseDatabaseWrapper, sql: str, parameters: Sequence[Any], outcome: Callable[[CursorWrapper], T]
) -> T:
    timeout = settings.LOG_DB_TIMEOUT
    with _savepoint(connection), connection.cursor() as cursor, _time_limit(connection, timeout):
        cursor.execute(sql, [*leading_parameters(connection, timeout), *parameters])
        return outcome(cursor)


def _savepoint(connection: BaseDatabaseWrapper) -> AbstractContextManager[Any]:
    # A site can also turn autocommit off by hand.
    autocommit = connection.get_autocommit() if connection.connection is None else connection.autocommit
    is_open = connection.in_atomic_block or not autocommit
    return transaction.atomic(using=connection.alias) if is_open else _NO_CONTEXT


def _time_limit(connection: BaseDatabaseWrapper, seconds: float) -> AbstractContextManager[None]:
    if connection.vendor == "postgresql":
        return watchdog.watching(connection.connection, seconds)
    return _NO_CONTEXT


def is_outage(error: Exception) -> bool:
    """Tell whether an error says that the database cannot be used, and not that it refuses a value."""
    # MySQLdb gives some refusals the class of an outage, such as that of an emoji in a table of utf8mb3.
    code = error.args[0] if error.args else None
    return isinstance(error, (OperationalError, InterfaceError)) and code not in _REFUSALS_OF_MYSQL
