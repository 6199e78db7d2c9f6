"""Checks of how the parts of a site fit together: its backends, middleware and routers."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any

from django.conf import settings as site_settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.core.management import get_commands

from security.backends.registry import installed_backends
from security.config import Settings, settings
from security.sources.input_requests import is_log_middleware

_MIDDLEWARE = "security.middleware.LogMiddleware"
_AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"
_ROUTERS = tuple(
    f"security.backends.sql.{module}.{router}"
    for module in ("db_router", "dbr_router")
    for router in ("MirrorSecurityLoggerRouter", "MultipleDBSecurityLoggerRouter")
)


def check_backends(**kwargs: Any) -> list[CheckMessage]:
    installed = installed_backends()
    readable = [name for name, backend in installed.items() if backend.reader is not None]
    if not Settings.BACKENDS.expected.accepts(settings.BACKENDS):
        return []
    messages: list[CheckMessage] = [
        Error(
            f"{Settings.BACKENDS.name} names the backend {name!r}, which is not installed.",
            hint=f"Add its app to INSTALLED_APPS, or write one of the installed: {', '.join(installed) or 'none'}.",
            id="security_logger.E010",
        )
        for name in settings.BACKENDS or ()
        if name not in installed
    ]
    if settings.BACKENDS is None and not installed:
        messages.append(
            CheckWarning(
                "Nothing is recorded: no backend is installed.",
                hint="Add 'security.backends.sql' to INSTALLED_APPS, and run migrate.",
                id="security_logger.W012",
            )
        )
    chosen = settings.BACKEND_READER
    # What the testing backend can read are captures, which come and go.
    readable += [name for name in ("testing",) if name in installed]
    if chosen is not None and chosen not in readable:
        messages.append(
            Error(
                f"{Settings.BACKEND_READER.name} names {chosen!r}, which is no installed backend that can be read.",
                hint=f"Write one of: {', '.join(readable) or 'none is installed; add security.backends.sql'}.",
                id="security_logger.E011",
            )
        )
    return messages


def check_middleware(**kwargs: Any) -> list[CheckMessage]:
    middleware = list(site_settings.MIDDLEWARE)
    positions = [position for position, path in enumerate(middleware) if is_log_middleware(path)]
    if not positions:
        return [
            CheckWarning(
                "No input request is recorded: the middleware of django-security-logger is not in MIDDLEWARE.",
                hint=f"Add '{_MIDDLEWARE}' after '{_AUTHENTICATION}'.",
                id="security_logger.W010",
            )
        ]
    if len(positions) > 1:
        return [
            Error(
                f"'{middleware[positions[0]]}' is in MIDDLEWARE more than once.",
                hint="Keep the one after the authentication middleware.",
                id="security_logger.E013",
            )
        ]
    own = middleware[positions[0]]
    if _AUTHENTICATION in middleware and middleware.index(_AUTHENTICATION) > positions[0]:
        return [
            Error(
                f"'{own}' comes before '{_AUTHENTICATION}' in MIDDLEWARE.",
                hint=f"Move '{own}' behind '{_AUTHENTICATION}'.",
                id="security_logger.E012",
            )
        ]
    return []


def check_routers(**kwargs: Any) -> list[CheckMessage]:
    routers = [router for router in site_settings.DATABASE_ROUTERS if router in _ROUTERS]
    alias, name = settings.LOG_DB_NAME, Settings.LOG_DB_NAME.name
    if routers and alias is None:
        return [
            Error(
                f"DATABASE_ROUTERS has {routers[0]!r}, but {name} is not set.",
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
                hint=f"Add {_ROUTERS[0]!r} for a second alias of one database, or {_ROUTERS[1]!r} for one of its own.",
                id="security_logger.W011",
            )
        ]
    return []


def check_command_tasks(**kwargs: Any) -> list[CheckMessage]:
    setting = Settings.AUTO_GENERATE_TASKS_FOR_DJANGO_COMMANDS
    names = settings.AUTO_GENERATE_TASKS_FOR_DJANGO_COMMANDS
    if not names or not setting.expected.accepts(names):
        return []
    commands = get_commands()
    messages: list[CheckMessage] = []
    for name in names:
        if name in commands:
            continue
        nearest = get_close_matches(name, commands, n=1)
        hint = f"Write {nearest[0]!r} instead." if nearest else "Remove it, or add its app to INSTALLED_APPS."
        messages.append(
            Error(f"{setting.name} has {name!r}, which is no command.", hint=hint, id="security_logger.E060")
        )
    if find_spec("celery") is None:
        messages.append(
            Error(
                f"{setting.name} is set, but Celery is not installed.",
                hint="pip install django-security-logger[celery]",
                id="security_logger.E061",
            )
        )
    return messages
