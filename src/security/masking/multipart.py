"""Multipart bodies (RFC 7578): fields, parts with a type of their own, and a body that was cut off."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from .hiding import Hiding

_PART: Final = re.compile(r"(?i)(?<![\w\-])content-disposition[ \t]*+:[^\r\n]*+(?:\r?\n[ \t][^\r\n]*+)*+")
_NAME: Final = re.compile(r"(?i)[;\s]name\*?\s*+=\s*+(?:\"((?:[^\"\\]++|\\.)*+)\"?|([^;\s]++))")
_BLANK_LINE: Final = re.compile(r"\r?\n[ \t]*\r?\n")
# Where the boundary is not known; a key in PEM has such lines as well.
_ANY_BOUNDARY: Final = re.compile(r"\r?\n--(?!---)(?=[^\r\n])")
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
    while header is not None:
        blank = _BLANK_LINE.search(text, header.end())
        if blank is None:
            break
        boundary = next_boundary.search(text, blank.start())
        start = blank.end()
        end = len(text) if boundary is None else boundary.start()
        if start <= end:
            content = text[start:end]
            kept += (text[position:start], _masked(_names_of(header[0]), content, hiding))
            position = end
        header = _PART.search(text, max(end, header.end()))
    kept.append(text[position:])
    return "".join(kept)


def _names_of(header: str) -> list[str]:
    """Give each name that a parser may read, as they differ: the first, the last, in quotes, encoded."""
    names = [(match[1] or match[2] or "").replace("\\", "") for match in _NAME.finditer(header)]
    return [*names, *(unquote(name.rpartition("'")[2]) for name in names if "%" in name)]


def _masked(names: list[str], content: str, hiding: Hiding) -> str:
    if content in ("", hiding.replacement):
        return content
    for name in names:
        if hiding.is_secret(name):
            return hiding.hide(f"key {name}", content)
    return hiding.inner(content)
