"""Whether the site has a transaction open, and where.

SQLite has one writer a file. There a transaction at another alias of the same file, which the same thread has opened,
is one that a write could only wait for in vain.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.db import connections

from security.databases.at_rest import has_transaction, is_busy

from .places import file_of

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


def transaction_around(connection: BaseDatabaseWrapper) -> BaseDatabaseWrapper | None:
    """Give the connection of this thread whose open transaction decides on a write now, if there is one."""
    if is_in_transaction(connection):
        return connection
    if connection.vendor != "sqlite":
        return None
    return next((other for other in _others_of_file(connection) if is_in_transaction(other)), None)


def alias_in_test(alias: str) -> str:
    """Give the alias that a test has opened a transaction at, of those that share the one writer of `alias`."""
    if alias not in connections.settings:
        return alias  # Django says so
    connection = connections[alias]
    of_test = [other.alias for other in _others_of_file(connection) if is_of_test(other)]
    return of_test[0] if of_test else alias


def is_in_transaction(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether the site could still roll back what is written now.

    So it could, or the write would fail, while the connection is busy with a statement of the site's. The transaction
    around a test is not the site's: Django, too, looks through it (`atomic(durable=True)`).
    """
    driver_connection = connection.connection
    if driver_connection is not None and is_busy(driver_connection):
        return True
    if connection.in_atomic_block:
        return not all(_is_of_test(block) for block in connection.atomic_blocks)
    # A site can also turn autocommit off by hand, or begin a transaction past Django.
    return driver_connection is not None and (not connection.autocommit or has_transaction(driver_connection))


def is_known_to_django(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether Django calls at the commit of the open transaction whom it was told to (`on_commit`)."""
    return connection.in_atomic_block or not connection.autocommit


def is_of_test(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether all that happens now is rolled back at the end of a test."""
    return any(_is_of_test(block) for block in connection.atomic_blocks)


def _is_of_test(block: Any) -> bool:
    return bool(block._from_testcase)  # noqa: SLF001 Django's only word for it


def _others_of_file(connection: BaseDatabaseWrapper) -> Iterator[BaseDatabaseWrapper]:
    """Give the connections that this thread has to the same file of SQLite at other aliases."""
    if connection.vendor != "sqlite" or len(connections.settings) == 1:
        return
    for other in connections.all(initialized_only=True):
        if other is not connection and other.vendor == "sqlite" and _is_same_file(other, connection):
            yield other


def _is_same_file(one: BaseDatabaseWrapper, other: BaseDatabaseWrapper) -> bool:
    names = [str(connection.settings_dict["NAME"]) for connection in (one, other)]
    # A database in memory without a name is each connection's own.
    return ":memory:" not in names and file_of(names[0]) == file_of(names[1])
