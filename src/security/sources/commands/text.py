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
        if len(text) > self.length:
            # Room for the ellipsis
            text = text[len(text) - max(self.length - 1, 0) :]
            self._was_cut = self._begins_inside = True
        if self._begins_inside:
            begin = _begin_of_something(text)
            self._begins_inside = begin is None
            text = "" if begin is None else text[begin:]
        self._pieces = [text]
        self._size = len(text)


def _begin_of_something(text: str) -> int | None:
    """Give where the first line or member behind the beginning of a text begins; None where all is of one."""
    line_end = text.find("\n")
    member = _NEXT_MEMBER.search(text, 0, len(text) if line_end < 0 else line_end)
    if member is not None:
        return member.end()
    return None if line_end < 0 else line_end + 1
