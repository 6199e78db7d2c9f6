"""Where the value of a name in a text begins and ends.

Whatever leaves that open is decided for the longer value: what is hidden too much is only less useful.
"""

from __future__ import annotations

import re
from typing import Final

from .headers import SCHEME
from .hiding import Hiding

OPENED: Final = re.compile(r"[bBuUrRfF]{0,2}(\\*+)([\"'`])")
# An ampersand ends a value where another field begins, and where it is a mark of HTML.
_AMPERSAND: Final = r"&(?!(?:amp|quot|lt|gt|apos|nbsp|#[0-9xX]{1,6});|[\w.\-%\[\]+]{0,60}=)(?=[^\s&\"'<>])"
BARE: Final = re.compile(rf"(?:[^\s\"'<>&]++|{_AMPERSAND})++")
# <x>, which is no tag of HTML and is closed by none
_ANGLED: Final = re.compile(
    r"<{1,3}(?!(?:a|b|br|i|em|strong|span|p|div|td|tr|th|li|ul|ol|hr|code|pre|tt|u|font|img|input|small|sub|sup)[\s/>])"
    r"([^\s<>/=\"'&?!][^\s<>=\"']{0,200}+)>"
)
_LONGEST_ANGLED: Final = 1000
# A quote that opens an argument, or that stands in front of a letter, is no end.
_QUOTES_IN_VALUE: Final = r"(?<=[(\[])(?![\"'][,)\]])(?:\"[^\"\r\n]*+\"?|'[^'\r\n]*+'?)|[\"'](?=\w)"
_BARE_VALUE: Final = re.compile(rf"(?:[^\s\"'<>&]++|{_AMPERSAND}|{_QUOTES_IN_VALUE})++")
_REST_OF_LINE: Final = re.compile(rf"(?:[^\r\n\"'<>&]++|{_AMPERSAND}|{_QUOTES_IN_VALUE})++")
_WHOLE_LINE: Final = re.compile(r"[^\r\n<>]++")
# What stands behind a name in quotes, up to the next member.
_MEMBER: Final = re.compile(
    r"(?:\((?:\"(?:[^\"\\]++|\\.)*+\"?|'(?:[^'\\]++|\\.)*+'?|[^)\"'])*+\)?)?+"
    r"(?:\"(?:[^\"\\\r\n]++|\\.)*+\"?|'(?:[^'\\\r\n]++|\\.)*+'?|[^,}\]\r\n\"'])*+"
)
_COMMENTS: Final = re.compile(r"(?:/\*(?:[^*]++|\*(?!/))*+(?:\*/)?|(?://|\#)[^\r\n]*+|\s++)*+")
# Behind a name without quotes, what goes on to the end of the line is a comment only if a text in quotes follows.
_COMMENTS_OF_CODE: Final = re.compile(
    r"(?:/\*(?:[^*]++|\*(?!/))*+\*/\s*+)*+(?://[^\r\n]{0,200}+\s++(?=[bBuUrRfF]{0,2}[\"'`]))?"
)
# Behind its closing quote a value has ended; any other quote is inside it, and so is what code joins to it.
_AFTER_VALUE: Final = re.compile(r"(?!\w|[\"']\w|[ \t]*+\+[ \t]*+[\"']|[ \t]++(?:or|if[^\"'\r\n]{0,80}+)[ \t]*+[\"'])")
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
_TEXT_BEHIND: Final = re.compile(r"\s++[\"']")
_NO_SECRETS: Final = frozenset(("none", "null", "true", "false", "undefined", "nil"))
# Source code, as a traceback quotes it, has no secret where it calls something or reads an attribute.
_CODE: Final = re.compile(
    r"(?:[a-z_]++(?:\.[A-Za-z_]++)*+[(\[](?:[\w.(),=\[\] ]++|\"[^\"\\\r\n]*+\"|'[^'\\\r\n]*+')*+"
    r"|[A-Za-z_]++\(\)|(?:self|cls|settings|request|os)\.[\w.]++[)\]]?|%s|%\(\w++\)s|\?|\$[0-9]++),?"
    r"(?:(?<=\s)|(?=[\s,;:)\]}<>&]|[\"'](?!\w)|\\++[nrt]|\Z))"
)
_CODE_MARKS: Final = frozenset(("!=", "!==", "|=", "+="))
_LITERAL_IN_CODE: Final = re.compile(r"\"([^\"]*+)\"|'([^']*+)'")
_LONGEST_CODE: Final = 200
_BLOCK_MARK: Final = re.compile(r"(?:[&!][\w!/:.\-]{0,60}[ \t]++)*+[|>][+\-0-9]{0,2}[ \t]*")
_DEEPEST_BLOCK: Final = 40
# &anchor and !tag stand in front of a value in YAML.
_PROPERTIES: Final = re.compile(r"(?:(?:&[\w\-]{1,60}|!{1,2}[\w/:.,\-]{0,60})[ \t]++(?=\S))++")
# The lines of a stack are no value.
_FRAME: Final = r"(?!(?:at |File \"|[\^~]))"
_PARENTHESES: Final = re.compile(r"\"(?:[^\"\\]++|\\.)*+\"?|'(?:[^'\\]++|\\.)*+'?|[()]", re.DOTALL)
_OPENED_IN_PARENTHESES: Final = re.compile(r"\(\s*+[bBuUrRfF]{0,2}[\"']")
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
    if text.startswith(("/*", "//", "#"), start):
        comments = (_COMMENTS if is_member else _COMMENTS_OF_CODE).match(text, start)
        start = comments.end() if comments is not None and comments.end() < len(text) else start
    if match["mark"] == ":" and text[start : start + 1] in ("&", "!"):
        properties = _PROPERTIES.match(text, start)
        start = start if properties is None else properties.end()
    # Key (token)=(...): the values stand in parentheses of their own.
    inside = start + (text[start : start + 1] == "(" and match["mark"] == "=")
    if inside > start and text.startswith(f"{replacement})", inside):
        return start, start, inside + len(replacement) + 1
    if replacement and text.startswith(replacement, start):
        rest = start + len(replacement)
        if rest >= len(text) or text[rest] in " \t\r\n\"'\\<>&,;)]}.":
            return start, start, rest
    opened = OPENED.match(text, start)
    if opened is None and is_member and "`" in match["close"]:
        # A name in a sentence on code
        word = BARE.match(text, start)
        end = start if word is None or not any(map(str.isdigit, word[0])) else word.end()
        return start, end, end
    if opened is not None:
        if _is_empty_in_quotes(match, text):
            return start, start, start
        return quoted_span(opened, text, replacement, _AFTER_MEMBER if is_member else _AFTER_VALUE)
    angled = angled_span(text, start)
    if angled is not None:
        return angled
    if match["mark"] != ":" and _OPENED_IN_PARENTHESES.match(text, start) is not None:
        end = end_of_parentheses(text, start)
        return start, end, end
    if text[start : start + 1] in ("{", "[") and match["mark"] not in ("==", "==="):
        end = end_of_container(text, start)
        if is_member:
            more = _MEMBER.match(text, end)[0].rstrip()  # type: ignore[index]
            end += len(more) if more[-1:] in ("'", '"') else 0
        if text[end : end + 1].isalnum() or _goes_on(text, end):
            end = _BARE_VALUE.match(text, end).end()  # type: ignore[union-attr]
        return start, end, end
    return _bare_span(match, text, start, hiding, is_member=is_member)


