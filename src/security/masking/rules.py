"""What a site wants hidden, as its settings say it at this moment."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextvars import ContextVar, Token
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from security.config import SettingGroup, Settings

from .harmless import HarmlessTexts
from .keys import SensitiveKeys

DEFAULT_PATTERNS: Final = frozenset(Settings.HIDE_SENSITIVE_DATA_PATTERNS.default.get("BODY", ()))


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """The rules of a site; while its settings stay as they are, they are the same object."""

    replacement: str
    keys: SensitiveKeys
    body: tuple[str, ...]
    headers: tuple[str, ...]
    queries: tuple[str, ...]
    disabled_detectors: frozenset[str]
    has_own_patterns: bool
    harmless_texts: HarmlessTexts = field(default_factory=HarmlessTexts)


_held: ContextVar[tuple[Rules | None] | None] = ContextVar("security_masking_rules", default=None)


class held_rules:  # noqa: N801 it is called as a function is
    """Reads the settings once for all that is masked in this block."""

    __slots__ = ("_token",)

    _token: Token[tuple[Rules | None] | None]

    def __enter__(self) -> None:
        try:
            held = (_read_rules(),)
        except Exception:  # each field meets it again, and is hidden
            held = None
        self._token = _held.set(held)

    def __exit__(self, *args: object) -> None:
        _held.reset(self._token)


def current_rules() -> Rules | None:
    """Give the rules that hold now; None where SECURITY_HIDE_SENSITIVE_DATA is off."""
    held = _held.get()
    return _read_rules() if held is None else held[0]


_settings: Final = SettingGroup(
    Settings.HIDE_SENSITIVE_DATA,
    Settings.SENSITIVE_DATA_REPLACEMENT,
    Settings.SENSITIVE_KEYS,
    Settings.INNOCENT_KEYS,
    Settings.HIDE_SENSITIVE_DATA_PATTERNS,
    Settings.DISABLED_DETECTORS,
)
# What the settings were when they were last read, and the rules that they made.
_latest: tuple[tuple[Any, ...], Rules | None] = ((), None)


def _read_rules() -> Rules | None:
    global _latest
    values = _settings.values()
    known, rules = _latest
    if values == known:
        return rules
    if not _is_plain(values):
        # It may be another one each time that it is looked at.
        return _rules_of(*values)
    # A site can change a list in place, at any moment: the rules are made of the copy that is compared with it later.
    copied = deepcopy(values)
    rules = _rules_of(*copied)
    _latest = copied, rules
    return rules


def _is_plain(value: object) -> bool:
    if type(value) is dict:
        return all(map(_is_plain, (*value, *value.values())))
    if type(value) in (tuple, list, set, frozenset):
        return all(map(_is_plain, value))  # type: ignore[call-overload]
    return type(value) in (str, bool)


def _rules_of(
    is_on: bool,
    replacement: str,
    added: Collection[str],
    innocent: Collection[str],
    patterns: Mapping[str, Collection[str]],
    disabled: Collection[str],
) -> Rules | None:
    if not is_on:
        return None
    groups = [patterns.get(group, ()) for group in ("BODY", "HEADERS", "QUERIES")]
    return _rules(replacement, *map(_fixed, (added, innocent, *groups, disabled)))


def _fixed(texts: Collection[str]) -> tuple[str, ...]:
    return texts if type(texts) is tuple else tuple(sorted(texts) if isinstance(texts, (set, frozenset)) else texts)


@lru_cache(maxsize=16)
def _rules(
    replacement: str,
    added: tuple[str, ...],
    innocent: tuple[str, ...],
    body: tuple[str, ...],
    headers: tuple[str, ...],
    queries: tuple[str, ...],
    disabled: tuple[str, ...],
) -> Rules:
    keys, has_own_patterns = SensitiveKeys(added, innocent), not DEFAULT_PATTERNS.issuperset(body)
    return Rules(replacement, keys, body, headers, queries, frozenset(disabled), has_own_patterns)


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)
