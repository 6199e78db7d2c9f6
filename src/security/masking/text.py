"""Text that anybody wrote: `password=x`, `"token": "y"`, `--api-key z`, `Authorization: Bearer a`, in any other words.

It is also what is done to a document that claims a structure and does not keep to it, so it errs to the safe side: a
value whose end cannot be told is hidden to the end of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape, unescape
from typing import Final
from urllib.parse import unquote_plus

from .databases import mask_databases, may_be_of_database
from .hiding import Hiding
from .keys import NAMED, NAMING
from .spaces import BLANK, SPACE, UNSEEN
from .spans import NamedSpan
from .urls import mask_urls_in_text
from .values import BARE, OPENED, angled_span, end_of_container, quoted_span, value_span

# The look behind keeps a search from beginning in the middle of a word, and so the work linear.
_COMMENT: Final = r"(?:/\*[^*]{0,100}+\*+/|(?://|\#)[^\r\n]{0,100}+[\r\n])"
_PAIR: Final = re.compile(
    rf"(?<![\w%.\-$@\[\]+{UNSEEN}\u0300-\u036f])(?P<key>(?:[\w%.\-$@\[\]+{UNSEEN}\u0300-\u036f]++|(?<!\\)\\++u[0-9a-fA-F]{{4}}){{1,200}}+)"
    # **Password**: as chats emphasize a name
    rf"(?:(?P<close>\\*+[\"'`]\]?){SPACE}{{0,40}}+|(?:\)|\*{{1,3}}(?=[ \t]?:))?{BLANK}{{0,8}}+"
    # ? password, and a colon in the next line, as YAML can write it; a line of such signs is a heading
    rf"(?:\r?\n(?=: |=[^\s=]))?)"
    rf"(?:{_COMMENT}{SPACE}{{0,40}}+){{0,3}}+"
    rf"(?P<mark>=>|:=|[+|!]?={{1,3}}|[:\uff1a\uff1d])(?:\*{{1,3}}(?=\s))?"
    rf"(?(close){SPACE}{{0,40}}+|{BLANK}{{0,8}}+)(?:\\\r?\n[ \t]*+)?"
)
_WORDS_BEFORE: Final = 40
# Where a name of several words can end.
_LAST_WORDS: Final = frozenset(("key", "number", "code", "no", "word", "id", "phrase", "token", "pass"))

_ESCAPE: Final = re.compile(r"(?<!\\)\\++u([0-9a-fA-F]{4})")
# Letters, numbers and most signs need no escape: who writes one hides something.
_NEEDLESS_ESCAPE: Final = re.compile(
    r"(?<!\\)\\++(?:u00|x)(2[013-9a-fA-F]|[346][0-9a-fA-F]|5[0-9abd-fA-F]|7[0-9a-eA-E])"
)
# ('password', 'x'): a couple, as items() gives it, and as a call has it: setdefault('password', 'x')
_COUPLE: Final = re.compile(
    r"[(\[]\s{0,8}+(?:[\w.]{1,60}+,[ \t]{0,8}+)?[bBuU]?\\*+[\"']([\w.\- \[\]]{1,100}+)\\*+[\"']\s{0,8}+,\s{0,8}+"
)
_BARE_ITEM: Final = re.compile(r"[^\s,()\[\]{}\"'<>]++")
_END_OF_COUPLE: Final = re.compile(r"\s{0,8}+,?\s{0,8}+(?:[)\]]|\Z)")
_AFTER_ITEM: Final = re.compile(r"\s*+(?:[,)\]]|\Z)")
# {'name': 'password', 'value': 'x'}, - name: PASSWORD
_NAMES_NEIGHBOUR: Final = re.compile(
    rf"(?i)(?<!\w)(?:{'|'.join(sorted(NAMING))})(?:\\*+[\"'`])?\s{{0,8}}+(?:=>|[:=])\s{{0,8}}+[bu]?(?:\\*+[\"'`])?"
    r"([\w.\- \[\]]{1,60})"
)
_NEIGHBOURHOOD: Final = 300
# s:8:"password";s:1:"x"; as PHP writes it
_PHP: Final = re.compile(r"s:[0-9]{1,6}:\\*+\"([\w.\- \[\]]{1,100}+)\\*+\";(?=[sidaO]:)")
_PHP_VALUE: Final = re.compile(r"s:[0-9]{1,9}:(\\*+)\"|[id]:([^;]{1,40}+)|[aO]:[^{]{0,200}+(?=\{)")
_OPTION: Final = re.compile(
    rf"(?<![\w\-])(--?[A-Za-z][\w\-]*+)(?:\\*+[\"']?,?{BLANK}++|\\*+[\"'],{BLANK}*+)(?=[^\s\-])"
)
_GAP: Final = rf"(?:(?!\t){BLANK})"
# What stands behind the name of a secret in a sentence: is now x, was "x", for ann: x
_SAID: Final = re.compile(
    r"(?i)(?<![\w\-])(?!1password)[\w\-]{0,40}?(?:pass(?:word|phrase|code|wd)s?|pwd|pin|secrets?|tokens?|otp|heslo|pass?wort|kennwort|credentials?"
    r"|(?:api|access|secret|private|session|signing|encryption|license)[ _\-]?key|session[ _\-]?id|client secret"
    r"|(?:one[ \-]?time|verification|security|access|login|recovery|auth|authorization)[ \-](?:pass)?code)(?![\w\-])"
    rf"(?:{_GAP}(?:for|of){_GAP}[^\s:]{{1,40}}+(?:{_GAP}[^\s:]{{1,40}}+)??(?=:|{_GAP}(?:is|was){_GAP})"
    rf"|{_GAP}?[(\[][^()\[\]\r\n]{{1,40}}+[)\]](?={_GAP}?:))?"
    rf"(?:{_GAP}{{1,3}}(?:is|was|are|were|has|been|now|equals|set|changed|reset|to|from|starts|with|je|ist|lautet|es|est)"
    rf"(?!\w)){{0,4}}+(?:{_GAP}?[:=])?{_GAP}{{1,3}}[\"'`(\[]?([^\s\"'<>,`()]{{4,}})"
)
# Neither are versions secrets.
_DATE_OR_TIME: Final = re.compile(r"v?\d+(?:\.\d+)+\W*\Z|\d{4}-\d\d|\d\d?[:.]\d\d(?!\d)|\d\d?/\d\d?/\d")
_AFTER_QUOTED: Final = re.compile(r"(?!\w|[\"']\w)")
# As in a sentence, password 'x' is wrong, or as in a call, set_password('x')
_QUOTED_PASSWORD: Final = re.compile(
    r"(?i)(?<![\w\-])(?:set_?|check_?|make_?|verify_?|hash_?|validate_?)?pass(?:word|phrase|wd)"
    r"(?:\s{1,3}+(?:for\s{1,3}+[^\s=]{1,80}+\s{0,3}+=\s{0,3}+)?|\()(?=\\*+[\"'`])"
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
    if "\\u" in text or "\\x" in text:
        text = _mask_decoded(text, _NEEDLESS_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text), hiding)
    if "&" in text and "<" not in text:
        text = _mask_references(text, hiding)
    if may_be_of_database(text):
        text = mask_databases(text, hiding)
    if "\\" in text:
        text = _QUOTED.sub(lambda quoted: _masked_quoted(quoted, hiding), text)
    text = mask_urls_in_text(_mask_encoded(text, hiding), hiding)
    text = hiding.hide_spans(text, _spans_of_assignments(text, hiding))
    text = hiding.hide_spans(text, _spans_of_couples(text, hiding))
    if ":" in text and '";' in text:
        text = hiding.hide_spans(text, _spans_of_php(text, hiding))
    if "-" in text:
        text = hiding.hide_spans(text, _spans_of_options(text, hiding))
    text = hiding.hide_spans(text, _spans_of_quoted_behind_name(text, hiding))
    return hiding.hide_spans(text, _spans_of_said(text, hiding))


def _mask_decoded(text: str, decoded: str, hiding: Hiding) -> str:
    """Give a text as it is, or decoded where that shows something to hide."""
    safe = decoded if decoded == text else hiding.inner(decoded)
    return text if safe == decoded else safe


def _mask_references(text: str, hiding: Hiding) -> str:
    """Hide what the references of HTML hide from the eye: `&lt;password&gt;x`."""
    masked = _mask_decoded(text, unescape(text), hiding)
    return text if masked is text else escape(masked, quote="&quot;" in text)


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
        token = hiding.hide_spans(token, _spans_of_assignments(token, hiding))
        decoded = unquote_plus(token)
        safe = token if decoded == token else hiding.inner(decoded)
        return token if safe == decoded else safe

    return _ENCODED_TOKEN.sub(masked, text)


def _spans_of_assignments(text: str, hiding: Hiding) -> Iterator[NamedSpan]:
    match = _PAIR.search(text)
    while match is not None:
        after = match.end()
        key = match["key"]
        if _is_secret(match, text, hiding):
            start, end, rest = value_span(match, text, hiding)
            after = max(after, rest)
            if start < end and not hiding.is_count(key, text[start:end]):
                yield f"text {key}", start, end
        elif match["mark"] != ":" or text[after : after + 1] != "/":
            # The value may itself be a pair: "data=password=x".
            after = match.end("mark")
        match = _PAIR.search(text, after)


def _is_secret(match: re.Match[str], text: str, hiding: Hiding) -> bool:
    key = match["key"]
    if text[match.start() - 1 : match.start()] == "\\" and key[0] in "nrt":
        # A line feed, as a quoted text writes it.
        key = key[1:]
    if "\\" in key:
        key = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), key)
    if "%" in key or "+" in key:
        key = unquote_plus(key)
    if hiding.is_secret(key) or (key.casefold() in NAMED and _is_named_secret(match, text, hiding)):
        return True
    if key.rpartition("_")[2].casefold() not in _LAST_WORDS and key.casefold() not in _LAST_WORDS:
        return False
    before = text[max(match.start() - _WORDS_BEFORE, 0) : match.start()].rpartition("\n")[2]
    return bool(before) and hiding.rules.keys.has_phrase(f"{before[-_WORDS_BEFORE:]} {key}")


def _is_named_secret(match: re.Match[str], text: str, hiding: Hiding) -> bool:
    """Tell whether a neighbour in the same braces gives the value a secret name; else one of the lines before."""
    before = text[max(match.start() - _NEIGHBOURHOOD, 0) : match.start()]
    inside = before.rpartition("{")[2]
    if "}" in inside:
        inside = before.rpartition("}")[2]
    names = _NAMES_NEIGHBOUR.findall(inside)
    if not names:
        end = "}" if "{" in before else "\n"
        names = _NAMES_NEIGHBOUR.findall(text[match.end() : match.end() + _NEIGHBOURHOOD].partition(end)[0])[:1]
    return bool(names) and hiding.names_secret(names[-1])


def _spans_of_couples(text: str, hiding: Hiding) -> Iterator[NamedSpan]:
    behind = 0
    for match in _COUPLE.finditer(text):
        if match.start() < behind or not hiding.is_secret(match[1]):
            continue
        start, end, rest = _item_span(text, match.end(), hiding)
        if start < end and _END_OF_COUPLE.match(text, rest) is not None and text[start:end] != hiding.replacement:
            yield f"text {match[1]}", start, end
            behind = end


def _item_span(text: str, start: int, hiding: Hiding) -> tuple[int, int, int]:
    opened = OPENED.match(text, start)
    if opened is not None:
        return quoted_span(opened, text, hiding.replacement, _AFTER_ITEM)
    if text[start : start + 1] in ("{", "[", "("):
        end = end_of_container(text, start)
        return start, end, end
    bare = _BARE_ITEM.match(text, start)
    # A name in code is no secret.
    if bare is None or not any(map(str.isdigit, bare[0])):
        return start, start, start
    return start, bare.end(), bare.end()


def _spans_of_php(text: str, hiding: Hiding) -> Iterator[NamedSpan]:
    behind = 0
    for match in _PHP.finditer(text):
        value = _PHP_VALUE.match(text, match.end())
        if match.start() < behind or value is None or not hiding.is_secret(match[1]):
            continue
        start = value.end()
        if value[1] is not None:
            end = text.find(f'{value[1]}";', start)
            end = len(text) if end < 0 else end
        else:
            start, end = value.span(2) if value[2] else (start, end_of_container(text, start))
        if start < end and text[start:end] != hiding.replacement:
            yield f"text {match[1]}", start, end
            behind = end


def _spans_of_options(text: str, hiding: Hiding) -> Iterator[NamedSpan]:
    behind = 0
    for match in _OPTION.finditer(text):
        start = match.end()
        if start < behind or not hiding.is_secret(match[1]) or text.startswith(hiding.replacement or "\0", start):
            continue
        opened = OPENED.match(text, start)
        angled = angled_span(text, start)
        if opened is not None:
            start, end, _ = quoted_span(opened, text, hiding.replacement)
        elif angled is not None:
            start, end, _ = angled
        else:
            value = BARE.match(text, start)
            word = "" if value is None else value[0]
            # The bracket of a list that is closed here, unless it was opened here.
            end = start + len(word.rstrip("," if "[" in word else ",]"))
        if start < end:
            yield f"option {match[1]}", start, end
            behind = end


def _spans_of_said(text: str, hiding: Hiding) -> Iterator[NamedSpan]:
    """Find "the password is x" where x has a digit in it, as no word of the language has."""
    for match in _SAID.finditer(text):
        start, end = match.span(1)
        value = match[1]
        name = match[0][: start - match.start()]
        is_harmless = _DATE_OR_TIME.match(value) is not None or hiding.is_count(name, value.rstrip(".;:!?"))
        if is_harmless or not any(map(str.isdigit, value)):
            continue
        if not hiding.replacement or hiding.replacement not in value:
            yield "text", start, end


def _spans_of_quoted_behind_name(text: str, hiding: Hiding) -> Iterator[NamedSpan]:
    """Find what is in quotes behind a password's name."""
    behind = 0
    for match in _QUOTED_PASSWORD.finditer(text):
        opened = OPENED.match(text, match.end())
        if match.start() < behind or opened is None:
            continue
        start, end, _ = quoted_span(opened, text, hiding.replacement, _AFTER_QUOTED)
        if start < end and not hiding.is_secret(text[start:end]):
            yield "text", start, end
            behind = end
