"""The end of what a program printed, as a person would have read it."""

from __future__ import annotations

import re
from typing import Final

from security.truncation import ELLIPSIS

# Escape sequences of terminals (ECMA-48, 5.3 and 5.4): colours and other controls, and titles (OSC).
_ESCAPE: Final = re.compile(r"\x1b(?:\[[0-?]*+[ -/]*+[@-~]|\][^\x07\x1b]*+(?:\x07|\x1b\\)|[@-Z\\-_])")


def readable(text: str) -> str:
    """Drop colours, and what a progress bar painted over: a carriage return goes back to the start of its line."""
    text = _ESCAPE.sub("", text)
    if "\r" not in text:
        return text
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


# A member of a JSON document: inside a text its quotes would have backslashes.
_NEXT_MEMBER: Final = re.compile(r"[,{]\s{0,8}(?=\"[^\"\\\r\n]{1,60}\"\s{0,8}:)")


# A value in a line of its own, as that of a multipart part is, has its name some lines above.
_MOST_LINES_OF_ONE: Final = 5
_PART_OF_ONE: Final = re.compile(r"\s|Content-[A-Za-z-]{1,40}:")


class TextTail:
    """The last characters of a text that grows, from where something new begins: a secret loses its name in a cut.

    Each cut costs the length of the text, so it takes place only when `slack` more than `length` are there.
    """

    def __init__(self, length: int, slack: int) -> None:
        self.length = length
        self.slack = slack
        self._pieces: list[str] = []
        self._size = 0
        self._was_cut = False
        self._begins_inside = False

    def add(self, piece: str) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > self.length + self.slack:
            self._settle()

    def __str__(self) -> str:
        self._settle()
        text = self._pieces[0]
        if not self._was_cut or self.length == 0:
            return text
        return ELLIPSIS + text[max(len(text) - self.length + 1, 0) :]

    def _settle(self) -> None:
        text = readable("".join(self._pieces))
        was_blank = False
        if len(text) > self.length:
            # Room for the ellipsis
            cut = len(text) - max(self.length - 1, 0)
            was_blank = text[cut - 1 : cut + 1] == "\n\n"
            text = text[cut:]
            self._was_cut = self._begins_inside = True
        if self._begins_inside:
            begin = _begin_of_something(text, after_blank=was_blank)
            self._begins_inside = begin is None
            text = "" if begin is None else text[begin:]
        self._pieces = [text]
        self._size = len(text)


def _begin_of_something(text: str, *, after_blank: bool = False) -> int | None:
    """Give where the first line or member behind the beginning of a text begins; None where all is of one.

    Lines that are indented, the headers of a part, and the line behind a blank one are taken for what belongs to the
    lines in front of them.
    """
    line_end = text.find("\n")
    member = _NEXT_MEMBER.search(text, 0, len(text) if line_end < 0 else line_end)
    if member is not None:
        return member.end()
    begin: int | None = None
    for _ in range(_MOST_LINES_OF_ONE):
        if line_end < 0:
            return None
        begin = line_end + 1
        line_end = text.find("\n", begin)
        line = text[begin : len(text) if line_end < 0 else line_end]
        if not line.strip() and line_end >= 0:
            after_blank = True
        elif after_blank:
            after_blank = False
        elif not _PART_OF_ONE.match(line):
            return begin
    return begin
