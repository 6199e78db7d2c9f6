"""Whether the site has a transaction open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


def is_in_transaction(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether the site could still roll back what is written now.

    The transaction around a test is not the site's: Django, too, looks through it (`atomic(durable=True)`).
    """
    if connection.in_atomic_block:
        return not all(_is_of_test(block) for block in connection.atomic_blocks)
    # A site can also turn autocommit off by hand.
    return connection.connection is not None and not connection.autocommit


def is_of_test(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether all that happens now is rolled back at the end of a test."""
    return any(_is_of_test(block) for block in connection.atomic_blocks)


def _is_of_test(block: Any) -> bool:
    return bool(block._from_testcase)  # noqa: SLF001 Django's only word for it
