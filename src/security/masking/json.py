"""JSON (RFC 8259), also several documents in a row and a document that was cut off.

The document is not parsed but read once, string by string: what is left as it is stays byte for byte, and neither its
depth nor the length of its numbers matters.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import Final

from . import detectors
from .hiding import Hiding
from .numbers import is_card_number

_SPACE: Final = r"[ \t\n\r]*+"
_STRING_BODY: Final = r'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+'
# All that JSON is made of; a string stands before a mark.
_TOKENS: Final = re.compile(
    rf"(?:[][{{}},:\s]++|\"{_STRING_BODY}\"{_SPACE}(?=[]}}:,]|\Z)|[-+.0-9eE]++|true\b|false\b|null\b)*+"
)
_CUT_END: Final = re.compile(rf'(?:"{_STRING_BODY}(?:\\(?:u[0-9a-fA-F]{{0,3}})?)?|[a-z]{{1,4}})\Z')
# The possessive quantifiers (*+) never step back. A string whose end is missing ends with the text.
_STRING: Final = re.compile(rf'"((?:[^"\\]++|\\.)*+)("?)({_SPACE}:{_SPACE})?', re.DOTALL)
_SCALAR: Final = re.compile(r"[^][{}\",\s]++")
_BRACKETS: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[][{}]', re.DOTALL)
_LONG_NUMBER: Final = re.compile(r"(?<![-+.0-9eE\"])[0-9]{13,19}(?![.0-9eE])")
_NO_SECRETS: Final = frozenset(("null", "true", "false", '""'))
_MOST_FOR_PARSER: Final = 65_536
# {"name": "password", "value": "..."}: a member that names what its neighbour holds.
_NAMING: Final = frozenset(("name", "key", "field", "param", "parameter", "header", "id", "property", "variable"))
_NAMED: Final = frozenset(("value", "val", "values", "content", "text", "data", "newvalue", "oldvalue"))
_NAMED_MEMBER: Final = re.compile(rf'(?i)"(?:{"|".join(_NAMED)})"')
# A text without any of these gives no value to a name.
_MAY_NAME: Final = re.compile(r"[=:<{%]|--| (?:is|was) ")


def looks_like_json(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[")


def mask_json(text: str, hiding: Hiding) -> str | None:
    """Hide what stands under secret keys, and what texts hold; None for what is not made as JSON is.

    The value under a secret key, of whatever type, becomes a text; null, true, false and an empty text stay.
    """
    if not _is_json(text):
        return None
    document = _Document(text, hiding)
    return document.masked() if document.may_have_secrets() else text


def _is_json(text: str) -> bool:
    """Tell whether a text is made of what JSON is made of, at least up to where it was cut off."""
    if len(text) < _MOST_FOR_PARSER:
        # The parser is faster, but has bounds of its own, and refuses what was cut off.
        with contextlib.suppress(ValueError, RecursionError):
            json.loads(text)
            return True
    end = _TOKENS.match(text).end()  # type: ignore[union-attr]
    return end == len(text) or (_CUT_END.match(text, end) is not None and looks_like_json(text))


class _Document:
    def __init__(self, text: str, hiding: Hiding) -> None:
        self.text = text
        self.hiding = hiding
        self.kept: list[str] = []
        self.position = 0
        self.has_escapes = "\\" in text
        self.may_detect = detectors.may_find(text, text.lower())

    def may_have_secrets(self) -> bool:
        """Tell quickly whether anything has to be looked at twice; of most documents nothing has."""
        if self.has_escapes or self.may_detect:
            return True
        is_secret = self.hiding.is_secret
        return any(
            is_secret(raw) if colon else _MAY_NAME.search(raw) is not None or is_secret(raw)
            for raw, _, colon in _STRING.findall(self.text)
            if raw
        )

    def masked(self) -> str:
        text, is_secret = self.text, self.hiding.is_secret
        named = self.values_of_named() if _NAMED_MEMBER.search(text) is not None else {}
        search = _STRING.search
        match = search(text)
        while match is not None:
            after = match.end()
            raw = match[1]
            is_escaped = self.has_escapes and "\\" in raw
            if match[3] is not None:
                key = _decoded(raw) if is_escaped else raw
                if is_secret(key) or after in named:
                    after = self.hide_value(after, key)
                elif self.may_detect or is_escaped:
                    self.mask_string(match, key)
            elif raw and (self.may_detect or is_escaped or _MAY_NAME.search(raw) is not None):
                self.mask_string(match, _decoded(raw) if is_escaped else raw)
            match = search(text, after)
        if self.may_detect:
            return self.without_card_numbers()
        return "".join((*self.kept, text[self.position :])) if self.kept else text

    def put(self, start: int, end: int, replacement: str) -> None:
        self.kept += (self.text[self.position : start], replacement)
        self.position = end

    def mask_string(self, match: re.Match[str], value: str) -> None:
        masked = self.hiding.inner(value)
        if masked != value:
            written = json.dumps(masked, ensure_ascii=match[1].isascii())
            # What was cut off stays so, and goes when the document is shortened.
            self.put(match.start(), match.end(2), written if match[2] else written[:-1])

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
        value = text[start:end]
        replacement = json.dumps(self.hiding.replacement, ensure_ascii=False)
        if value not in _NO_SECRETS and value != replacement:
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
        objects: list[tuple[str, list[int]]] = []
        is_key_of_name = False
        for match in re.finditer(rf'{_STRING.pattern}|[{{}}]', self.text, re.DOTALL):
            mark = match[0]
            if mark == "{":
                objects.append(("", []))
            elif mark == "}":
                if objects:
                    name, places = objects.pop()
                    if name:
                        found.update(dict.fromkeys(places, name))
            elif objects:
                raw = match[1]
                if match[3] is not None:
                    member = raw.casefold().replace("_", "")
                    is_key_of_name = member in _NAMING
                    if member in _NAMED:
                        objects[-1][1].append(match.end())
                    continue
                if is_key_of_name and self.hiding.is_secret(_decoded(raw)):
                    objects[-1] = (_decoded(raw), objects[-1][1])
            is_key_of_name = False
        for name, places in objects:
            if name:
                found.update(dict.fromkeys(places, name))
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
