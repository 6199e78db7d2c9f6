"""Checks of each setting by itself: its name, its type, and what it points to."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any

from django.conf import settings as site_settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.utils.module_loading import import_string

from security.addresses import parse_network
from security.config import PREFIX, Setting, Settings, all_settings, settings
from security.masking.detectors import DETECTORS
from security.throttling.policy import default_validators

_PATTERN_GROUPS = ("BODY", "HEADERS", "QUERIES")


def _given(setting: Setting[Any]) -> dict[str, Any]:
    """Give the values that the site wrote, by the names that it used."""
    return {name: getattr(site_settings, name) for name in setting.names if hasattr(site_settings, name)}


def check_names(**kwargs: Any) -> list[CheckMessage]:
    known = {name for setting in all_settings() for name in setting.names}
    messages: list[CheckMessage] = []
    for name in dir(site_settings):
        if name.startswith(PREFIX) and name.isupper() and name not in known:
            # Without the prefix, which would make any two names alike.
            bare = sorted(other.removeprefix(PREFIX) for other in known)
            nearest = get_close_matches(name.removeprefix(PREFIX), bare, n=1)
            hint = (
                f"Write {PREFIX}{nearest[0]} instead."
                if nearest
                else "Remove it, or look its name up in the documentation."
            )
            messages.append(
                CheckWarning(f"{name} is no setting of django-security-logger.", hint=hint, id="security_logger.W001")
            )
    return messages


def check_values(**kwargs: Any) -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    for setting in all_settings():
        given = _given(setting)
        messages += [
            Error(
                f"{name} is {value!r}.",
                hint=f"Write {setting.expected.words}; the default is {setting.default!r}.",
                id="security_logger.E001",
            )
            for name, value in given.items()
            if not setting.expected.accepts(value)
        ]
        values = list(given.values())
        if len(values) == 2 and values[0] != values[1]:
            messages.append(
                Error(
                    f"{setting.name} and {setting.alias} are two names of one setting, and their values differ.",
                    hint=f"Keep {setting.name} and remove {setting.alias}.",
                    id="security_logger.E002",
                )
            )
    return messages


def check_patterns(**kwargs: Any) -> list[CheckMessage]:
    groups = settings.HIDE_SENSITIVE_DATA_PATTERNS
    name = Settings.HIDE_SENSITIVE_DATA_PATTERNS.name
    if not Settings.HIDE_SENSITIVE_DATA_PATTERNS.expected.accepts(groups):
        return []  # check_values says so
    messages: list[CheckMessage] = [
        Error(
            f"{name} has the group {group!r}.",
            hint=f"Write one of {', '.join(map(repr, _PATTERN_GROUPS))}; no other group is looked at.",
            id="security_logger.E003",
        )
        for group in groups
        if group not in _PATTERN_GROUPS
    ]
    for group, patterns in groups.items():
        for pattern in patterns:
            try:
                re.compile(pattern, re.IGNORECASE)
            except re.error as error:
                messages.append(
                    Error(
                        f"{name}[{group!r}] has the pattern {pattern!r}, which does not compile: {error}.",
                        hint="Write a regular expression of the module re; re.escape() gives one for a literal text.",
                        id="security_logger.E004",
                    )
                )
    return messages


def check_detectors(**kwargs: Any) -> list[CheckMessage]:
    disabled, name = settings.DISABLED_DETECTORS, Settings.DISABLED_DETECTORS.name
    if not Settings.DISABLED_DETECTORS.expected.accepts(disabled):
        return []  # check_values says so
    known = [detector.name for detector in DETECTORS]
    return [
        Error(
            f"{name} has {detector!r}, which is no detector.",
            hint=f"Write one of {', '.join(known)}.",
            id="security_logger.E070",
        )
        for detector in disabled
        if detector not in known
    ]


def check_paths(**kwargs: Any) -> list[CheckMessage]:
    """Look only at what the site wrote: the defaults are the library's own business."""
    messages: list[CheckMessage] = []
    for setting, load, example in (
        (Settings.THROTTLING_FAILURE_VIEW, import_string, "shop.views.too_many_requests"),
        (Settings.DEFAULT_THROTTLING_VALIDATORS_PATH, default_validators, "shop.throttling"),
    ):
        for name, path in _given(setting).items():
            if path == setting.default or not setting.expected.accepts(path):
                continue
            try:
                load(path)
            except Exception as error:
                messages.append(
                    Error(
                        f"{name} is {path!r}, which cannot be imported: {error}.",
                        hint=f"Write a path that can be imported, for example {example!r}.",
                        id="security_logger.E005",
                    )
                )
    ignored = settings.LOG_REQUEST_IGNORE_IP
    if Settings.LOG_REQUEST_IGNORE_IP.expected.accepts(ignored):
        messages += [
            Error(
                f"{Settings.LOG_REQUEST_IGNORE_IP.name} has {text!r}, which is no address and no network.",
                hint="Write for example '192.0.2.7', '2001:db8::7' or '10.0.0.0/8'.",
                id="security_logger.E006",
            )
            for text in ignored
            if parse_network(text) is None
        ]
    return messages
