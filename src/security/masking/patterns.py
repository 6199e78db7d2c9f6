"""The three groups of patterns that a site may set (published section "Sensitive data").

What the default patterns find in a structure is found by the structure as well. There they serve for what is left, and
never reach over the structure's own marks; a site's own patterns hide exactly what they match, everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from .hiding import Hiding
from .rules import DEFAULT_PATTERNS, compiled

_ASSIGNED: Final = r"password=([^&]*)"
# What a text has in it, in small letters, that has something for a default pattern.
_SIGNS: Final = {
    r'"password"\s*:\s*"((?:\\"|[^"])*)': '"password"',
    r"<password>([^<]*)": "<password>",
    _ASSIGNED: "password=",
    r"csrfmiddlewaretoken=([^&]*)": "csrfmiddlewaretoken=",
    r'(?i)content-disposition: form-data; name="password"\r\n\r\n.*': "content-disposition: form-data",
    r'"access_key": "([^"]*)': '"access_key": "',
}
_END_OF_NAME: Final = re.compile(r"[\w.\-\[]*\Z")
_LONGEST_NAME_BEFORE: Final = 40
_END_IN_STRUCTURE: Final = re.compile(r"(?:--|]]|\?)(?=>)|[\"'<>\\\r\n&]|\Z")
_QUOTES: Final = " \t\r\n\"'\\"
# The one default pattern without a group matches the head of a part as well, which has quotes.
_HEAD_OF_PART: Final = re.compile(r"[^\r\n]*+\r\n\r\n")
# A longer name is no name of a header or a query; it is not searched, as a pattern may be slow, but hidden.
_LONGEST_NAME: Final = 1000


def apply_patterns(text: str, hiding: Hiding) -> str:
    """Hide what the patterns of the group BODY find: their groups, or the whole match where they have none."""
    return _apply(text, hiding, is_masked=False)


def apply_patterns_to_masked(text: str, hiding: Hiding) -> str:
    """Hide what the patterns of the group BODY find in a text whose structure was masked."""
    return _apply(text, hiding, is_masked=True)


def _apply(text: str, hiding: Hiding, *, is_masked: bool) -> str:
    folded = text.casefold()
    for pattern in hiding.rules.body:
        if _SIGNS.get(pattern, "") in folded:
            is_confined = is_masked and pattern in DEFAULT_PATTERNS
            text = _replace(compiled(pattern), text, hiding, is_confined=is_confined)
    return text


def _replace(pattern: re.Pattern[str], text: str, hiding: Hiding, *, is_confined: bool) -> str:
    kept: list[str] = []
    position = 0
    for match in pattern.finditer(text):
        if is_confined and (_is_masked(match, hiding) or _is_innocent(match, hiding)):
            continue
        for start, end in _secret_spans(match):
            if is_confined:
                head = None if pattern.groups else _HEAD_OF_PART.match(text, start, end)
                start = start if head is None else head.end()
                end = min(end, _END_IN_STRUCTURE.search(text, start).start())  # type: ignore[union-attr]
            # Groups can be nested or empty; what is behind `position` is hidden already.
            if start >= position and start < end:
                kept += (text[position:start], hiding.hide(f"pattern {pattern.pattern}", text[start:end]))
                position = end
    return "".join((*kept, text[position:])) if kept else text


def _is_masked(match: re.Match[str], hiding: Hiding) -> bool:
    """Tell whether the structure has hidden already what a default pattern finds."""
    if not hiding.replacement:
        return False
    found = match[1].lstrip(_QUOTES) if match.re.groups else match[0]
    return found.startswith(hiding.replacement) if match.re.groups else hiding.replacement in found


def _is_innocent(match: re.Match[str], hiding: Hiding) -> bool:
    """Tell whether "password=" is the end of a name that is no secret's, such as "has_password"."""
    if match.re.pattern != _ASSIGNED:
        return False
    before = _END_OF_NAME.search(match.string[max(match.start() - _LONGEST_NAME_BEFORE, 0) : match.start()])
    return before is not None and bool(before[0]) and not hiding.is_secret(f"{before[0]}password")


def _secret_spans(match: re.Match[str]) -> Iterable[tuple[int, int]]:
    groups = match.re.groups
    return sorted(match.span(group) for group in range(1, groups + 1)) if groups else (match.span(),)


def pattern_of_name(patterns: tuple[str, ...], name: str) -> str | None:
    """Give the pattern of the group HEADERS or QUERIES that finds a name; None where none does."""
    if len(name) > _LONGEST_NAME:
        return "a name too long to be one"
    # A pattern may write a header's name as HTTP does or as WSGI does.
    spellings = {name.replace("_", "-"), name.replace("-", "_"), name}
    return next((p for p in patterns if any(_searched(p).search(spelling) for spelling in spellings)), None)


@lru_cache(maxsize=256)
def _searched(pattern: str) -> re.Pattern[str]:
    # A search begins anywhere; a leading ".*" only makes it slow, as it does that once for each beginning.
    if pattern.startswith(".*") and pattern[2:3] not in tuple("?+*{"):
        try:
            return compiled(pattern[2:])
        except re.error:
            pass
    return compiled(pattern)
