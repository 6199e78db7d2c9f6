"""Checks of each setting by itself: its name, its type, and what it points to."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Any

from django.conf import settings as site_settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.utils.module_loading import import_string

from security.addresses import parse_network
from security.config import PREFIX, Settings, all_settings, settings
from security.masking.detectors import DETECTORS
from security.throttling.policy import default_validators

_PATTERN_GROUPS = ("BODY", "HEADERS", "QUERIES")
# The names of RFC 6838, 4.2
_CONTENT_TYPE = re.compile("/".join(2 * [r"[a-z0-9][a-z0-9!#$&^_.+-]*"]), re.IGNORECASE | re.ASCII)
_VIEW_HINT = "Write the path of a view, for example 'shop.views.too_many_requests'."
_VALIDATORS_HINT = (
    "Write the path of a module, for example 'shop.throttling', and define default_validators = (...) in it."
)


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
        given = setting.given()
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


def check_unused(**kwargs: Any) -> list[CheckMessage]:
    return [
        CheckWarning(
            f"{name} does nothing in this version of django-security-logger.",
            hint="Remove it, or put this id into SILENCED_SYSTEM_CHECKS.",
            id="security_logger.W009",
        )
        for setting in all_settings()
        if not setting.is_used
        for name, value in setting.given().items()
        if value  # what asks for nothing gets it: each default is False, None or empty
    ]


def check_patterns(**kwargs: Any) -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    ignored = settings.DEBUG_TOOLBAR_IGNORE_URL_REGEX_PATHS
    if Settings.DEBUG_TOOLBAR_IGNORE_URL_REGEX_PATHS.expected.accepts(ignored):
        messages += _not_compiling(Settings.DEBUG_TOOLBAR_IGNORE_URL_REGEX_PATHS.name, ignored)
    groups = settings.HIDE_SENSITIVE_DATA_PATTERNS
    name = Settings.HIDE_SENSITIVE_DATA_PATTERNS.name
    if not Settings.HIDE_SENSITIVE_DATA_PATTERNS.expected.accepts(groups):
        return messages  # check_values says so
    messages += [
        Error(
            f"{name} has the group {group!r}.",
            hint=f"Write one of {', '.join(map(repr, _PATTERN_GROUPS))}; no other group is looked at.",
            id="security_logger.E003",
        )
        for group in groups
        if group not in _PATTERN_GROUPS
    ]
    for group, patterns in groups.items():
        messages += _not_compiling(f"{name}[{group!r}]", patterns)
    return messages


def _not_compiling(where: str, patterns: Collection[str]) -> Iterator[CheckMessage]:
    for pattern in patterns:
        try:
            re.compile(pattern, re.IGNORECASE)
        except re.error as error:
            yield Error(
                f"{where} has the pattern {pattern!r}, which does not compile: {error}.",
                hint="Write a regular expression of the module re; re.escape() gives one for a literal text.",
                id="security_logger.E004",
            )


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


def _failure_view(path: str) -> None:
    view = import_string(path)
    if not callable(view):
        raise TypeError(f"it leads to a {type(view).__name__}, which cannot be called")


def check_paths(**kwargs: Any) -> list[CheckMessage]:
    """Look only at what the site wrote: the defaults are the library's own business."""
    messages: list[CheckMessage] = []
    for setting, load, hint in (
        (Settings.THROTTLING_FAILURE_VIEW, _failure_view, _VIEW_HINT),
        (Settings.DEFAULT_THROTTLING_VALIDATORS_PATH, default_validators, _VALIDATORS_HINT),
    ):
        for name, path in setting.given().items():
            if path == setting.default or not setting.expected.accepts(path):
                continue
            try:
                load(path)
            except Exception as error:
                said = str(error).removesuffix(".")
                if name not in said:
                    said = f"{name} is {path!r}, which cannot be used: {said}"
                messages.append(Error(f"{said}.", hint=hint, id="security_logger.E005"))
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


def check_what_is_recorded(**kwargs: Any) -> list[CheckMessage]:
    """Find the entries that match nothing that a request can have."""
    messages: list[CheckMessage] = []
    paths = settings.LOG_REQUEST_IGNORE_URL_PATHS
    if Settings.LOG_REQUEST_IGNORE_URL_PATHS.expected.accepts(paths):
        messages += [
            CheckWarning(
                f"{Settings.LOG_REQUEST_IGNORE_URL_PATHS.name} has {path!r}, which is the path of no request.",
                hint="Write whole paths, no patterns and no queries: they begin with '/', as in '/health/'.",
                id="security_logger.W007",
            )
            for path in paths
            if not path.startswith("/") or "?" in path or path.endswith("*")
        ]
    types = settings.LOG_RESPONSE_BODY_CONTENT_TYPES
    if Settings.LOG_RESPONSE_BODY_CONTENT_TYPES.expected.accepts(types):
        messages += [
            CheckWarning(
                f"{Settings.LOG_RESPONSE_BODY_CONTENT_TYPES.name} has {name!r}, which is no content type.",
                hint="Write type and subtype, as in 'application/json': no '*' and no parameters.",
                id="security_logger.W008",
            )
            for name in types
            if not _CONTENT_TYPE.fullmatch(name)
        ]
    return messages
