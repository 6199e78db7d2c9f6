"""Bounding what is done at a connection of the site's: to open it, and to wait for its answer.

The settings of its alias are left as they are: who shares it goes on as before.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from .watchdog import HangingError, Watch, watchdog

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# Their drivers know `connect_timeout`, in whole seconds; libpq makes two of one.
_VENDORS: Final = ("postgresql", "mysql")
_SHORTEST: Final = 2


class _NoLimit:
    """Stands where statements cannot be ended from outside."""

    has_hung_up: Final = False

    def __enter__(self) -> _NoLimit:
        return self

    def __exit__(self, *args: object) -> None:
        pass


_NO_LIMIT: Final = _NoLimit()


def time_limit(connection: BaseDatabaseWrapper, seconds: float) -> Watch | _NoLimit:
    """End a statement that an open connection is busy with for longer than some seconds (PostgreSQL).

    Whoever finds that the server has hung up (`has_hung_up`, `HangingError`) has to close the connection. One with a
    transaction of the site's is never shut down.
    """
    if connection.vendor == "postgresql":
        return watchdog.watching(connection.connection, seconds, may_hang_up=not connection.in_atomic_block)
    return _NO_LIMIT


@contextmanager
def limited(connection: BaseDatabaseWrapper, seconds: float) -> Iterator[None]:
    """Bound all that a block does at a connection, be it open or not.

    Raises `HangingError` for a server that hangs, also where the block hides its errors.
    """
    open_in_time(connection, seconds)
    limit = time_limit(connection, seconds)
    try:
        with limit:
            yield
    finally:
        if limit.has_hung_up:
            connection.close()
    if limit.has_hung_up:
        raise HangingError


def open_in_time(connection: BaseDatabaseWrapper, seconds: float) -> None:
    """Open a connection unless it is open, without waiting for its server for long."""
    if connection.connection is not None:
        return
    site_settings: dict[str, Any] = connection.settings_dict
    if not _needs_bound(connection, site_settings["OPTIONS"]):
        connection.ensure_connection()
        return
    options = {**site_settings["OPTIONS"], "connect_timeout": max(_SHORTEST, ceil(seconds))}
    # This thread's wrapper alone has them, while it opens.
    connection.settings_dict = {**site_settings, "OPTIONS": options}
    try:
        connection.ensure_connection()
    finally:
        connection.settings_dict = site_settings


def check_health_in_time(connection: Any, seconds: float) -> None:
    """Do the check of CONN_HEALTH_CHECKS, which is due at the first statement of a request."""
    if connection.connection is None or connection.health_check_done or not connection.health_check_enabled:
        return
    with limited(connection, seconds):
        connection.close_if_health_check_failed()


def _needs_bound(connection: BaseDatabaseWrapper, options: dict[str, Any]) -> bool:
    """Tell whether the site has set no bound itself; its pool opens connections for all."""
    return (
        connection.vendor in _VENDORS
        and "connect_timeout" not in options
        and "pool" not in options
        and not (connection.vendor == "postgresql" and "PGCONNECT_TIMEOUT" in os.environ)
    )
