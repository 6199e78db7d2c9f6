"""Checks of the alias for logs: a database that hangs must not hold up the site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings as site_settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from django.db import DEFAULT_DB_ALIAS, connections

from security.config import Settings, settings


def check_log_database(**kwargs: Any) -> list[CheckMessage]:
    """Name what the library cannot bound itself; what the site's own alias does is the site's business."""
    alias = settings.LOG_DB_NAME
    if alias is None or not Settings.LOG_DB_NAME.expected.accepts(alias):
        return []
    if not site_settings.DATABASE_ROUTERS or alias == DEFAULT_DB_ALIAS or alias not in connections.settings:
        return []
    options: Mapping[str, Any] = connections.settings[alias].get("OPTIONS") or {}
    messages: list[CheckMessage] = []
    pool = options.get("pool")
    if pool and not (isinstance(pool, Mapping) and "timeout" in pool):
        messages.append(
            CheckWarning(
                f"Where the database of the logs does not answer, requests wait for its pool (DATABASES[{alias!r}]).",
                hint="Give the pool a timeout in seconds: OPTIONS['pool'] = {'timeout': 3}.",
                id="security_logger.W017",
            )
        )
    if connections[alias].vendor == "mysql" and "read_timeout" not in options:
        messages.append(
            CheckWarning(
                f"Where the database of the logs does not answer, requests wait for it (DATABASES[{alias!r}]).",
                hint="Give its alias a timeout in seconds: OPTIONS['read_timeout'] = 5.",
                id="security_logger.W018",
            )
        )
    return messages
