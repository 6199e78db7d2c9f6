"""Tables as text (RFC 4180), whose first row names the columns."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from .hiding import Hiding

_DELIMITERS: Final = ",;\t|"
_SAID_DELIMITER: Final = re.compile(r"\ufeff?sep=.\r?\n")
_BARE: Final = re.compile(r"[\"\r\n]")


@lru_cache(maxsize=8)
def _field_pattern(delimiter: str) -> re.Pattern[str]:
    mark = re.escape(delimiter)
    # A quoted field whose end is missing ends with the text.
    return re.compile(rf'(?:"((?:[^"]++|"")*+)(?:"|\Z)|([^{mark}\r\n]*+))([^{mark}\r\n]*+)({mark}|\r\n|\n|\r|\Z)')


def mask_csv(text: str, hiding: Hiding) -> str | None:
    """Hide the columns with secret names, and what is secret in the others; None for what names no columns."""
    said = _SAID_DELIMITER.match(text)
    if said is not None:
        # A spreadsheet's own line in front of the table
        masked = mask_csv(text[said.end() :], hiding)
        return None if masked is None else said[0] + masked
    first_line = text.lstrip("\ufeff").partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first_line.count)
    pattern = _field_pattern(delimiter)
    names: list[str] = []
    kept: list[str] = []
    position = column = row = 0
    while position < len(text):
        match = pattern.match(text, position)
        if match is None:
            return None
        quoted, bare, rest, mark = match.groups()
        value = (bare if quoted is None else quoted.replace('""', '"')) + rest
        if row == 0:
            names.append(value.strip("\ufeff \t"))
        name = names[column] if column < len(names) else ""
        masked = value if row == 0 else _masked(name, value, hiding)
        kept.append(match[0] if masked == value else _written(masked, delimiter, quoted is not None) + mark)
        position = match.end()
        column, row = (column + 1, row) if mark == delimiter else (0, row + 1)
    return "".join(kept) if len(names) > 1 or row > 1 else None


def _masked(name: str, value: str, hiding: Hiding) -> str:
    if value.strip() in ("", hiding.replacement):
        return value
    if not name or not hiding.is_secret(name):
        return hiding.inner(value)
    return value if hiding.is_count(name, value) else hiding.hide(f"column {name}", value)


def _written(value: str, delimiter: str, is_quoted: bool) -> str:
    if is_quoted or delimiter in value or _BARE.search(value) is not None:
        return '"' + value.replace('"', '""') + '"'
    return value