def angled_span(text: str, start: int) -> tuple[int, int, int] | None:
    """Give what stands in angle brackets, if these are no markup."""
    if text[start : start + 1] != "<":
        return None
    angled = _ANGLED.match(text, start)
    if angled is None or text.find(f"</{angled[1]}", angled.end(), angled.end() + _LONGEST_ANGLED) >= 0:
        return None
    return *angled.span(1), angled.end()


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


def end_of_container(text: str, start: int, brackets: re.Pattern[str] = _BRACKETS) -> int:
    depth = 0
    for match in brackets.finditer(text, start):
        mark = match[0]
        if mark in ("{", "[", "("):
            depth += 1
        elif mark in ("}", "]", ")"):
            depth -= 1
            if depth == 0:
                return match.end()
    return len(text)


def end_of_parentheses(text: str, start: int) -> int:
    return end_of_container(text, start, _PARENTHESES)


def _bare_span(match: re.Match[str], text: str, start: int, hiding: Hiding, *, is_member: bool) -> tuple[int, int, int]:
    key = match["key"]
    if match["mark"] == ":" and not is_member and key.casefold() in _HTTP_HEADERS:
        end = _end_of_header(match, text, start)
        if start < end:
            return start, start + len(text[start:end].rstrip()), end
    if match["mark"] in _CODE_MARKS:
        # Between names, not values
        return start, start, start
    if match["mark"] != ":" and not is_member:
        code = _end_of_code(text, start, hiding)
        if code:
            return start, start, code
    word = BARE.match(text, start)
    is_nothing = word is not None and word[0].rstrip(_CLOSERS).casefold() in _NO_SECRETS
    if word is not None and is_nothing and not (is_member and _TEXT_BEHIND.match(text, word.end())):
        return start, start, word.end()
    if is_member:
        value = _MEMBER.match(text, start)
    else:
        value = (_REST_OF_LINE if _begins_line(text, match.start()) else _BARE_VALUE).match(text, start)
    if value is None or not value[0] or _BLOCK_MARK.fullmatch(value[0]) is not None:
        return _block_span(match, text, start)
    end = start + len(value[0].rstrip(_CLOSERS + " \t\\"))
    is_followed = text[value.end() : value.end() + 1] in ("\r", "\n")
    if match["mark"] == ":" and is_followed and _begins_line(text, match.start()):
        # YAML and HTTP go on with a value in lines that are further in.
        _, more, _ = _block_span(match, text, value.end())
        return (start, more, more) if more > value.end() else (start, end, value.end())
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
    if match["mark"] != ":":
        return start, start, start
    is_whole_line = not line.strip(" \t-\"'")
    if not is_whole_line and _BEFORE_NAME.fullmatch(line) is None:
        # Source code has lines that end so: def set_password(self, password):
        return start, start, start
    deep = len(line.rstrip("\"'")) if is_whole_line else len(line) - len(line.lstrip(" \t"))
    further_in = rf"[ \t]{{{deep + 1},}}+(?=\S){_FRAME}[^\r\n]*+"
    if is_whole_line and "-" not in line:
        # A list may stand no further in than its name.
        further_in = rf"(?:{further_in}|[ \t]{{{deep}}}-[ \t]++[^\r\n]*+)"
    block = re.compile(
        rf"(?:[^\s#]{{0,80}}[ \t]*+(?:\#[^\r\n]*+)?)((?:\r?\n(?:[ \t]*+(?=\r?\n)|{further_in}))++)"
    ).match(text, start)
    if block is None or not block[1].strip():
        return start, start, start
    # The dash of the first item stays.
    first = block.end() - len(block[1].lstrip("\r\n \t-"))
    end = block.start(1) + len(block[1].rstrip())
    return first, end, end


# The name of an exception
_BEFORE_NAME: Final = re.compile(r"[ \t]*[\w.]+:[ \t]+")


def _begins_line(text: str, start: int) -> bool:
    line = text[max(start - 16, 0) : start].rpartition("\n")[2]
    return (start <= 16 or "\n" in text[start - 16 : start]) and _LINE_START.match(line) is not None
