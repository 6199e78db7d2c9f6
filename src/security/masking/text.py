"""Text that anybody wrote: `password=x`, `"token": "y"`, `--api-key z`, `Authorization: Bearer a`, in any other words.

It is also what is done to a document that claims a structure and does not keep to it, so it errs to the safe side: a
value whose end cannot be told is hidden to the end of the text.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_plus

from .headers import SCHEME
from .hiding import Hiding
from .urls import mask_urls_in_text

# The look behind keeps a search from beginning in the middle of a word, and so the work linear.
_PAIR: Final = re.compile(
    r"(?<![\w%.\-$@\[\]+])(?P<key>(?:[\w%.\-$@\[\]+]++|(?<!\\)\\++u[0-9a-fA-F]{4})++)"
    r"(?:(?P<close>\\*+[\"']\]?)\s{0,40}+|\)?[ \t]{0,8}+)"
    r"(?P<mark>=>|:=|={1,2}|[:\uff1a\uff1d])(?(close)\s{0,40}+|[ \t]{0,8}+)"
)
_OPENED: Final = re.compile(r"[bBuUrRfF]{0,2}(\\*+)([\"'])")
_BARE: Final = re.compile(r"[^\s\"'<>&]++")
# A quote that opens an argument, or that stands in front of a letter, is no end.
_QUOTES_IN_VALUE: Final = r"(?<=[(\[])(?:\"[^\"\r\n]*+\"?|'[^'\r\n]*+'?)|[\"'](?=\w)"
_BARE_VALUE: Final = re.compile(rf"(?:[^\s\"'<>&]++|{_QUOTES_IN_VALUE})++")
_REST_OF_LINE: Final = re.compile(rf"(?:[^\r\n\"'<>&]++|{_QUOTES_IN_VALUE})++")
_WHOLE_LINE: Final = re.compile(r"[^\r\n<>]++")
# What stands behind a name in quotes, up to the next member.
_MEMBER: Final = re.compile(r"(?:\"(?:[^\"\\\r\n]++|\\.)*+\"?|'(?:[^'\\\r\n]++|\\.)*+'?|[^,}\]\r\n\"'])++")
_COMMENTS: Final = re.compile(r"(?:/\*(?:[^*]++|\*(?!/))*+(?:\*/)?|//[^\r\n]*+|\s++)*+")
# Behind its closing quote a value has ended; any other quote is inside it.
_AFTER_VALUE: Final = re.compile(r"(?!\w)")
_AFTER_MEMBER: Final = re.compile(
    r"(?:\s|\\++[nrt])*+(?:[,}\]:)]|[\"'](?!\w)|\\++[\"']|\Z)|[ \t]*+(?:\r?\n|\\++n)(?!\s*+[\"'+.])"
)
_AFTER_EMPTY_VALUE: Final = re.compile(r"\\*+[\"'](?:[\s,)\]}>;:]|\Z)")
_BRACKETS: Final = re.compile(r"\"(?:[^\"\\]++|\\.)*+\"?|'(?:[^'\\]++|\\.)*+'?|[][{}]", re.DOTALL)
# What closes the sentence or the call around a value, and is no part of it.
_CLOSERS: Final = ",;)]}."
_NO_SECRETS: Final = frozenset(("none", "null", "true", "false", "undefined", "nil"))
# Source code, as a traceback quotes it, has no secret where it calls something or reads an attribute.
_CODE: Final = re.compile(
    r"(?:[a-z_]++(?:\.[A-Za-z_]++)*+[(\[](?:[\w.(),=\[\] ]++|\"[^\"\\\r\n]*+\"|'[^'\\\r\n]*+')*+"
    r"|[A-Za-z_]++\(\)|(?:self|cls|settings|request|os)\.[\w.]++[)\]]?|%s|%\(\w++\)s|\?|\$[0-9]++),?"
    r"(?:(?<=\s)|(?=[\s,;:)\]}<>&]|[\"'](?!\w)|\Z))"
)
_LITERAL_IN_CODE: Final = re.compile(r"\"([^\"]*+)\"|'([^']*+)'")
_LONGEST_CODE: Final = 200
_WORDS_BEFORE: Final = 40
_BLOCK_MARK: Final = re.compile(r"[|>][+\-0-9]{0,2}[ \t]*")
_DEEPEST_BLOCK: Final = 40
_LINE_START: Final = re.compile(r"[ \t>*#$\-]*\Z")
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
_HTTP_HEADERS: Final = frozenset(("authorization", "proxy-authorization", "cookie", "set-cookie", "x-authorization"))


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
            start, end, rest = _value_span(match, text, hiding)
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


def _value_span(match: re.Match[str], text: str, hiding: Hiding) -> tuple[int, int, int]:
    """Give where the secret begins and ends, and where to go on; nothing is hidden where it ends before it begins."""
    start = match.end()
    replacement = hiding.replacement
    is_member = match["close"] is not None and match["mark"] in (":", "=>")
    if match["mark"] == ":" and "authorization" in match["key"].casefold():
        scheme = SCHEME.match(text, start)
        start = start if scheme is None else scheme.end()
    if is_member and text.startswith(("/*", "//"), start):
        start = _COMMENTS.match(text, start).end()  # type: ignore[union-attr]
    if replacement and text.startswith(replacement, start):
        rest = start + len(replacement)
        if rest >= len(text) or (text[rest] in " \t\r\n\"'\\<>&,;)]}." and not _goes_on(text, rest)):
            return start, start, rest
    opened = _OPENED.match(text, start)
    if opened is not None:
        if _is_empty_in_quotes(match, text):
            return start, start, start
        return _quoted_span(opened, text, replacement, _AFTER_MEMBER if is_member else _AFTER_VALUE)
    if text[start : start + 1] in ("{", "[") and match["mark"] != "==":
        end = _end_of_container(text, start)
        if text[end : end + 1].isalnum():
            end = _BARE_VALUE.match(text, end).end()  # type: ignore[union-attr]
        return start, end, end
    return _bare_span(match, text, start, hiding, is_member=is_member)


def _goes_on(text: str, start: int) -> bool:
    return text[start] in "\"'" and text[start + 1 : start + 2].isalnum()


def _is_empty_in_quotes(match: re.Match[str], text: str) -> bool:
    """Tell whether a quote ends the text in which a name without a value stands: '/?token='."""
    start = match.end("mark")
    before = text[max(match.start() - 1, 0) : match.start()]
    is_last = match["mark"] == "=" and match["close"] is None and before in ("?", "&", ";", '"', "'")
    return is_last and _AFTER_EMPTY_VALUE.match(text, start) is not None


def _quoted_span(
    opened: re.Match[str], text: str, replacement: str, after: re.Pattern[str] = _AFTER_VALUE
) -> tuple[int, int, int]:
    start = opened.end()
    slashes, quote = opened.groups()
    needle = slashes + quote
    end = start
    while True:
        end = text.find(needle, end)
        if end < 0:
            # Its end was cut off.
            return start, len(text), len(text)
        before = _count_backslashes(text, end, start)
        if start == end and not slashes and text.startswith(quote * 2, end):
            # A text in three quotes
            close = text.find(quote * 3, end + 2)
            return end + 2, len(text) if close < 0 else close, len(text) if close < 0 else close + 3
        # An escaped quote is inside the value; more backslashes than its own belong to a deeper one.
        is_its_own = (before % 2 == 0) if not slashes else before == 0
        if is_its_own and (slashes or after.match(text, end + 1) is not None):
            break
        end += len(needle)
    if text[start:end] == replacement:
        end = start
    return start, end, max(end + len(needle), start)


def _count_backslashes(text: str, end: int, start: int) -> int:
    count = 0
    while end - count > start and text[end - count - 1] == "\\":
        count += 1
    return count


def _end_of_container(text: str, start: int) -> int:
    depth = 0
    for match in _BRACKETS.finditer(text, start):
        mark = match[0]
        if mark in ("{", "["):
            depth += 1
        elif mark in ("}", "]"):
            depth -= 1
            if depth == 0:
                return match.end()
    return len(text)


def _bare_span(match: re.Match[str], text: str, start: int, hiding: Hiding, *, is_member: bool) -> tuple[int, int, int]:
    key = match["key"]
    if match["mark"] == ":" and not is_member and key.casefold() in _HTTP_HEADERS:
        end = _end_of_header(match, text, start)
        if start < end:
            return start, start + len(text[start:end].rstrip()), end
    if match["mark"] != ":" and not is_member:
        code = _end_of_code(text, start, hiding)
        if code:
            return start, start, code
    if is_member:
        value = _MEMBER.match(text, start)
    else:
        value = (_REST_OF_LINE if _begins_line(text, match.start()) else _BARE_VALUE).match(text, start)
    if value is None or _BLOCK_MARK.fullmatch(value[0]) is not None:
        return _block_span(match, text, start)
    word = _BARE.match(text, start)
    if word is not None and word[0].rstrip(_CLOSERS).casefold() in _NO_SECRETS:
        return start, start, word.end()
    end = start + len(value[0].rstrip(_CLOSERS + " \t\\"))
    return start, end, value.end()


def _end_of_header(match: re.Match[str], text: str, start: int) -> int:
    """Give where a line of HTTP ends: with the line, or with the quotes in which it stands."""
    line = _WHOLE_LINE.match(text, start)
    end = start if line is None else line.end()
    quote = text[max(match.start() - 1, 0) : match.start()]
    if quote in ("'", '"'):
        close = text.find(quote, start, end)
        end = end if close < 0 else close
    return end


def _end_of_code(text: str, start: int, hiding: Hiding) -> int:
    """Give where to go on behind what only code writes, or 0; a text in it that is no name may be the secret."""
    bound = start + _LONGEST_CODE
    code = _CODE.match(text, start, bound)
    if code is None or (code.end() == bound and bound < len(text)):
        return 0
    literals = [literal[1] or literal[2] for literal in _LITERAL_IN_CODE.finditer(code[0])]
    if not all(not literal or hiding.is_secret(literal) for literal in literals):
        return 0
    opened = re.search(r"[(\[]", code[0])
    return code.end() if opened is None else start + opened.end()


def _block_span(match: re.Match[str], text: str, start: int) -> tuple[int, int, int]:
    """Give the lines behind a name that are further in than its own, as YAML writes a value."""
    line = text[max(match.start() - _DEEPEST_BLOCK, 0) : match.start()].rpartition("\n")[2]
    if match["mark"] != ":" or line.strip(" \t-"):
        return start, start, start
    further_in = rf"((?:\r?\n[ \t]{{{len(line) + 1},}}[^\r\n]*+)++)"
    block = re.compile(rf"(?:[|>][+\-0-9]{{0,2}}[ \t]*+)?{further_in}").match(text, start)
    if block is None:
        return start, start, start
    # The dash of the first item stays.
    first = block.end() - len(block[1].lstrip("\r\n \t-"))
    return first, block.end(), block.end()


def _begins_line(text: str, start: int) -> bool:
    line = text[max(start - 16, 0) : start].rpartition("\n")[2]
    return (start <= 16 or "\n" in text[start - 16 : start]) and _LINE_START.match(line) is not None


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
        opened = _OPENED.match(text, start)
        if opened is not None:
            start, end, _ = _quoted_span(opened, text, hiding.replacement)
        else:
            value = _BARE.match(text, start)
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
