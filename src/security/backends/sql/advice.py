"""What a site can do about an error of its database; the error says it, as a note of its own."""

from __future__ import annotations

from typing import Final

from django.db import DEFAULT_DB_ALIAS

# undefined_table and undefined_column of PostgreSQL; ER_NO_SUCH_TABLE and ER_BAD_FIELD_ERROR of MySQL and MariaDB
_CODES_OF_MISSING: Final = frozenset(("42P01", "42703", 1146, 1054))
# SQLite has one code for many errors.
_TEXTS_OF_MISSING: Final = ("no such table", "no such column", "has no column named")


def advise(error: Exception, alias: str) -> None:
    """Add to an error what to do about it, where that is known."""
    if _is_missing(error) and not hasattr(error, "__notes__"):
        option = "" if alias == DEFAULT_DB_ALIAS else f" --database {alias}"
        error.add_note(f"Run 'manage.py migrate{option}'.")


def _is_missing(error: Exception) -> bool:
    """Tell whether an error says that a table or a column is not there."""
    cause = error.__cause__
    codes = {*error.args[:1], getattr(cause, "sqlstate", None), getattr(cause, "pgcode", None)}
    return not _CODES_OF_MISSING.isdisjoint(codes) or any(text in str(error) for text in _TEXTS_OF_MISSING)
