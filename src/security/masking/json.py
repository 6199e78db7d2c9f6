"""JSON (RFC 8259), also several documents in a row and a document that was cut off.

The document is not parsed but read once, string by string: what is left as it is stays byte for byte, and neither its
depth nor the length of its numbers matters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Final

from . import detectors
from .hiding import Hiding
from .keys import NAMED, NAMED_FIELDS, NAMING, NAMING_VALUES, PLACES
from .numbers import is_card_number

_SPACE: Final = r"[ \t\n\r]*+"
_STRING_BODY: Final = r'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+'
# All that JSON is made of; a string stands before a mark.
_TOKENS: Final = re.compile(
    rf"(?:[][{{}},:\s]++|\"{_STRING_BODY}\"{_SPACE}(?=[]}}:,]|\Z)|[-+.0-9eE]++|true\b|false\b|null\b)*+"
)
_ANY_STRING: Final = re.compile(rf'"{_STRING_BODY}"?')
_ANY_SCALAR: Final = re.compile(r"[^][{}:,\"\s]++")
_ANY_SPACE: Final = re.compile(r"\s++")
_OUT_OF_ORDER: Final = re.compile(r"(?<!\"):|(?<![{,])\":|:(?![\"0{[]|\Z)|[\"0][\"0{[]|[]}][\"0]")
# Behind a value comes a mark; anything else is a part of it.
_AFTER_VALUE: Final = re.compile(rf"{_SPACE}(?=[],}}]|\Z)")
_REST_OF_VALUE: Final = re.compile(r'(?:"(?:[^"\\]++|\\.)*+"?|[^],}"])*+', re.DOTALL)
_BEGINNING: Final = re.compile(r'[{\[][\s{\[]{0,40}+"')
_SHORTEST_DOCUMENT: Final = 8
_CUT_END: Final = re.compile(rf'(?:"{_STRING_BODY}(?:\\(?:u[0-9a-fA-F]{{0,3}})?)?|[a-z]{{1,4}})\Z')
# The possessive quantifiers (*+) never step back. A string whose end is missing ends with the text.
_STRING: Final = re.compile(rf'"((?:[^"\\]++|\\.)*+)("?)({_SPACE}:{_SPACE})?', re.DOTALL)
# Where no string has an escape; what is between two strings, the latter of which begins with a colon, is no name.
_PLAIN_NAME: Final = re.compile(rf'"([^"]*+)"{_SPACE}:')
# ["password", "x"], as a list of members has it, and ["--password", "x"], as a list of arguments does
_COUPLE: Final = re.compile(rf'\[{_SPACE}"({_STRING_BODY})"{_SPACE},{_SPACE}("{_STRING_BODY}"){_SPACE}\]')
_ARGUMENT: Final = re.compile(rf'"(--?[A-Za-z][\w\-]*+)"{_SPACE},{_SPACE}("(?!-){_STRING_BODY}")(?!{_SPACE}:)')
_SCALAR: Final = re.compile(r"[^][{}\",\s]++")
_BRACKETS: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[][{}]', re.DOTALL)
_LONG_NUMBER: Final = re.compile(r"(?<![-+.0-9eE\"])[0-9]{13,19}(?![.0-9eE])")
_NO_SECRETS: Final = frozenset(("null", "true", "false", '""'))
_MOST_FOR_PARSER: Final = 65_536
# A pattern is made of the secret names of a document; clients choose these.
_MOST_NAMES_OF_PATTERN: Final = 8
_LONGEST_NAME_OF_PATTERN: Final = 40
# The longer ones that end with another one are found with it.
_NAMED_MEMBERS: Final = ('value"', *(f'"{name}"' for name in sorted(NAMED) if not name.endswith("value")))
# The ends of the words behind which a sentence says a secret: "the password is x".
_SAYING: Final = (
    "word",
    "wd",
    "wort",
    "slo",
    "phrase",
    "code",
    "key",
    "pin",
    "id",
    "token",
    "secret",
    "otp",
    "credential",
)
# The search begins with a plain space, which is fast, and looks back from there.
_SAYS: Final = re.compile(f" (?<=[a-z] )(?:{'|'.join(f'(?<={word} )|(?<={word}s )' for word in _SAYING)})")
# A text without any of these gives no value to a name.
_MAY_NAME: Final = re.compile(rf"[=:<{{%'\"`(\[/]|--|(?:{'|'.join(_SAYING)})s?(?!\w)[^\w\"\\]*+\w", re.IGNORECASE)


def looks_like_json(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[")


def mask_json(text: str, hiding: Hiding) -> str | None:
    """Hide what stands under secret keys, and what texts hold; None for what is not made as JSON is.

    The value under a secret key, of whatever type, becomes a text; null, true, false and an empty text stay.
    """
    if text.startswith("\ufeff"):
        masked = mask_json(text.removeprefix("\ufeff"), hiding)
        return None if masked is None else f"\ufeff{masked}"
    if not _is_json(text):
        return None
    document = _Document(text, hiding)
    return document.masked() if document.may_have_secrets() else text


def mask_embedded_json(text: str, hiding: Hiding) -> str:
    """Mask the JSON documents inside a text, as log lines and messages of errors have them."""
    kept: list[str] = []
    position = 0
    begin = _BEGINNING.search(text)
    while begin is not None:
        start = begin.start()
        end = _TOKENS.match(text, start).end()  # type: ignore[union-attr]
        if end - start > _SHORTEST_DOCUMENT:
            kept += (text[position:start], _Document(text[start:end], hiding).masked())
            position = end
        begin = _BEGINNING.search(text, max(end, begin.end()))
    return "".join((*kept, text[position:])) if kept else text


def _is_json(text: str) -> bool:
    """Tell whether a text is made of what JSON is made of, at least up to where it was cut off."""
    if len(text) < _MOST_FOR_PARSER:
        # The parser is faster, but has bounds of its own, and refuses what was cut off.
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            pass
        else:
            return True
    end = _TOKENS.match(text).end()  # type: ignore[union-attr]
    is_made_so = end == len(text) or (_CUT_END.match(text, end) is not None and looks_like_json(text))
    return is_made_so and _is_in_order(text[:end])


def _is_in_order(text: str) -> bool:
    """Tell whether each name has its value and each value its place; a comma too many hides nothing."""
    marks = _ANY_SCALAR.sub("0", _ANY_STRING.sub('"', text))
    return _OUT_OF_ORDER.search(_ANY_SPACE.sub("", marks)) is None


@dataclass(slots=True)
class _Neighbours:
    """What the members of one object say of each other."""

    name: str = ""
    """The name that one of them gives another one; empty where it is no secret's."""
    is_type: bool = False
    """Whether it is only the name of a type: then it is that of values alone."""
    places: dict[int, str] = field(default_factory=dict)
    """Where the members begin that can be meant, with their own names."""

    def secret(self) -> dict[int, str]:
        """Give where the values of a secret begin, with its name."""
        if not self.name:
            return {}
        return {place: self.name for place, member in self.places.items() if not self.is_type or member in NAMED_FIELDS}


