"""Text that anybody wrote: `password=x`, `"token": "y"`, `--api-key z`, `Authorization: Bearer a`, in any other words.

It is also what is done to a document that claims a structure and does not keep to it, so it errs to the safe side: a
value whose end cannot be told is hidden to the end of the text.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_plus

from .hiding import Hiding
from .urls import mask_urls_in_text
from .values import BARE, OPENED, quoted_span, value_span

# The look behind keeps a search from beginning in the middle of a word, and so the work linear.
_PAIR: Final = re.compile(
    r"(?<![\w%.\-$@\[\]+])(?P<key>(?:[\w%.\-$@\[\]+]++|(?<!\\)\\++u[0-9a-fA-F]{4})++)"
    r"(?:(?P<close>\\*+[\"']\]?)\s{0,40}+|\)?[ \t]{0,8}+)"
    r"(?P<mark>=>|:=|={1,3}|[:\uff1a\uff1d])(?(close)\s{0,40}+|[ \t]{0,8}+)"
)
_WORDS_BEFORE: Final = 40
# Where a name of several words can end.
_LAST_WORDS: Final = frozenset(("key", "number", "code", "no", "word", "id", "phrase", "token", "pass"))

_ESCAPE: Final = re.compile(r"(?<!\\)\\++u([0-9a-fA-F]{4})")
# Letters, numbers and most signs need no escape: who writes one hides something.
_NEEDLESS_ESCAPE: Final = re.compile(r"(?<!\\)\\++u00(2[013-9a-fA-F]|[3467][0-9a-fA-F]|5[0-9abd-fA-F])")
# ('password', 'x'): a couple, as items() gives it
_COUPLE: Final = re.compile(
    r"[(\[]\s{0,8}+b?\\*+[\"']([\w.\- \[\]]{1,100}+)\\*+[\"']\s{0,8}+,\s{0,8}+b?\\*+[\"']"
    r"((?:[^\"'\\]++|\\[^\"'])++)\\*+[\"']\s{0,8}+[)\]]"
)
_OPTION: Final = re.compile(r"(?<![\w\-])(--?[A-Za-z][\w\-]*+)(?:\\*+[\"']?,?[ \t]++|\\*+[\"'],[ \t]*+)(?=[^\s\-])")
_SAID: Final = re.compile(
    r"(?i)\b(?:password|passphrase|passcode|pin|secret|token|otp)\s{1,3}(?:(?:is|was)\s{1,3})?([^\s\"'<>,]{4,})"
)
_ENCODED_TOKEN: Final = re.compile(r"[^\s\"'<>]++")
_ENCODED_SIGN: Final = re.compile(r"%[0-7][0-9a-fA-F]")
# A text as source code and repr() write it, with escapes in it; one that begins with an escape is inside of another.
_QUOTED: Final = re.compile(r"(?<!\\)(?:\"((?:[^\"\\\r\n]++|\\.)*+)\"|'((?:[^'\\\r\n]++|\\.)*+)')")
_QUOTED_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
# A name and a value, a token or a number need one of these.
_MAY_HAVE_SECRET: Final = re.compile(r"[=:<{%@]|--|[\w\-]{8}|[0-9][ +\-][0-9]")
_SHORTEST_QUOTED: Final = 8
_LETTERS_OF_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}
_WRITTEN_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def mask_pairs(text: str, hiding: Hiding) -> str:
    """Hide the values that a text gives to secret names."""
    if "\\u" in text:
        text = _NEEDLESS_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text)
    if "\\" in text:
        text = _QUOTED.sub(lambda quoted: _masked_quoted(quoted, hiding), text)
    text = mask_urls_in_text(_mask_encoded(text, hiding), hiding)
    text = _mask_assignments(text, hiding)
    text = _mask_couples(text, hiding)
    if "-" in text:
        text = _mask_options(text, hiding)
    return _mask_said(text, hiding)


def _masked_quoted(quoted: re.Match[str], hiding: Hiding) -> str:
    """Mask what a text quotes with escapes, as a document of its own."""
    written = quoted[quoted.lastindex or 0]
    if "\\" not in written or len(written) < _SHORTEST_QUOTED:
        return quoted[0]
    text = _QUOTED_ESCAPE.sub(_meaning_of_escape, written)
    if _MAY_HAVE_SECRET.search(text) is None:
        return quoted[0]
    masked = hiding.inner(text)
    if masked == text:
        return quoted[0]
    quote = quoted[0][0]
    return quote + masked.translate(_WRITTEN_ESCAPES).replace(quote, f"\\{quote}") + quote


def _meaning_of_escape(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2]
    return chr(int(code, 16)) if code else _LETTERS_OF_ESCAPES.get(escape[3], escape[3])


def _mask_encoded(text: str, hiding: Hiding) -> str:
    """Hide what percent-encoding hides from the eye: `next=%2F%3Ftoken%3Dx`."""
    if "%" not in text or _ENCODED_SIGN.search(text) is None:
        return text

    def masked(match: re.Match[str]) -> str:
        token = match[0]
        if "%" not in token:
            return token
        # First as it is: a space that a value has would end it where it is decoded.
        token = _mask_assignments(token, hiding)
        decoded = unquote_plus(token)
        safe = token if decoded == token else hiding.inner(decoded)
        return token if safe == decoded else safe

    return _ENCODED_TOKEN.sub(masked, text)


def _mask_assignments(text: str, hiding: Hiding) -> str:
    kept: list[str] = []
    position = 0
    match = _PAIR.search(text)
    while match is not None:
        after = match.end()
        key = match["key"]
        if _is_secret(match, text, hiding):
            start, end, rest = value_span(match, text, hiding)
            after = max(after, rest)
            if start < end:
                kept += (text[position:start], hiding.hide(f"text {key}", text[start:end]))
                position = end
        elif match["mark"] != ":" or text[after : after + 1] != "/":
            # The value may itself be a pair: "data=password=x".
            after = match.end("mark")
        match = _PAIR.search(text, after)
    return "".join((*kept, text[position:])) if kept else text


def _is_secret(match: re.Match[str], text: str, hiding: Hiding) -> bool:
    key = match["key"]
    if text[match.start() - 1 : match.start()] == "\\" and key[0] in "nrt":
        # A line feed, as a quoted text writes it.
        key = key[1:]
    if "\\" in key:
        key = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), key)
    if "%" in key or "+" in key:
        key = unquote_plus(key)
    if hiding.is_secret(key):
        return True
    if key.rpartition("_")[2].casefold() not in _LAST_WORDS and key.casefold() not in _LAST_WORDS:
        return False
    before = text[max(match.start() - _WORDS_BEFORE, 0) : match.start()].rpartition("\n")[2]
    return bool(before) and hiding.rules.keys.has_phrase(f"{before[-_WORDS_BEFORE:]} {key}")


def _mask_couples(text: str, hiding: Hiding) -> str:
    kept: list[str] = []
    position = 0
    for match in _COUPLE.finditer(text):
        start, end = match.span(2)
        if hiding.is_secret(match[1]) and match[2] != hiding.replacement:
            kept += (text[position:start], hiding.hide(f"text {match[1]}", match[2]))
            position = end
    return "".join((*kept, text[position:])) if kept else text


def _mask_options(text: str, hiding: Hiding) -> str:
    kept: list[str] = []
    position = 0
    for match in _OPTION.finditer(text):
        start = match.end()
        if start < position or not hiding.is_secret(match[1]) or text.startswith(hiding.replacement or "\0", start):
            continue
        opened = OPENED.match(text, start)
        if opened is not None:
            start, end, _ = quoted_span(opened, text, hiding.replacement)
        else:
            value = BARE.match(text, start)
            word = "" if value is None else value[0]
            # The bracket of a list that is closed here, unless it was opened here.
            end = start + len(word.rstrip("," if "[" in word else ",]"))
        if start < end:
            kept += (text[position:start], hiding.hide(f"option {match[1]}", text[start:end]))
            position = end
    return "".join((*kept, text[position:])) if kept else text


def _mask_said(text: str, hiding: Hiding) -> str:
    """Hide "the password is x" where x has a digit in it, as no word of the language has."""
    kept: list[str] = []
    position = 0
    for match in _SAID.finditer(text):
        start, end = match.span(1)
        value = match[1]
        if any(map(str.isdigit, value)) and (not hiding.replacement or hiding.replacement not in value):
            kept += (text[position:start], hiding.hide("text", value))
            position = end
    return "".join((*kept, text[position:])) if kept else text
