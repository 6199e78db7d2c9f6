"""Multipart bodies (RFC 7578): fields, parts with a type of their own, and a body that was cut off."""

from __future__ import annotations

import binascii
import contextlib
import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from html import unescape
from typing import Final
from urllib.parse import unquote

from .csv import mask_csv
from .hiding import Hiding
from .keys import NAMED_FIELDS, NAMING

_PART: Final = re.compile(r"(?i)(?<![\w\-])content-disposition[ \t]*+:[^\r\n]*+(?:\r?\n[ \t][^\r\n]*+)*+")
_NAME: Final = re.compile(r"(?i)[;\s]name\*?\s*+=\s*+(?:\"((?:[^\"\\]++|\\.)*+)\"?|([^;\s]++))")
# name*0="pass"; name*1="word" (RFC 2231, 3)
_PIECE: Final = re.compile(r"(?i)[;\s]name\*([0-9]{1,3})\*?\s*+=\s*+(?:\"((?:[^\"\\]++|\\.)*+)\"?|([^;\s]++))")
_TABLE: Final = re.compile(r"(?im)^content-type[ \t]*+:[ \t]*+(?:text/csv|text/tab-separated-values|application/csv)\b")
_BLANK_LINE: Final = re.compile(r"\r?\n[ \t]*\r?\n")
# Where the boundary is not known; a key in PEM has such lines as well.
_ANY_BOUNDARY: Final = re.compile(r"\r?\n--(?!---)(?=[^\r\n])")
_ESCAPE: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
_LONGEST_NAME: Final = 200
_FIRST_BOUNDARY: Final = re.compile(r"\s*--([^\r\n]{1,200})\r?\n")


def looks_like_multipart(text: str, media_type: str) -> bool:
    return media_type.startswith("multipart/") or (text[:200].lstrip().startswith("--") and "form-data" in text[:2000])


def mask_multipart(text: str, hiding: Hiding) -> str | None:
    """Hide the contents of secret fields, and what is secret in the other parts; None for what has no parts."""
    kept: list[str] = []
    position = 0
    header = _PART.search(text)
    if header is None:
        return None
    first = _FIRST_BOUNDARY.match(text)
    next_boundary = (
        _ANY_BOUNDARY
        if first is None
        else re.compile(
            # What goes on behind it is a line of a field.
            rf"\r?\n--{re.escape(first[1].strip())}(?=[ \t]*+(?:\r?\n|--|\r?\Z))"
        )
    )
    # A part can name what another one holds.
    is_named = False
    while header is not None:
        blank = _BLANK_LINE.search(text, header.end())
        if blank is None:
            break
        boundary = next_boundary.search(text, blank.start())
        start = blank.end()
        end = len(text) if boundary is None else boundary.start()
        if start <= end:
            content, head, names = text[start:end], text[position:start], _names_of(header[0])
            if _TABLE.search(head) is not None:
                content = mask_csv(content, hiding) or content
            kept += (_masked_head(head, hiding), _masked(names, content, hiding, is_named=is_named))
            is_named = is_named or (any(name.lower() in NAMING for name in names) and hiding.names_secret(content))
            position = end
        header = _PART.search(text, max(end, header.end()))
    # A head whose content was cut off is masked as any text.
    return "".join((*kept, _masked_head(text[position:], hiding))) if kept else None


def _masked_head(head: str, hiding: Hiding) -> str:
    """Mask what stands between the contents: other headers of parts, and names that are secrets themselves."""
    text = head.rstrip()
    return hiding.inner(text) + head[len(text) :]


def _names_of(header: str) -> list[str]:
    """Give each name that a parser may read, as they differ: the first, the last, in quotes, encoded."""
    names = [match[1] or match[2] or "" for match in _NAME.finditer(header)]
    pieces = sorted((int(match[1]), match[2] or match[3] or "") for match in _PIECE.finditer(header))
    if pieces:
        names.append("".join(piece for _, piece in pieces))
    return [reading for name in names for reading in _readings(name)]


def _readings(name: str) -> list[str]:
    readings = [name.replace("\\", "")]
    if "\\u" in name:
        readings.append(_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), name))
    if "%" in name:
        readings.append(unquote(name.rpartition("'")[2]))
    if "&" in name:
        readings.append(unescape(name).strip("\"'"))
    if "=?" in name and len(name) < _LONGEST_NAME:
        with contextlib.suppress(HeaderParseError, LookupError, UnicodeError, binascii.Error):
            readings.append(str(make_header(decode_header(name))))
    return readings


def _masked(names: list[str], content: str, hiding: Hiding, *, is_named: bool) -> str:
    if content in ("", hiding.replacement):
        return content
    for name in names:
        if hiding.is_secret(name) or (is_named and name.lower() in NAMED_FIELDS):
            return hiding.hide(f"key {name}", content)
    return hiding.inner(content)