@lru_cache(maxsize=64)
def _value_of(names: tuple[str, ...]) -> re.Pattern[str]:
    """Give the pattern of what stands before the values of some names."""
    return re.compile(rf'"({"|".join(map(re.escape, names))})"{_SPACE}:{_SPACE}')


class _Document:
    def __init__(self, text: str, hiding: Hiding) -> None:
        self.text = text
        self.hiding = hiding
        self.kept: list[str] = []
        self.position = 0
        self.couples: set[int] = set()
        self.has_escapes = "\\" in text
        self.lowered = text.lower()
        self.may_detect = detectors.may_find(text, self.lowered)

    def may_have_secrets(self) -> bool:
        """Tell quickly whether the strings have to be looked at: those of most documents have not."""
        has_codes = self.has_escapes or "%" in self.text or "&#" in self.text
        return has_codes or self.may_detect or self.hiding.rules.keys.may_be_in(self.lowered)

    def masked(self) -> str:
        has_named = any(map(self.lowered.__contains__, _NAMED_MEMBERS))
        self.couples = {
            couple.start(2)
            for pattern in ((_COUPLE, _ARGUMENT) if '"-' in self.text else (_COUPLE,))
            for couple in pattern.finditer(self.text)
            if self.hiding.names_secret(_decoded(couple[1]) if "\\" in couple[1] else couple[1])
        }
        if self.has_escapes or self.may_detect or has_named or self.couples or self.values_may_name():
            return self.masked_string_by_string(self.values_of_named() if has_named else {})
        return self.masked_key_by_key()

    def masked_key_by_key(self) -> str:
        """Mask a document without escapes, in which nothing but the values of secret names can be secret."""
        text = self.text
        secret = [name for name in set(_PLAIN_NAME.findall(text)) if self.hiding.is_secret(name)]
        if not secret:
            return text
        if len(secret) > _MOST_NAMES_OF_PATTERN or max(map(len, secret)) > _LONGEST_NAME_OF_PATTERN:
            return self.masked_string_by_string(())
        after = 0
        for match in _value_of(tuple(sorted(secret))).finditer(text):
            # A hidden container may hold one more.
            if match.start() >= after:
                after = self.hide_value(match.end(), match[1])
        return "".join((*self.kept, text[self.position :])) if self.kept else text

    def masked_string_by_string(self, named: Collection[int]) -> str:
        """Mask any document; `named` is where values begin that a neighbour gives a secret name."""
        text, is_secret, may_detect = self.text, self.hiding.is_secret, self.may_detect
        may_name = _MAY_NAME.search
        after = 0
        for match in _STRING.finditer(text):
            raw, _, colon = match.groups()
            if match.start() < after:
                # Inside a container that is hidden.
                continue
            is_escaped = self.has_escapes and "\\" in raw
            if colon is not None:
                key = _decoded(raw) if is_escaped else raw
                shown = self.mask_string(match, key) if may_detect or is_escaped else key
                if is_secret(key) or (shown != key and is_secret(shown)) or match.end() in named:
                    after = self.hide_value(match.end(), key)
            elif raw and match.start() in self.couples:
                self.hide_value(match.start(), "of a couple")
            elif raw and (may_detect or is_escaped or may_name(raw) is not None):
                self.mask_string(match, _decoded(raw) if is_escaped else raw)
        if self.may_detect:
            return self.without_card_numbers()
        return "".join((*self.kept, text[self.position :])) if self.kept else text

    def values_may_name(self) -> bool:
        """Tell whether a text in the document, which has no escapes, can give a value to a name."""
        text = self.text
        has_signs = any(map(text.__contains__, ("=", "<", "%", "--", "'", "`", "(", "/"))) or self.values_may_say()
        # Each name of the document has a colon behind its quote; any further colon is in a text.
        return has_signs or text.count(":") != text.count('":') + text.count('" :')

    def values_may_say(self) -> bool:
        # Spaces of other kinds are rare.
        says = _SAYS.search(self.lowered) is not None
        return says or (not self.text.isascii() and _MAY_NAME.search(self.text) is not None)

    def put(self, start: int, end: int, replacement: str) -> None:
        self.kept += (self.text[self.position : start], replacement)
        self.position = end

    def mask_string(self, match: re.Match[str], value: str) -> str:
        masked = self.hiding.inner(value)
        if masked != value:
            written = json.dumps(masked, ensure_ascii=match[1].isascii())
            # What was cut off stays so, and goes when the document is shortened.
            self.put(match.start(), match.end(2), written if match[2] else written[:-1])
        return masked

    def hide_value(self, start: int, key: str) -> int:
        """Hide the value that begins at `start`, and give where it ends."""
        text = self.text
        first = text[start : start + 1]
        if first == '"':
            end = _STRING.match(text, start).end(2)  # type: ignore[union-attr]
        elif first and first in "{[":
            end = self.end_of_container(start)
        else:
            scalar = _SCALAR.match(text, start)
            if scalar is None:
                return start
            end = scalar.end()
        if _AFTER_VALUE.match(text, end) is None:
            end = _REST_OF_VALUE.match(text, end).end()  # type: ignore[union-attr]
        value = text[start:end]
        replacement = encode_basestring(self.hiding.replacement)
        if value not in _NO_SECRETS and value != replacement and not self.hiding.is_count(key, value):
            self.hiding.hide(f"key {key}", value)
            self.put(start, end, replacement)
        return end

    def end_of_container(self, start: int) -> int:
        depth = 0
        for match in _BRACKETS.finditer(self.text, start):
            mark = match[0]
            if mark in ("{", "["):
                depth += 1
            elif mark in ("}", "]"):
                depth -= 1
                if depth == 0:
                    return match.end()
        return len(self.text)

    def values_of_named(self) -> dict[int, str]:
        """Find where the values begin whose neighbour in the same object gives them a secret name."""
        found: dict[int, str] = {}
        objects: list[_Neighbours] = []
        is_key_of_name = is_key_of_type = is_place = False
        # JSON Patch (RFC 6902): {"op": "replace", "path": "/password", "value": "..."}
        has_patches = '"op"' in self.lowered
        for match in re.finditer(rf"{_STRING.pattern}|[{{}}]", self.text, re.DOTALL):
            mark = match[0]
            if mark == "{":
                objects.append(_Neighbours())
            elif mark == "}":
                if objects:
                    found |= objects.pop().secret()
            elif objects:
                raw, around = match[1], objects[-1]
                if match[3] is not None:
                    member = raw.casefold()
                    is_place = member in PLACES
                    is_key_of_name = is_place or member in NAMING or (has_patches and member == "path")
                    is_key_of_type = member in NAMING_VALUES
                    if member in NAMED:
                        around.places[match.end()] = member
                    continue
                if (is_key_of_name or is_key_of_type) and self.hiding.names_secret(_decoded(raw)):
                    around.name, around.is_type = _decoded(raw), is_key_of_type
                if is_place:
                    continue
            is_key_of_name = is_key_of_type = False
        for unclosed in objects:
            found |= unclosed.secret()
        return found

    def without_card_numbers(self) -> str:
        """Hide the card numbers that stand as numbers."""
        text = "".join((*self.kept, self.text[self.position :]))
        if "card_number" in self.hiding.rules.disabled_detectors or _LONG_NUMBER.search(text) is None:
            return text
        self.text, self.kept, self.position = text, [], 0
        in_string_until = 0
        for match in re.finditer(rf'"{_STRING_BODY}"?|{_LONG_NUMBER.pattern}', text):
            if match[0][0] != '"' and match.start() >= in_string_until and is_card_number(match[0]):
                self.hiding.hide("detector card_number", match[0])
                self.put(match.start(), match.end(), json.dumps(self.hiding.replacement, ensure_ascii=False))
        return "".join((*self.kept, text[self.position :]))


def _decoded(raw: str) -> str:
    """Decode the inside of a string, also one with an escape that is none."""
    try:
        return str(json.loads(f'"{raw}"', strict=False))
    except ValueError:
        return raw.replace("\\", "")
