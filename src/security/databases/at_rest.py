"""What a driver's connection is in the middle of, which Django need not know of.

A view can copy rows in or out, stream a result, or begin a transaction by a statement of its own. A driver that is busy
takes no other statement, or waits for ever until it can: the thread that would end that is the one that waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from django.db import OperationalError

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# `PGTransactionStatusType` of libpq
_ACTIVE: Final = 1
_IN_TRANSACTION: Final = (2, 3)


class BusyError(OperationalError):
    """The connection is in the middle of a statement of the site's, such as COPY."""

    def __init__(self) -> None:
        super().__init__("The connection is in the middle of a statement of the site's, such as COPY.")


def is_busy(driver_connection: Any) -> bool:
    """Tell whether a connection takes no statement now (PostgreSQL)."""
    pgconn = getattr(driver_connection, "pgconn", None)
    if pgconn is None:
        return _status_of(driver_connection) == _ACTIVE
    # psycopg holds its lock as long as rows are copied or streamed.
    return bool(driver_connection.lock.locked() or pgconn.transaction_status == _ACTIVE or pgconn.pipeline_status)


def has_transaction(driver_connection: Any) -> bool:
    """Tell whether a transaction is open, whoever began it and however (PostgreSQL and SQLite)."""
    pgconn = getattr(driver_connection, "pgconn", None)
    if pgconn is not None:
        return pgconn.transaction_status in _IN_TRANSACTION
    return _status_of(driver_connection) in _IN_TRANSACTION or getattr(driver_connection, "in_transaction", False)


def expect_at_rest(driver_connection: Any, seconds: float) -> None:
    """Wait for another thread to end its statement; raises `BusyError` where it goes on for some seconds."""
    if not is_busy(driver_connection):
        return
    lock = getattr(driver_connection, "lock", None)
    if lock is None or not lock.acquire(timeout=seconds):
        raise BusyError
    lock.release()
    if is_busy(driver_connection):
        raise BusyError


def is_of_pool(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether a connection can be given back to Django's pool, which closing it does: nothing is open on it."""
    has_pool = (connection.settings_dict.get("OPTIONS") or {}).get("pool")
    return bool(has_pool and connection.autocommit and not connection.in_atomic_block)


@contextmanager
def borrowed(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Give the connection that this block takes from Django's pool back at its end: others wait for it."""
    was_closed = connection.connection is None
    try:
        yield
    finally:
        if was_closed and is_of_pool(connection):
            connection.close()


def _status_of(driver_connection: Any) -> int | None:
    """Give the status of a connection of psycopg2."""
    status = getattr(driver_connection, "get_transaction_status", None)
    return None if status is None else int(status())
