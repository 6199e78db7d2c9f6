"""Running a statement on PostgreSQL without the cursors of Django and the driver, which would be made anew for each.

psycopg 3 documents its wrapper of libpq (`psycopg.pq`). A statement is sent by it, and waited for as the driver itself
does, so that signals, notifications and greenlets have their way meanwhile. It is used only where nobody could see the
difference: outside a transaction, on a connection at rest, where the cursors are those of Django and psycopg, and
nothing of the site's listens to statements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

# Values of `psycopg.pq.ConnStatus`, `TransactionStatus`, `PipelineStatus` and `ExecStatus`; the driver may be another
# one, and is not imported for them.
_WHOLE: Final = 0
_IDLE: Final = 0
_OFF: Final = 0
_COMMAND_OK: Final = 1
# The field of an error that holds its code (PG_DIAG_SQLSTATE).
_SQLSTATE: Final = ord("C")
# What of Django's a backend can override to do something of its own before each statement, as those for tenants do.
_DJANGO_S_OWN: Final = ("cursor", "_cursor", "_prepare_cursor", "make_cursor")


# The parameters that the encoder makes, beside texts; what else a field of the site's own gives is left to the driver.
_AS_BYTES: Final[dict[type, Callable[[Any], bytes]]] = {
    bool: lambda value: b"t" if value else b"f",
    int: lambda value: str(value).encode(),
    float: lambda value: repr(value).encode(),
}


def can_execute(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether a statement on a connection would be the same with libpq alone."""
    driver_connection = connection.connection
    pgconn = getattr(driver_connection, "pgconn", None)
    return (
        pgconn is not None
        and connection.autocommit
        and not connection.in_atomic_block
        # At rest also means that no result is being read.
        and pgconn.transaction_status == _IDLE
        and pgconn.pipeline_status == _OFF
        and not connection.execute_wrappers
        and not connection.queries_logged
        # Django's tests, too, put another one here where no database may be used.
        and "cursor" not in vars(connection)
        and _has_usual_cursors(type(connection), type(driver_connection), driver_connection.cursor_factory)  # type: ignore[arg-type]
        and pgconn.parameter_status(b"client_encoding") == b"UTF8"
    )


@lru_cache(maxsize=16)
def _has_usual_cursors(wrapper: type, driver_connection: type, cursor_factory: type) -> bool:
    """Tell whether all that a statement passes on its way is Django's and psycopg's own."""
    try:
        from django.db.backends.postgresql import base
        from psycopg import Connection
        from psycopg.generators import execute  # noqa: F401  no documented part of psycopg
    except ImportError:
        return False
    return (
        all(getattr(wrapper, name) is getattr(BaseDatabaseWrapper, name) for name in _DJANGO_S_OWN)
        and getattr(wrapper, "create_cursor", None) is base.DatabaseWrapper.create_cursor
        and getattr(driver_connection, "cursor", None) is Connection.cursor
        and cursor_factory in (base.Cursor, base.ServerBindingCursor)
    )


def execute(connection: BaseDatabaseWrapper, sql: str, parameters: Sequence[Any]) -> int | None:
    """Run a statement, and give the number of rows that it found; None where the driver has to do it.

    Raises what Django's cursor would raise.
    """
    from psycopg.generators import execute as results_of

    # Whoever forbids the use of a database forbids this.
    connection.ensure_connection()
    driver_connection: Any = connection.connection
    values = as_sent(parameters)
    # Another thread may be using the connection, where the site allows that; the driver has its way of waiting.
    if values is None or driver_connection.lock.locked():
        return None
    with connection.wrap_database_errors:
        with driver_connection.lock:
            driver_connection.pgconn.send_query_params(with_dollars(sql), values)
            (result,) = driver_connection.wait(results_of(driver_connection.pgconn))
        return rows_found(connection, result)


def as_sent(parameters: Sequence[Any]) -> list[bytes | None] | None:
    """Give parameters as libpq takes them; None where the driver has to do it.

    Raises `ValueError` for a NUL.
    """
    try:
        values = [
            None if value is None else value.encode() if type(value) is str else _AS_BYTES[type(value)](value)
            for value in parameters
        ]
    except KeyError:
        return None
    if b"\0" in b"".join(filter(None, values)):
        # libpq would take it for the end.
        raise ValueError("A text for PostgreSQL cannot contain NUL (0x00) characters.")
    return values


def is_at_rest(pgconn: Any) -> bool:
    """Tell whether a connection is whole, and outside a transaction."""
    return bool(pgconn.status == _WHOLE and pgconn.transaction_status == _IDLE)


def has_succeeded(result: Any) -> bool:
    """Tell whether a statement did what it was to do."""
    return bool(result.status == _COMMAND_OK)


def rows_found(connection: BaseDatabaseWrapper, result: Any) -> int:
    """Give the number of rows that a statement found; raises the driver's error where it failed."""
    if not has_succeeded(result):
        raise _error(connection.Database, result)  # type: ignore[attr-defined]
    return int(result.command_tuples or 0)


def _error(driver: Any, result: Any) -> Exception:
    sqlstate, message = result.error_field(_SQLSTATE), driver.pq.error_message(result)
    if sqlstate is None:
        # The connection is lost.
        return driver.OperationalError(message)  # type: ignore[no-any-return]
    try:
        return driver.errors.lookup(sqlstate.decode())(message)  # type: ignore[no-any-return]
    except KeyError:
        return driver.DatabaseError(message)  # type: ignore[no-any-return]


@lru_cache(maxsize=1024)
def with_dollars(sql: str) -> bytes:
    """Number the parameters of a statement as the server does."""
    first, *parts = sql.split("%s")
    return "".join([first, *(f"${number}{part}" for number, part in enumerate(parts, 1))]).encode()
