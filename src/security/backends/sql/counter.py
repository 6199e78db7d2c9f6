"""Counting in the database, in a small table of its own: the size of the log does not matter."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, IntegrityError, OperationalError, connections, router

from security.backends.base import Counter
from security.config import settings
from security.databases.limits import limited
from security.rates import Limit, Verdict, Window

from .count_statement import count_statement
from .models import ThrottlingCount
from .running import run_returning
from .statements import is_mariadb
from .transactions import transaction_around

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger("security")

# A decision that was overtaken sees at its second attempt what overtook it.
_MOST_ATTEMPTS: Final = 10
_DEADLOCK: Final = 1213
# How often a process removes counts of long ago, in seconds, and how many at once; where more are left it goes on soon.
_SECONDS_BETWEEN_CLEANINGS: Final = 60.0
_MOST_REMOVED: Final = 1000


class SQLCounter(Counter):
    """Counts at the alias that the site's routers give for the logs."""

    def __init__(self) -> None:
        self._cleans_at = monotonic() + _SECONDS_BETWEEN_CLEANINGS

    def count(self, limits: Sequence[Limit], now: int) -> Verdict:
        connection = _connection()
        wanted = {limit.key: limit for limit in limits}
        parameters: list[Any] = []
        # All decisions lock their rows in the same order.
        for key in sorted(wanted):
            limit = wanted[key]
            parameters += (key, limit.timeframe, limit.throttle_at, now, int(limit.counts))
        rows = _decide(connection, count_statement(connection, ThrottlingCount, len(wanted)), parameters)
        if rows is None:
            # Which one it is nobody told: most likely the shortest.
            return Verdict(((min(limits, key=lambda limit: (not limit.counts, limit.timeframe)), None),))
        full = {key: Window(*window) for key, *window, is_full in rows if is_full}
        if monotonic() >= self._cleans_at and not connection.in_atomic_block:
            self._clean(connection, now)
        return Verdict(tuple((limit, full[limit.key]) for limit in limits if limit.key in full))

    def can_be_rolled_back(self) -> bool:
        return bool(_connection().in_atomic_block)

    def _clean(self, connection: BaseDatabaseWrapper, now: int) -> None:
        self._cleans_at = monotonic() + _SECONDS_BETWEEN_CLEANINGS
        try:
            with limited(connection, settings.LOG_DB_TIMEOUT), connection.cursor() as cursor:
                cursor.execute(_removal(connection), [now, _MOST_REMOVED])
                if cursor.rowcount >= _MOST_REMOVED:
                    self._cleans_at = monotonic() + 1
        except DatabaseError as error:
            logger.warning("Counts of long ago could not be removed (%s); it is tried again.", type(error).__name__)


def _connection() -> BaseDatabaseWrapper:
    connection: BaseDatabaseWrapper = connections[router.db_for_write(ThrottlingCount)]
    if connection.vendor not in ("postgresql", "sqlite") and not is_mariadb(connection):
        raise ImproperlyConfigured(
            f"Requests are counted in PostgreSQL, MariaDB and SQLite, and not in {connection.display_name}: "
            "set SECURITY_THROTTLING_STORAGE, for example to 'redis://localhost:6379/0', to count in Redis."
        )
    return transaction_around(connection) or connection


def _decide(connection: BaseDatabaseWrapper, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]] | None:
    """Run the statement; None where others took the last place at each attempt: then it is full."""
    for attempt in range(_MOST_ATTEMPTS):
        try:
            return run_returning(connection, sql, parameters)
        except IntegrityError:
            continue
        except OperationalError as error:
            is_deadlock = error.args[:1] == (_DEADLOCK,)
            if not is_deadlock or connection.in_atomic_block or attempt == _MOST_ATTEMPTS - 1:
                raise
    return None


def _removal(connection: BaseDatabaseWrapper) -> str:
    quote = connection.ops.quote_name
    table, key, expires = quote(ThrottlingCount._meta.db_table), quote("key"), quote("expires")
    oldest = f"WHERE {expires} < %s ORDER BY {expires} LIMIT %s"
    if connection.vendor == "mysql":
        return f"DELETE FROM {table} {oldest}"  # noqa: S608 no value
    # What a decision holds just now is left for the next time.
    unlocked = " FOR UPDATE SKIP LOCKED" if connection.vendor == "postgresql" else ""
    return f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} {oldest}{unlocked})"  # noqa: S608 no value
