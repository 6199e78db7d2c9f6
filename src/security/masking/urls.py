"""Addresses (RFC 3986): user-info, path, query and fragment, each by its own rules."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

from .forms import mask_fields
from .hiding import Hiding

_PARTS: Final = re.compile(r"((?:[A-Za-z][A-Za-z0-9+.\-]*+:)?(?://[^/?#\s]*+)?)([^?#]*+)(\?[^#]*+)?(#.*+)?", re.DOTALL)
# /token/abc123/, but not /token/refresh/
_LOOKS_SECRET: Final = re.compile(r"(?=[^/]*[0-9])[^/]{6,}|[^/]{24,}")


def mask_url(text: str, hiding: Hiding) -> str:
    """Mask an address, whole or only its end; what has nothing to hide stays byte for byte."""
    match = _PARTS.fullmatch(text.strip())
    if match is None or text != text.strip():
        return hiding.inner(text)
    origin, path, query, fragment = (part or "" for part in match.groups())
    if query:
        query = "?" + mask_fields(query[1:], hiding)
    if fragment:
        fragment = "#" + mask_fields(fragment[1:], hiding)
    masked = mask_path(path, hiding) + query + fragment
    # User-info is found by the detector of the whole.
    return hiding.inner(origin + masked) if "//" in origin and "@" in origin else origin + masked


def mask_path(path: str, hiding: Hiding) -> str:
    """Mask a path: parameters (/a;sid=x), segments behind the name of a secret (/token/x), and what detectors find."""
    segments = path.split("/")
    masked = []
    previous = ""
    for segment in segments:
        if previous and segment != hiding.replacement and _LOOKS_SECRET.fullmatch(segment) and hiding.is_secret(previous):
            masked.append(hiding.hide(f"path {previous}", segment))
        else:
            masked.append(_masked_segment(segment, hiding))
        previous = unquote(segment)
    # A detector may want to see more than one segment.
    joined = "/".join(masked)
    return hiding.inner(joined) if joined else joined


def _masked_segment(segment: str, hiding: Hiding) -> str:
    if not segment or segment == hiding.replacement:
        return segment
    if ";" in segment or "=" in segment:
        return mask_fields(segment, hiding, ";")
    decoded = unquote(segment)
    safe = hiding.inner(decoded)
    if safe == decoded:
        return segment
    # As in a form, the replacement stays readable.
    replacement = hiding.replacement
    return safe if decoded == segment or not replacement else replacement.join(map(quote, safe.split(replacement)))
