"""Routers that send the logs to an alias of their own, SECURITY_LOG_DB_NAME (published section "SQL backend")."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model

from security.config import settings

from . import APP_LABEL
from .transactions import alias_in_test


def _log_alias() -> str:
    alias = settings.LOG_DB_NAME
    if alias is None:
        raise ImproperlyConfigured(
            "A router of security.backends.sql.db_router needs SECURITY_LOG_DB_NAME, the database alias for logs."
        )
    return alias


def _alias_for(model: type[Model]) -> str | None:
    return alias_in_test(_log_alias()) if model._meta.app_label == APP_LABEL else None


class LogRouter:
    """What both routers do: logs are read and written at the alias for logs, and nothing else is.

    In a test that is rolled back, two aliases of one file of SQLite would wait for each other: there one has it all.
    """

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        return _alias_for(model)

    def db_for_write(self, model: type[Model], **hints: Any) -> str | None:
        return _alias_for(model)


class MirrorSecurityLoggerRouter(LogRouter):
    """Logs go to the site's own database through a second alias, whose transactions are not the site's.

    Tables can be migrated through either alias: both are the same database, and share what Django noted of it.
    """


class MultipleDBSecurityLoggerRouter(LogRouter):
    """Logs have a database of their own, which holds their tables and no others."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        is_log = app_label == APP_LABEL
        if settings.LOG_DB_NAME is None:
            # Django asks while it runs its checks, and one of ours says what is missing.
            return None
        if db == settings.LOG_DB_NAME:
            return is_log
        return False if is_log else None
