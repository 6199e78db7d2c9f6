"""What a site wants hidden, as its settings say it at this moment."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from security.config import Settings, settings

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
    harmless_texts: HarmlessTexts = field(default_factory=HarmlessTexts)

    @property
    def has_own_patterns(self) -> bool:
        return not DEFAULT_PATTERNS.issuperset(self.body)


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


def _read_rules() -> Rules | None:
    if not settings.HIDE_SENSITIVE_DATA:
        return None
    patterns = settings.HIDE_SENSITIVE_DATA_PATTERNS
    return _rules(
        settings.SENSITIVE_DATA_REPLACEMENT,
        _fixed(settings.SENSITIVE_KEYS),
        _fixed(settings.INNOCENT_KEYS),
        _fixed(patterns.get("BODY", ())),
        _fixed(patterns.get("HEADERS", ())),
        _fixed(patterns.get("QUERIES", ())),
        _fixed(settings.DISABLED_DETECTORS),
    )


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
    return Rules(replacement, SensitiveKeys(added, innocent), body, headers, queries, frozenset(disabled))


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)
