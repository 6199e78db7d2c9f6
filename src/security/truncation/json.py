"""Shortening a JSON document to a shorter, valid JSON document (RFC 8259).

The document is read token by token and only as far as its shortened form reaches, without recursion: a document nested
100,000 deep, one that was itself cut off, and a number of 12,000 digits are ordinary input.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import lru_cache
from typing import Final

from .text import CUT_END, ELLIPSIS

_CUT_TEXT: Final = f'"{ELLIPSIS}"'
_CUT_MEMBER: Final = f"{_CUT_TEXT}:{_CUT_TEXT}"
# What is held back to say, in the innermost container, that something was cut.
_RESERVE: Final = len(_CUT_MEMBER) + 1

# Which parts of a document one text may take, tried one after the other.
_SHARES: Final = (4, 8, 16)
# A replacement such as "[Filtered]" is not cut.
_SHORTEST_CUT: Final = 12

# How long names and numbers may be; a shorter limit of texts is none of theirs.
_LONGEST_NAME: Final = 250
# About what a member of an object takes: a short name, and a value.
_SHORT_MEMBER: Final = 12

_CHARACTER: Final = r'(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))'
# The possessive quantifiers (*+) never step back, so a token costs its length and no more.
_TOKEN: Final = re.compile(
    rf"""[ \t\n\r]*+(?:
        (?P<string>"{_CHARACTER}*+")
      | (?P<scalar>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?(?![-+.\w])|true|false|null)
      | (?P<mark>[][{{}},:])
    )""",
    re.VERBOSE,
)
_CUT_TOKEN: Final = re.compile(
    rf'[ \t\n\r]*+(?:(?P<string>"{_CHARACTER}*+)(?:\\(?:u[0-9a-fA-F]{{0,3}})?)?|[-+.\w]*+)\Z'
)
_CLOSERS: Final = {"{": "}", "[": "]"}


class _Next(Enum):
    """What the grammar wants next."""

    VALUE = auto()
    VALUE_OR_CLOSE = auto()
    NAME = auto()
    NAME_OR_CLOSE = auto()
    COLON = auto()
    COMMA_OR_CLOSE = auto()
    END = auto()


def truncate_json(text: str, limit: int, string_limit: int) -> str | None:
    """Give a valid JSON document of at most `limit` characters, or None if `text` is no JSON.

    Texts longer than `string_limit` characters are cut, and shorter where that keeps all members; then members are left
    out from the end. A cut text ends with an ellipsis; a container that lost members has an ellipsis as its last one.
    White space between tokens goes first. `text` may itself be cut off anywhere: of a text that its end is in, what
    could be half a secret is left out. A `limit` too small for any document gives None.
    """
    shortening = _Shortening(limit, string_limit, _LONGEST_NAME)
    shortened = shortening.of(text)
    if not shortening.has_left_out:
        return shortened
    longest_name = min(_LONGEST_NAME, max(limit // _SHARES[0], _SHORTEST_CUT))
    for share in _SHARES:
        longest = limit // share
        if not _SHORTEST_CUT <= longest < string_limit:
            continue
        if share != _SHARES[0] and _has_too_many_members(text, limit):
            break
        shortening = _Shortening(limit, longest, longest_name)
        attempt = shortening.of(text)
        if attempt is None:
            # What lies behind the end of the document before is no JSON.
            break
        if not shortening.has_left_out:
            return attempt
        if share == _SHARES[0]:
            # Where members are left out in any case, no text takes the place of all others.
            shortened = attempt
    return shortened


def _has_too_many_members(text: str, limit: int) -> bool:
    """Tell quickly of most documents, such as long lists, that no cut of their texts makes room for all members."""
    return text.count('":') * _SHORT_MEMBER > limit or text.count(",") > limit


class _Shortening:
    def __init__(self, limit: int, string_limit: int, name_limit: int) -> None:
        self.limit = limit
        self.string_limit = string_limit
        self.name_limit = name_limit
        self.has_left_out = False
        self.pieces: list[str] = []
        self.length = 0
        self.open: list[str] = []
        self.is_empty = True
        # The comma, name and colon that go out together with the value that they lead to.
        self.lead = ""

    def of(self, text: str) -> str | None:
        position = 0
        wanted = _Next.VALUE
        while wanted is not _Next.END:
            token = _TOKEN.match(text, position)
            if token is None:
                # The end of what there is, or something that is not JSON.
                return self.end_in(_CUT_TOKEN.match(text, position), wanted)
            position = token.end()
            step = self.take(token, wanted)
            if step is None:
                return None
            if isinstance(step, str):
                return step
            wanted = step
        return "".join(self.pieces) if not text[position:].strip(" \t\n\r") else None

    def take(self, token: re.Match[str], wanted: _Next) -> _Next | str | None:
        """Take one token: what is wanted next, or the finished document, or None if this is no JSON."""
        kind, piece = token.lastgroup, token[token.lastindex or 0]
        if kind == "mark":
            return self.take_mark(piece, wanted)
        if kind == "string" and wanted in (_Next.NAME, _Next.NAME_OR_CLOSE):
            self.lead += self.shortened(piece, self.name_limit)
            return _Next.COLON
        if wanted not in (_Next.VALUE, _Next.VALUE_OR_CLOSE):
            return None
        return self.add_value(self.shortened(piece, self.string_limit if kind == "string" else self.name_limit))

    def end_in(self, token: re.Match[str] | None, wanted: _Next) -> str | None:
        """Close the document in the token that its end was cut off from, or give None if there is no such token."""
        if token is None:
            return None
        beginning = (token["string"] or "")[:-CUT_END]
        if beginning and wanted in (_Next.VALUE, _Next.VALUE_OR_CLOSE):
            # Whether a word is a secret can depend on what follows it: `@` in an address, the name of a value.
            words = beginning.rpartition(" ")[0] or '"'
            piece = _as_cut(_first_characters(self.string_limit).match(words, 1))
            if not self.has_room(piece, depth=len(self.open)):
                return self.leave_out()
            self.put(piece)
            self.is_empty = False
            if not self.open:
                return piece
        return self.cut() if self.open else None

    def take_mark(self, mark: str, wanted: _Next) -> _Next | str | None:
        if mark in "{[" and wanted in (_Next.VALUE, _Next.VALUE_OR_CLOSE):
            if not self.has_room(mark, depth=len(self.open) + 1):
                return self.leave_out()
            self.put(mark)
            self.open.append(mark)
            self.is_empty = True
            return _Next.NAME_OR_CLOSE if mark == "{" else _Next.VALUE_OR_CLOSE
        if mark in "}]" and self.open and _CLOSERS[self.open[-1]] == mark:
            can_close = (_Next.COMMA_OR_CLOSE, _Next.NAME_OR_CLOSE if mark == "}" else _Next.VALUE_OR_CLOSE)
            if wanted not in can_close:
                return None
            self.put(mark)
            self.open.pop()
            return self.after_value()
        if mark == ":" and wanted is _Next.COLON:
            self.lead += mark
            return _Next.VALUE
        if mark == "," and wanted is _Next.COMMA_OR_CLOSE:
            self.lead = mark
            return _Next.NAME if self.open[-1] == "{" else _Next.VALUE
        return None

    def add_value(self, piece: str) -> _Next | str | None:
        if not self.has_room(piece, depth=len(self.open)):
            return self.leave_out()
        self.put(piece)
        return self.after_value()

    def after_value(self) -> _Next:
        self.is_empty = False
        return _Next.COMMA_OR_CLOSE if self.open else _Next.END

    def has_room(self, piece: str, depth: int) -> bool:
        # A document of one token needs no room to say what is missing from its container.
        reserve = _RESERVE + depth if depth else 0
        return self.length + len(self.lead) + len(piece) + reserve <= self.limit

    def put(self, piece: str) -> None:
        self.pieces += (self.lead, piece)
        self.length += len(self.lead) + len(piece)
        self.lead = ""

    def shortened(self, piece: str, longest: int) -> str:
        """Cut a text or number token to the length that one may have, as a text that says so."""
        if len(piece) <= longest:
            return piece
        start = 1 if piece[0] == '"' else 0
        kept = _first_characters(longest).match(piece, start)
        return piece if kept is None or kept.end() >= len(piece) - start else _as_cut(kept)

    def leave_out(self) -> str | None:
        """Close the document here, as what comes does not fit."""
        self.has_left_out = True
        return self.cut()

    def cut(self) -> str | None:
        """Close the document here, and say that something was cut."""
        if not self.open:
            return _CUT_TEXT if len(_CUT_TEXT) <= self.limit else None
        comma = "" if self.is_empty else ","
        mark = _CUT_MEMBER if self.open[-1] == "{" else _CUT_TEXT
        closers = "".join(_CLOSERS[opener] for opener in reversed(self.open))
        return "".join((*self.pieces, comma, mark, closers))


@lru_cache(maxsize=16)
def _first_characters(count: int) -> re.Pattern[str]:
    return re.compile(f"{_CHARACTER}{{0,{count}}}+")


def _as_cut(kept: re.Match[str] | None) -> str:
    """Give a text of which only the beginning is kept."""
    return f'"{_without_half_a_pair(kept[0])}{ELLIPSIS}"' if kept is not None else _CUT_TEXT


def _without_half_a_pair(text: str) -> str:
    """Drop an escaped high surrogate (RFC 8259, 7) at the end: its other half was cut off."""
    return text[:-6] if re.search(r"(?<!\\)(?:\\\\)*\\u[dD][89abAB][0-9a-fA-F]{2}\Z", text) else text
