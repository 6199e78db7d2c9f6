"""Checks of how the parts of a site fit together: its backends, middleware and commands."""

from __future__ import annotations

from collections.abc import Collection
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
_OWN_READABLE_BACKENDS = ("sql", "testing")
_OWN_BACKENDS = (*_OWN_READABLE_BACKENDS, "logging")
# Published, and not in this version
_BACKENDS_TO_COME = ("elasticsearch",)


def readable_backends() -> list[str]:
    """Give the names of the installed backends that SECURITY_BACKEND_READER may name."""
    # What the testing backend can read are captures, which come and go.
    return [name for name, backend in installed_backends().items() if backend.reader is not None or name == "testing"]


def check_backends(**kwargs: Any) -> list[CheckMessage]:
    installed = installed_backends()
    if not Settings.BACKENDS.expected.accepts(settings.BACKENDS):
        return []
    messages: list[CheckMessage] = [
        Error(
            f"{Settings.BACKENDS.given_name} names the backend {name!r}, which is not installed.",
            hint=_missing_backend(name, installed, _OWN_BACKENDS)
            or f"Add its app to INSTALLED_APPS, or write one of the installed: {', '.join(installed) or 'none'}.",
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
    chosen, readable = settings.BACKEND_READER, readable_backends()
    if chosen is not None and chosen not in readable:
        messages.append(
            Error(
                f"{Settings.BACKEND_READER.name} names {chosen!r}, which is no installed backend that can be read.",
                hint=_missing_backend(chosen, readable, _OWN_READABLE_BACKENDS)
                or f"Write one of: {', '.join(readable) or 'none is installed; add security.backends.sql'}.",
                id="security_logger.E011",
            )
        )
    return messages


def _missing_backend(name: object, installed: Collection[str], own: Collection[str]) -> str | None:
    """Say how one of the library's own backends is meant, or installed."""
    bare = str(name).removeprefix("security.backends.")
    if bare in installed:
        return f"Write {bare!r}: backends have short names here."
    if bare in _BACKENDS_TO_COME:
        return f"This version has no backend {bare!r}; write one of the installed: {', '.join(installed) or 'none'}."
    return f"Add 'security.backends.{bare}' to INSTALLED_APPS." if bare in own else None


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
                hint='pip install "django-security-logger[celery]"',
                id="security_logger.E061",
            )
        )
    return messages
