"""System checks of where the logs go; those of the other settings are in `security.checks`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings as site_settings
from django.core import mail
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.db import DEFAULT_DB_ALIAS, connections
from django.db import router as site_routers

from security.config import Settings, settings

from .db_router import LogRouter, MirrorSecurityLoggerRouter, MultipleDBSecurityLoggerRouter
from .models import LOG_MODELS
from .places import is_in_memory, name_of, place_of

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


def register_checks() -> None:
    register(check_routers, Tags.security)
    register(check_log_database, Tags.security)
    # Django runs this one for `check --database`, and before it migrates.
    register(check_characters, Tags.database)


def check_routers(**kwargs: Any) -> list[CheckMessage]:
    routers = [router for router in site_routers.routers if isinstance(router, LogRouter)]
    alias, name = settings.LOG_DB_NAME, Settings.LOG_DB_NAME.given_name
    if routers and alias is None:
        return [
            Error(
                f"DATABASE_ROUTERS has {_path(type(routers[0]))!r}, but {name} is not set.",
                hint=f"Set {name} to the alias in DATABASES to which logs go, for example 'log'.",
                id="security_logger.E014",
            )
        ]
    if alias is None or not Settings.LOG_DB_NAME.expected.accepts(alias):
        return []
    if alias not in site_settings.DATABASES:
        return [
            Error(
                f"{name} is {alias!r}, which is no alias in DATABASES.",
                hint=f"Write one of {', '.join(map(repr, site_settings.DATABASES))}, or add {alias!r} to DATABASES.",
                id="security_logger.E015",
            )
        ]
    if not site_settings.DATABASE_ROUTERS:
        return [
            CheckWarning(
                f"{name} is {alias!r}, but no router in DATABASE_ROUTERS sends logs there.",
                hint=(
                    f"Add {_path(MirrorSecurityLoggerRouter)!r} for a second alias of one database, "
                    f"or {_path(MultipleDBSecurityLoggerRouter)!r} for one of its own."
                ),
                id="security_logger.W011",
            )
        ]
    return [message for router in routers for message in _check_place(router, alias)]


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


def check_characters(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    has_router = any(isinstance(router, LogRouter) for router in site_routers.routers)
    if has_router and settings.LOG_DB_NAME not in list(site_settings.DATABASES):
        return messages  # `check_routers` says so
    for alias in databases or ():
        tables = [m._meta.db_table for m in LOG_MODELS.values() if site_routers.db_for_write(m) == alias]
        connection = connections[alias]
        if not tables or connection.vendor != "mysql":
            continue
        narrow = sorted(_character_sets(connection, tables) - {"utf8mb4"})
        if narrow:
            messages.append(
                CheckWarning(
                    f"The logs at {alias!r} are stored in {', '.join(narrow)}: what has a character that is not in "
                    "there, such as an emoji in a path, is stored in ASCII with escapes.",
                    hint=(
                        "ALTER DATABASE … CHARACTER SET utf8mb4, and for each table of the logs that is there already, "
                        "ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4."
                    ),
                    id="security_logger.W014",
                )
            )
    return messages


def _character_sets(connection: BaseDatabaseWrapper, tables: list[str]) -> set[str]:
    """Give the character sets of the columns of tables on MySQL or MariaDB, or that of the tables to come."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT character_set_name FROM information_schema.columns "
            "WHERE table_schema = DATABASE() AND table_name IN %s AND character_set_name IS NOT NULL "
            "UNION SELECT @@character_set_database WHERE NOT EXISTS (SELECT 1 FROM information_schema.tables "
            "WHERE table_schema = DATABASE() AND table_name IN %s)",
            [tables, tables],
        )
        return {name for (name,) in cursor.fetchall()}


def _check_place(router: LogRouter, alias: str) -> list[CheckMessage]:
    """Check that the router is the one for where the alias for logs is."""
    own = site_settings.DATABASES[alias]
    others = [other for name, other in site_settings.DATABASES.items() if name != alias]
    if not own.get("NAME") or is_in_memory(own) or _is_mirror_of_test(own):
        return []
    is_shared = place_of(own) in map(place_of, others)
    if isinstance(router, MultipleDBSecurityLoggerRouter) and is_shared:
        return [
            Error(
                f"The alias {alias!r} is no database of its own, so that {_path(type(router))!r} leaves the logs "
                "without tables: migrate of either alias marks them as made.",
                hint=(
                    f"Write {_path(MirrorSecurityLoggerRouter)!r} instead. Where migrate was run already, run "
                    "'manage.py migrate security_sql zero --fake' and 'manage.py migrate' after that."
                ),
                id="security_logger.E016",
            )
        ]
    # Another host or port can be another way to the same database, such as a pool of connections.
    if isinstance(router, MirrorSecurityLoggerRouter) and name_of(own) not in map(name_of, others):
        return [
            CheckWarning(
                f"The alias {alias!r} is a database of its own, and no second alias of one, for which "
                f"{_path(type(router))!r} is.",
                hint=f"Write {_path(MultipleDBSecurityLoggerRouter)!r} instead, and run migrate --database {alias}.",
                id="security_logger.W013",
            )
        ]
    return []


def _is_mirror_of_test(database: dict[str, Any]) -> bool:
    # While Django's tests run, and only then, there is a box for mails, and such an alias has another database's name.
    return hasattr(mail, "outbox") and bool(database.get("TEST", {}).get("MIRROR"))


def _path(router: type[LogRouter]) -> str:
    return f"{router.__module__}.{router.__qualname__}"
