"""Statements of SQL, and messages of databases, which have their names in one place and the values in another."""

from __future__ import annotations

import re
from typing import Final

from .hiding import Hiding
from .values import end_of_parentheses

# Key (token)=(x) already exists.
_KEY: Final = re.compile(r"\bKey \(([^()]{1,200}+)\)=(?=\([^()\s])")
_DUPLICATE: Final = re.compile(r"Duplicate entry \\*'([^\r\n]{1,300}?)\\*' for key \\*'([^'\\\r\n]{1,100}+)\\*'")
_INSERT: Final = re.compile(
    r"(?i)\b(?:insert|replace)\s{1,3}(?:ignore\s{1,3})?into\s{1,3}[^\s()]{1,200}\s{0,3}\(([^()]{1,2000}+)\)"
    r"\s{0,3}values\s{0,3}(?=\()"
)
_NEXT_ROW: Final = re.compile(r"\s{0,3}+,\s{0,3}+(?=\()")
_COMPARED: Final = re.compile(
    r"(?i)(?<![\w.\"`\\])(?<!\bfor )([\w.\"`\\]{2,100}+)\s{1,3}(?:not\s{1,3})?"
    r"(?:in|i?like|similar to|regexp)\s{0,3}(?=[('\"])"
)
_TEXT: Final = re.compile(r"'((?:[^'\\]++|\\.|'')*+)|\"((?:[^\"\\]++|\\.|\"\")*+)", re.DOTALL)
# What stands in place of values that are sent beside a statement, or names another table
_NO_VALUES: Final = re.compile(
    r"(?i)(?:\s|,|\?|%s|%\(\w+\)s|:\w+|@\w+|\$[0-9]+|default|null|now\(\))*+|\s*+select\b.*", re.DOTALL
)


def may_be_of_database(text: str) -> bool:
    return "(" in text or "Duplicate entry" in text or "like " in text.lower()


def mask_databases(text: str, hiding: Hiding) -> str:
    """Hide the values of secret columns."""
    spans = _spans(text, hiding)
    return hiding.hide_spans(
        text, (("statement", start, end) for start, end in spans if text[start:end] != hiding.replacement)
    )


def _spans(text: str, hiding: Hiding) -> list[tuple[int, int]]:
    # What is between parentheses that nothing closes goes to the end, once.
    behind = 0
    spans: list[tuple[int, int]] = []
    for match in _KEY.finditer(text):
        if match.start() >= behind and _names_secret(match[1], hiding):
            spans.append(_inside(text, match.end()))
            behind = spans[-1][1]
    spans += [match.span(1) for match in _DUPLICATE.finditer(text) if hiding.is_secret(match[2])]
    behind = 0
    for match in _INSERT.finditer(text):
        if match.start() >= behind and _names_secret(match[1], hiding):
            rows = _rows(text, match.end())
            spans += rows
            behind = rows[-1][1]
    behind = 0
    for match in _COMPARED.finditer(text):
        if match.start() >= behind and hiding.is_secret(match[1]):
            quoted = _TEXT.match(text, match.end())
            spans.append(_inside(text, match.end()) if quoted is None else quoted.span(quoted.lastindex or 0))
            behind = spans[-1][1]
    return sorted(spans)


def _names_secret(columns: str, hiding: Hiding) -> bool:
    return any(hiding.is_secret(name.strip(' "`[]\\\r\n\t')) for name in columns.split(","))


def _rows(text: str, start: int) -> list[tuple[int, int]]:
    rows = []
    while True:
        rows.append(_inside(text, start))
        following = _NEXT_ROW.match(text, rows[-1][1] + 1)
        if following is None:
            return rows
        start = following.end()


def _inside(text: str, start: int) -> tuple[int, int]:
    """Give what is between parentheses; nothing, where no value is."""
    end = end_of_parentheses(text, start)
    if text[end - 1 : end] == ")":
        end -= 1
    return (end, end) if _NO_VALUES.fullmatch(text, start + 1, end) is not None else (start + 1, end)
