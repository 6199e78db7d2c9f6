"""The words of a command line, as a shell would hand them on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from .hiding import Hiding

_OPTION: Final = re.compile(r"-{1,2}[^\W\d][\w.\-]*+")
# The value of --name=value, of NAME=value and of 'name: value' ends where the word does, whatever is in it. Of several
# lines each is one by itself, unless the word is an option.
_PAIR: Final = re.compile(
    r"(?P<option>-{1,2}[^\W\d][\w.\-]*+)=(?s:.)++|(?P<name>[^\W\d][\w.\-]*+)(?:=|[ \t]*+:(?!//)[ \t]*+)[^\r\n]++"
)
_MARK: Final = re.compile(r"=|[ \t]*+:[ \t]*+")


def mask_words(words: Sequence[str], hiding: Hiding) -> list[str]:
    """Hide the values of secret options, and what is secret in the other words."""
    masked = []
    before = ""
    for word in words:
        masked.append(_masked(word, before, hiding))
        before = word
    return masked


def _masked(word: str, before: str, hiding: Hiding) -> str:
    is_value = bool(word) and not word.startswith("-") and _OPTION.fullmatch(before) is not None
    if is_value and hiding.is_secret(before):
        return _hidden(before, word, hiding)
    pair = _PAIR.fullmatch(word)
    name = "" if pair is None else pair["option"] or pair["name"]
    mark = _MARK.match(word, len(name))
    # Of a header of that name the scheme stays.
    is_header = mark is not None and mark[0] != "=" and name.casefold().endswith("authorization")
    # A form that begins with a count goes on behind it.
    is_count = mark is not None and hiding.is_count(name, word[mark.end() :].partition("&")[0])
    if name and mark is not None and hiding.is_secret(name) and not is_header and not is_count:
        return word[: mark.end()] + _hidden(name, word[mark.end() :], hiding)
    return hiding.inner(word)


def _hidden(name: str, value: str, hiding: Hiding) -> str:
    return value if value == hiding.replacement else hiding.hide(f"option {name}", value)
