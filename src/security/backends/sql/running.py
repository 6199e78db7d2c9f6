"""Running one statement of our own on a connection that is the site's: in bounded time, and leaving nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, transaction

from security.config import settings
from security.databases.at_rest import BusyError, borrowed, expect_at_rest
from security.databases.limits import check_health_in_time, limited, open_in_time, time_limit
from security.databases.watchdog import HangingError

from . import libpq
from .advice import advise
from .statements import leading_parameters

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.backends.utils import CursorWrapper

# ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, such as an emoji for a table of utf8mb3
_WRONG_CHARACTERS: Final = 1366
# ER_WARN_DATA_OUT_OF_RANGE, ER_DATA_TOO_LONG, ER_INVALID_JSON_TEXT, ER_CONSTRAINT_FAILED
_REFUSALS_OF_MYSQL: Final = frozenset((_WRONG_CHARACTERS, 1264, 1406, 3140, 4025))

# query_canceled of PostgreSQL
_QUERY_CANCELED: Final = "57014"

_NO_CONTEXT: Final = nullcontext()

T = TypeVar("T")


def run(connection: BaseDatabaseWrapper, sql: str, parameters: Sequence[Any]) -> int:
    """Run a statement of `statements`, and give the number of rows that it found.

    Outside a transaction it stands for itself; inside one, a savepoint keeps an error from spoiling what the site does
    there.
    """
    return _run(connection, sql, parameters, _execute)


def run_for_row(connection: BaseDatabaseWrapper, sql: str, parameters: Sequence[Any]) -> int:
    """Do as `run` for a single row; where MySQL or MariaDB does not take its characters, it is offered ASCII."""
    try:
        return run(connection, sql, parameters)
    except DatabaseError as error:
        if connection.vendor != "mysql" or error.args[:1] != (_WRONG_CHARACTERS,):
            raise
        return run(connection, sql, [_in_ascii(value) if isinstance(value, str) else value for value in parameters])


def run_returning(connection: BaseDatabaseWrapper, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Do as `run`, and give the rows that the statement returns."""
    return _run(connection, sql, parameters, _fetch)


def _run(
    connection: BaseDatabaseWrapper,
    sql: str,
    parameters: Sequence[Any],
    execute: Callable[[BaseDatabaseWrapper, str, Sequence[Any]], T],
) -> T:
    try:
        if connection.connection is not None:
            return _run_on_open_connection(connection, sql, parameters, execute)
        with borrowed(connection):
            open_in_time(connection, settings.LOG_DB_TIMEOUT)
            return _run_on_open_connection(connection, sql, parameters, execute)
    except DatabaseError as error:
        advise(error, connection.alias)
        raise


def _run_on_open_connection(
    connection: BaseDatabaseWrapper,
    sql: str,
    parameters: Sequence[Any],
    execute: Callable[[BaseDatabaseWrapper, str, Sequence[Any]], T],
) -> T:
    try:
        return execute(connection, sql, parameters)
    except BusyError:
        # Nor does it take the question whether it is usable.
        raise
    except (OperationalError, InterfaceError) as error:
        if isinstance(error, HangingError):
            # It is not asked again.
            connection.close()
            raise
        # A connection that the server closed meanwhile: the statement can be repeated, whatever became of it.
        if connection.in_atomic_block or connection.connection is None or _is_usable(connection):
            raise
        connection.close()
    try:
        open_in_time(connection, settings.LOG_DB_TIMEOUT)
        return execute(connection, sql, parameters)
    except HangingError:
        connection.close()
        raise


def _execute(connection: BaseDatabaseWrapper, sql: str, parameters: Sequence[Any]) -> int:
    if libpq.can_execute(connection):
        with time_limit(connection, settings.LOG_DB_TIMEOUT) as limit:
            found = libpq.execute(connection, sql, parameters)
        if limit.has_hung_up:
            connection.close()
        if found is not None:
            return found
    return _with_cursor(connection, sql, parameters, lambda cursor: int(cursor.rowcount))


def _fetch(connection: BaseDatabaseWrapper, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    return _with_cursor(connection, sql, parameters, lambda cursor: list(cursor.fetchall()))


def _with_cursor(
    connection: BaseDatabaseWrapper, sql: str, parameters: Sequence[Any], outcome: Callable[[CursorWrapper], T]
) -> T:
    timeout = settings.LOG_DB_TIMEOUT
    expect_at_rest(connection.connection, timeout)
    check_health_in_time(connection, timeout)
    with _savepoint(connection), connection.cursor() as cursor, time_limit(connection, timeout) as limit:
        cursor.execute(sql, [*leading_parameters(connection, timeout), *parameters])
        result = outcome(cursor)
    if limit.has_hung_up:
        connection.close()
    return result


def _savepoint(connection: BaseDatabaseWrapper) -> AbstractContextManager[Any]:
    # A site can also turn autocommit off by hand.
    autocommit = connection.get_autocommit() if connection.connection is None else connection.autocommit
    is_open = connection.in_atomic_block or not autocommit
    return transaction.atomic(using=connection.alias) if is_open else _NO_CONTEXT


def _is_usable(connection: BaseDatabaseWrapper) -> bool:
    with limited(connection, settings.LOG_DB_TIMEOUT):
        return connection.is_usable()


def is_outage(error: Exception) -> bool:
    """Tell whether an error says that the database cannot be used, and not that it refuses a value."""
    # MySQLdb gives some refusals the class of an outage, such as that of an emoji in a table of utf8mb3.
    code = error.args[0] if error.args else None
    return isinstance(error, (OperationalError, InterfaceError)) and code not in _REFUSALS_OF_MYSQL


def is_overdue(error: Exception) -> bool:
    """Tell whether an error says that a statement was ended as its time had passed (PostgreSQL)."""
    return isinstance(error, HangingError) or getattr(error.__cause__, "sqlstate", None) == _QUERY_CANCELED


def _in_ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")
