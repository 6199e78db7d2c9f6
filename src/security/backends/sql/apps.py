"""The app of the SQL backend."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

from security.backends.base import Reader, SecurityBackend, Writer


class SecuritySQLBackend(SecurityBackend):
    """Writes, reads and purges logs in a database."""

    name = "security.backends.sql"
    label = "security_sql"
    verbose_name = "Security log"
    backend_name: ClassVar[str] = "sql"
    default_auto_field = "django.db.models.BigAutoField"

    # The models can be imported only when the apps are loaded.
    @cached_property
    def writer(self) -> Writer:  # type: ignore[override]
        from .writer import SQLWriter

        return SQLWriter()

    @cached_property
    def reader(self) -> Reader:  # type: ignore[override]
        from .reader import SQLReader

        return SQLReader()
