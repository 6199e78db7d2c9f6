"""The three groups of patterns that a site may set (published section "Sensitive data")."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Literal

from security.config import settings


def mask_text(text: str) -> str:
    """Hide what the patterns of the group BODY find: their groups, or the whole match where they have none."""
    if not settings.HIDE_SENSITIVE_DATA:
        return text
    replacement = settings.SENSITIVE_DATA_REPLACEMENT
    for pattern in _compiled(_patterns_of("BODY")):
        text = _replace(pattern, text, replacement)
    return text


def mask_members(
    members: Mapping[str, str | list[str]], group: Literal["HEADERS", "QUERIES"]
) -> dict[str, str | list[str]]:
    """Hide the values of the headers or queries whose names a pattern of `group` finds."""
    if not settings.HIDE_SENSITIVE_DATA:
        return dict(members)
    replacement = settings.SENSITIVE_DATA_REPLACEMENT
    patterns = _patterns_of(group)
    return {
        name: _hidden(value, replacement) if _is_sensitive(patterns, name) else value for name, value in members.items()
    }


def _hidden(value: str | list[str], replacement: str) -> str | list[str]:
    return replacement if isinstance(value, str) else [replacement] * len(value)


def _patterns_of(group: str) -> tuple[str, ...]:
    patterns: Collection[str] = settings.HIDE_SENSITIVE_DATA_PATTERNS.get(group, ())
    return tuple(patterns)


@lru_cache(maxsize=16)
def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)


# Clients invent names: the cache is bounded, and no longer name enters it.
@lru_cache(maxsize=2048)
def _is_sensitive_short(patterns: tuple[str, ...], name: str) -> bool:
    # A pattern may write a header's name as HTTP does or as WSGI does.
    spellings = {name.replace("_", "-"), name.replace("-", "_"), name}
    return any(pattern.search(spelling) for pattern in _compiled(patterns) for spelling in spellings)


def _is_sensitive(patterns: tuple[str, ...], name: str) -> bool:
    decide = _is_sensitive_short if len(name) <= 100 else _is_sensitive_short.__wrapped__
    return decide(patterns, name)


def _replace(pattern: re.Pattern[str], text: str, replacement: str) -> str:
    kept: list[str] = []
    position = 0
    for match in pattern.finditer(text):
        for start, end in _secret_spans(match):
            # Groups can be nested or empty; what is behind `position` is hidden already.
            if start >= position and start < end:
                kept += (text[position:start], replacement)
                position = end
    return "".join((*kept, text[position:])) if kept else text


def _secret_spans(match: re.Match[str]) -> Iterable[tuple[int, int]]:
    groups = match.re.groups
    return sorted(match.span(group) for group in range(1, groups + 1)) if groups else (match.span(),)
