"""Tables as text (RFC 4180), whose first row names the columns, but for what stands in front of it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from .hiding import Hiding

_DELIMITERS: Final = ",;\t|"
# What is no row yet: a mark of Unicode, a spreadsheet's own line, comments, rows without a value
_BEFORE_HEAD: Final = re.compile(r"(?:\ufeff?(?:sep=.|[ \t,;|\"]*+(?:\#[^\r\n]*+)?)(?:\r\n|\n|\r))*+")
_COMMENT_OF_NAMES: Final = re.compile(r"\#[ \t]*+([^\r\n]++)(?:\r\n|\n|\r)\Z")
_LINE: Final = re.compile(r"([^\r\n]*+)(?:\r\n|\n|\r|\Z)")
_HAS_DELIMITER: Final = re.compile(rf"[{_DELIMITERS}]")
_NAMES: Final = re.compile(rf'[\w .\-"/{_DELIMITERS}]++\r?')
_LONGEST_HEAD: Final = 2000
_LONGEST_ROW: Final = 20_000
_MOST_TITLES: Final = 10
_BARE: Final = re.compile(r"[\"\r\n]")


@lru_cache(maxsize=8)
def _field_pattern(delimiter: str) -> re.Pattern[str]:
    mark = re.escape(delimiter)
    # A quoted field whose end is missing ends with the text.
    return re.compile(rf'(?:"((?:[^"]++|"")*+)(?:"|\Z)|([^{mark}\r\n]*+))([^{mark}\r\n]*+)({mark}|\r\n|\n|\r|\Z)')


def looks_like_table(text: str, hiding: Hiding) -> bool:
    """Tell whether a text of any kind begins with the names of columns, one of them secret, and a row of as many."""
    lines = text.lstrip("\ufeff\r\n").split("\n", 2)
    if len(lines) < 2 or len(lines[0]) > _LONGEST_HEAD:
        return False
    delimiter = max(_DELIMITERS, key=lines[0].count)
    count = lines[0].count(delimiter)
    if not count or lines[1][:_LONGEST_ROW].count(delimiter) != count or _NAMES.fullmatch(lines[0]) is None:
        return False
    return any(hiding.is_secret(name.strip(' \r"')) for name in lines[0].split(delimiter))


def mask_csv(text: str, hiding: Hiding) -> str | None:
    """Hide the columns with secret names, and what is secret elsewhere; None for what names no columns."""
    begin = _begin_of_head(text, hiding)
    before = text[:begin]
    comment = _COMMENT_OF_NAMES.search(before[before.rstrip().rfind("\n") + 1 :])
    first_line = text[begin:].lstrip("\ufeff").partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first_line.count)
    # A single column may hold the delimiters of others.
    table = _Table(text, hiding, delimiter if delimiter in first_line else "\0")
    is_head = comment is not None and comment[1].count(delimiter) == first_line.count(delimiter) > 0
    if comment is not None and is_head and table.names_secret(comment[1]):
        table.names = comment[1].split(delimiter)
    masked = table.masked(begin)
    return None if masked is None else (hiding.inner(before) if before.strip() else before) + masked


def _begin_of_head(text: str, hiding: Hiding) -> int:
    """Give where the row begins that names the columns: behind comments, and behind titles of one field."""
    begin = _BEFORE_HEAD.match(text).end()  # type: ignore[union-attr]
    after = begin
    for _ in range(_MOST_TITLES):
        line = _LINE.match(text, after)
        if line is None or _HAS_DELIMITER.search(line[1]) is not None or hiding.is_secret(line[1].strip(' "')):
            break
        after = _BEFORE_HEAD.match(text, line.end()).end()  # type: ignore[union-attr]
    following = _LINE.match(text, after)
    # Without a row of more fields the table has one column.
    is_title = following is not None and _HAS_DELIMITER.search(following[1]) is not None
    return after if is_title else begin


class _Table:
    def __init__(self, text: str, hiding: Hiding, delimiter: str) -> None:
        self.text = text
        self.hiding = hiding
        self.delimiter = delimiter
        self.names: list[str] = []

    def names_secret(self, line: str) -> bool:
        return any(self.hiding.is_secret(name.strip(' "')) for name in line.split(self.delimiter))

    def masked(self, position: int) -> str | None:
        pattern = _field_pattern(self.delimiter)
        count = self.hiding.count_of_findings()
        kept: list[str] = []
        is_head = not self.names
        column = rows = 0
        is_empty = False
        while position < len(self.text):
            match = pattern.match(self.text, position)
            if match is None:
                self.hiding.forget_findings(count)
                return None
            quoted, bare, rest, mark = match.groups()
            value = (bare if quoted is None else quoted.replace('""', '"')) + rest
            if column == 0 and is_empty and value:
                # Behind an empty row another table can begin.
                is_head = self.names_secret(_LINE.match(self.text, position)[1])  # type: ignore[index]
                self.names = [] if is_head else self.names
            if is_head:
                self.names.append(value.strip("\ufeff \t"))
            masked = self.hiding.inner(value) if is_head else self.masked_field(column, value)
            kept.append(match[0] if masked == value else _written(masked, self.delimiter, quoted is not None) + mark)
            position = match.end()
            if mark == self.delimiter:
                column += 1
            else:
                is_empty = column == 0 and not value
                column, rows, is_head = 0, rows + 1, False
        if len(self.names) > 1 or rows > 1:
            return "".join(kept)
        self.hiding.forget_findings(count)
        return None

    def masked_field(self, column: int, value: str) -> str:
        name = self.names[column] if column < len(self.names) else ""
        if value.strip() in ("", self.hiding.replacement):
            return value
        if not name or not self.hiding.is_secret(name):
            return self.hiding.inner(value)
        return value if self.hiding.is_count(name, value) else self.hiding.hide(f"column {name}", value)


def _written(value: str, delimiter: str, is_quoted: bool) -> str:
    if is_quoted or delimiter in value or _BARE.search(value) is not None:
        return '"' + value.replace('"', '""') + '"'
    return value
