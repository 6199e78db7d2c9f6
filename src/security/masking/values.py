"""Where the value of a name in a text begins and ends.

Whatever leaves that open is decided for the longer value: what is hidden too much is only less useful.
"""

from __future__ import annotations

import re
from typing import Final

from .headers import SCHEME
from .hiding import Hiding

OPENED: Final = re.compile(r"[bBuUrRfF]{0,2}(\\*+)([\"'])")
BARE: Final = re.compile(r"[^\s\"'<>&]++")
# A quote that opens an argument, or that stands in front of a letter, is no end.
_QUOTES_IN_VALUE: Final = r"(?<=[(\[])(?![\"'][,)\]])(?:\"[^\"\r\n]*+\"?|'[^'\r\n]*+'?)|[\"'](?=\w)"
_BARE_VALUE: Final = re.compile(rf"(?:[^\s\"'<>&]++|{_QUOTES_IN_VALUE})++")
_REST_OF_LINE: Final = re.compile(rf"(?:[^\r\n\"'<>&]++|{_QUOTES_IN_VALUE})++")
_WHOLE_LINE: Final = re.compile(r"[^\r\n<>]++")
# What stands behind a name in quotes, up to the next member.
_MEMBER: Final = re.compile(
    r"(?:\((?:\"(?:[^\"\\]++|\\.)*+\"?|'(?:[^'\\]++|\\.)*+'?|[^)\"'])*+\)?)?+"
    r"(?:\"(?:[^\"\\\r\n]++|\\.)*+\"?|'(?:[^'\\\r\n]++|\\.)*+'?|[^,}\]\r\n\"'])*+"
)
_COMMENTS: Final = re.compile(r"(?:/\*(?:[^*]++|\*(?!/))*+(?:\*/)?|//[^\r\n]*+|\s++)*+")
# Behind its closing quote a value has ended; any other quote is inside it.
_AFTER_VALUE: Final = re.compile(r"(?!\w|[\"']\w)")
_AFTER_MEMBER: Final = re.compile(
    r"(?:\s|\\++[nrt])*+(?:[,}\]:)]|[\"'](?!\w)|\\++[\"']|\Z)|[ \t]*+(?:\r?\n|\\++n)(?!\s*+[\"'+.])"
)
# {... , 'name': 'value'} and f(..., name='value')
_BEFORE_NEXT: Final = re.compile(r"[,{]\s*+([\w.\-]++=)?+\Z")
_LONGEST_BEFORE: Final = 40
_NEXT_NAME: Final = re.compile(r"[\"'][\w.\- ]{1,60}+\\*+[\"']\s{0,8}+(?::|=>)")
_AFTER_EMPTY_VALUE: Final = re.compile(r"\\*+[\"'](?:[\s,)\]}>;:]|\Z)")
_BRACKETS: Final = re.compile(r"\"(?:[^\"\\]++|\\.)*+\"?|'(?:[^'\\]++|\\.)*+'?|[][{}]", re.DOTALL)
# What closes the sentence or the call around a value, and is no part of it.
_CLOSERS: Final = ",;)]}."
_NO_SECRETS: Final = frozenset(("none", "null", "true", "false", "undefined", "nil"))
# Source code, as a traceback quotes it, has no secret where it calls something or reads an attribute.
_CODE: Final = re.compile(
    r"(?:[a-z_]++(?:\.[A-Za-z_]++)*+[(\[](?:[\w.(),=\[\] ]++|\"[^\"\\\r\n]*+\"|'[^'\\\r\n]*+')*+"
    r"|[A-Za-z_]++\(\)|(?:self|cls|settings|request|os)\.[\w.]++[)\]]?|%s|%\(\w++\)s|\?|\$[0-9]++),?"
    r"(?:(?<=\s)|(?=[\s,;:)\]}<>&]|[\"'](?!\w)|\\++[nrt]|\Z))"
)
_LITERAL_IN_CODE: Final = re.compile(r"\"([^\"]*+)\"|'([^']*+)'")
_LONGEST_CODE: Final = 200
_BLOCK_MARK: Final = re.compile(r"[|>][+\-0-9]{0,2}[ \t]*")
_DEEPEST_BLOCK: Final = 40
_LINE_START: Final = re.compile(r"[ \t>*#$\-]*\Z")
_HTTP_HEADERS: Final = frozenset(("authorization", "proxy-authorization", "cookie", "set-cookie", "x-authorization"))


def value_span(match: re.Match[str], text: str, hiding: Hiding) -> tuple[int, int, int]:
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
        if rest >= len(text) or text[rest] in " \t\r\n\"'\\<>&,;)]}.":
            return start, start, rest
    opened = OPENED.match(text, start)
    if opened is not None:
        if _is_empty_in_quotes(match, text):
            return start, start, start
        return quoted_span(opened, text, replacement, _AFTER_MEMBER if is_member else _AFTER_VALUE)
    if text[start : start + 1] in ("{", "[") and match["mark"] not in ("==", "==="):
        end = _end_of_container(text, start)
        if text[end : end + 1].isalnum() or _goes_on(text, end):
            end = _BARE_VALUE.match(text, end).end()  # type: ignore[union-attr]
        return start, end, end
    return _bare_span(match, text, start, hiding, is_member=is_member)


def _goes_on(text: str, start: int) -> bool:
    return text[start : start + 1] in ("'", '"') and text[start + 1 : start + 2].isalnum()


def _is_empty_in_quotes(match: re.Match[str], text: str) -> bool:
    """Tell whether a quote ends the text in which a name without a value stands: '/?token='."""
    start = match.end("mark")
    before = text[max(match.start() - 1, 0) : match.start()]
    is_last = match["mark"] == "=" and match["close"] is None and before in ("?", "&", ";", '"', "'")
    return is_last and _AFTER_EMPTY_VALUE.match(text, start) is not None


def quoted_span(
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
        if not slashes and end > start and text.startswith(quote, end + 1):
            # SQL writes a quote inside a text twice, and shells put texts together.
            end += 2
            continue
        following = None if slashes else _start_of_next(text, start, end)
        if following is not None:
            # The quotes are out of step.
            return start, following, following
        # An escaped quote is inside the value; more backslashes than its own belong to a deeper one.
        is_its_own = (before % 2 == 0) if not slashes else before == 0
        if is_its_own and (slashes or after.match(text, end + 1) is not None):
            break
        end += len(needle)
    if text[start:end] == replacement:
        end = start
    return start, end, max(end + len(needle), start)


def _start_of_next(text: str, start: int, end: int) -> int | None:
    """Give where another name with a value begins, if the quote at `end` opens the one or the other."""
    before = _BEFORE_NEXT.search(text[max(end - _LONGEST_BEFORE, start) : end])
    if before is None:
        return None
    if before[1]:
        return end - len(before[1])
    return end if _NEXT_NAME.match(text, end) is not None else None


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
    word = BARE.match(text, start)
    if word is not None and word[0].rstrip(_CLOSERS).casefold() in _NO_SECRETS:
        return start, start, word.end()
    if is_member:
        value = _MEMBER.match(text, start)
    else:
        value = (_REST_OF_LINE if _begins_line(text, match.start()) else _BARE_VALUE).match(text, start)
    if value is None or not value[0] or _BLOCK_MARK.fullmatch(value[0]) is not None:
        return _block_span(match, text, start)
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
