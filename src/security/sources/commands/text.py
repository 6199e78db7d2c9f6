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


class TextTail:
    """The last characters of a text that grows.

    Each cut costs the length of the text, so it takes place only when `slack` more than `length` are there.
    """

    def __init__(self, length: int, slack: int) -> None:
        self.length = length
        self.slack = slack
        self._pieces: list[str] = []
        self._size = 0
        self._was_cut = False

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
            # Room for the ellipsis; a whole line at the start reads better, and a secret keeps its name beside it.
            text = text[len(text) - max(self.length - 1, 0) :]
            line_end = text.find("\n", 0, self.slack)
            text = text[line_end + 1 :]
            self._was_cut = True
        self._pieces = [text]
        self._size = len(text)
