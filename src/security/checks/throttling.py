"""Checks of what throttling needs: validators, a place to count in, and the names of proxies."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured

from security.addresses import parse_network
from security.config import Settings, settings
from security.throttling.counting import counter

from .setup import readable_backends


def check_counter(**kwargs: Any) -> list[CheckMessage]:
    if not settings.THROTTLING_ENABLED:
        return []
    storage = Settings.THROTTLING_STORAGE
    if not storage.expected.accepts(settings.THROTTLING_STORAGE):
        return []  # check_values says so
    reader = settings.BACKEND_READER
    if settings.THROTTLING_STORAGE is None and reader is not None and reader not in readable_backends():
        return []  # check_backends says so
    try:
        counter()
    except ImproperlyConfigured as error:
        if settings.THROTTLING_STORAGE is not None:
            return [Error(str(error), hint=f"Write {storage.expected.words}.", id="security_logger.E030")]
        return [
            CheckWarning(
                "Requests are not throttled: no installed backend can count them.",
                hint=f"Add 'security.backends.sql' to INSTALLED_APPS, set {storage.name}, "
                f"or set {Settings.THROTTLING_ENABLED.name} to False.",
                id="security_logger.W030",
            )
        ]
    return []


def check_proxies(**kwargs: Any) -> list[CheckMessage]:
    proxies = settings.TRUSTED_PROXIES
    if not Settings.TRUSTED_PROXIES.expected.accepts(proxies) or proxies is None or isinstance(proxies, int):
        return []
    return [
        Error(
            f"{Settings.TRUSTED_PROXIES.name} has {text!r}, which is no address and no network.",
            hint="Write for example '10.0.0.1' or '10.0.0.0/8', or the number of proxies in place of the list.",
            id="security_logger.E031",
        )
        for text in proxies
        if parse_network(text) is None
    ]
